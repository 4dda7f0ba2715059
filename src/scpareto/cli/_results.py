"""Draw the plots of a finished run, and print its recommendation and files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.markup import escape

from scpareto._constants import ALARM_FROM
from scpareto._runtime import write_atomically
from scpareto.cli._run_folder import console

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from scpareto.model import ParetoVI
    from scpareto.pareto import Front

_N_SENTENCES = 3
"""Number of sentences of the explanation to print; the alarm is in the table."""


def draw_results(model: ParetoVI, counts: AnnData, keys: list[str], output: Path) -> None:
    """Draw the front, and UMAPs of the uncorrected, the recommended and the strongest point."""
    import matplotlib.pyplot as plt

    from scpareto import pl

    front, selected = model.front, model.selected
    assert front is not None  # a trained model always has a front
    assert selected is not None  # and a selected point
    roles = name_points(front, selected)
    points = sorted(roles)
    if len(points) < 3:
        # The recommended point is an extreme: also show the middle of the front.
        points = sorted({*points, front.numbers[len(front) // 2]})
    with console.status("Drawing"):
        figure = pl.front(front, selected=selected).get_figure(root=True)
        assert figure is not None
        with write_atomically(output / "front.png") as file:
            figure.savefig(file, dpi=200, bbox_inches="tight")
        codes = {}
        for point in points:
            with model.at(point):
                codes[point] = model.get_latent_representation()
        embeddings = pl.embed(codes, seed=model.seed)
        suffixes = {point: f": {', '.join(roles[point])}" if point in roles else "" for point in points}
        titles = {point: f"point {point}{role}" for point, role in suffixes.items()}
        panels = pl.front_embedding(embeddings, {key: counts.obs[key] for key in keys}, titles=titles)
        with write_atomically(output / "umap.png") as file:
            panels.flat[0].figure.savefig(file, dpi=200, bbox_inches="tight")
        plt.close("all")
    counts.obsm["X_umap"] = embeddings[selected]


def name_points(front: Front, selected: int) -> dict[int, list[str]]:
    """Return the points to draw and their roles, such as ``"recommended"``."""
    roles: dict[int, list[str]] = {}
    named_points = [
        (front.numbers[0], "uncorrected"),
        (front.numbers[-1], "strongest"),
        (front.recommended, "recommended"),
    ]
    if selected != front.recommended:
        named_points.append((selected, "selected"))
    for point, role in named_points:
        roles.setdefault(point, []).append(role)
    if "alarm" in front.table:
        for point in front.table.loc[front.table["alarm"] >= ALARM_FROM, "point"]:
            if point in roles:
                roles[point].append("alarm rings")
    return roles


def print_recommendation(front: Front) -> None:
    """Print which point is recommended, and the attainable range."""
    from scpareto.pareto import advice_on_composition, range_in_words

    advice = advice_on_composition(front)
    attainable_text = range_in_words(front)
    reason = front.explain().removesuffix(advice).strip().removesuffix(attainable_text).strip()
    sentences = re.split(r"(?<=\.) (?=[A-Z])", reason)
    console.print(" ".join(sentences[:_N_SENTENCES]), markup=False, highlight=False)
    if attainable_text:
        console.print(attainable_text, markup=False, highlight=False)
    if advice:
        console.print(advice, markup=False, highlight=False)


def print_control_genes(front: Front) -> None:
    """Print how much of the pattern of each control gene is kept, and at which points it is lost."""
    if "control_genes" not in front.tables:
        return
    for gene, rows in front.tables["control_genes"].groupby("gene", sort=False):
        number = rows["embedding"].str.removeprefix("point ").astype(int)
        kept, lost = dict(zip(number, rows["kept"], strict=True)), sorted(number[rows["alarm"].astype(bool)])
        # The least corrected point is the reference of the others.
        kept = {front.numbers[0]: 100.0} | kept
        kept_at = [f"{_percent(kept[point])} at {_describe_point(front, point)}" for point in _points_to_report(front)]
        lost_text = f"lost at point{'s' * (len(lost) > 1)} {', '.join(map(str, lost))}" if lost else "lost at no point"
        text = f"Control gene {gene}: pattern kept {', '.join(kept_at)}; {lost_text}."
        console.print(text, markup=False, highlight=False, style="yellow" if front.recommended in lost else None)


def _points_to_report(front: Front) -> list[int]:
    return list(dict.fromkeys([front.recommended, front.numbers[-1]]))


def _percent(value: float) -> str:
    return f"{value:.0f} %" if value == value else "unknown"


def _describe_point(front: Front, number: int) -> str:
    return f"the recommended point {number}" if number == front.recommended else f"point {number}"


def print_files(output: Path, model: ParetoVI, *, subset: bool) -> None:
    """Print the names of the files, and the Python lines that select another place."""
    front = model.front
    assert front is not None  # it was just learnt
    files = "front.png, umap.png, front.csv, audit.csv, adata.h5ad, model/"
    console.print(f"Results are in [bold]{escape(str(output))}/[/]: {files}")
    load_expression = 'adata[:, adata.var["highly_variable"]].copy()' if subset else "adata"
    data, saved = (repr(str(output / name)) for name in ("adata.h5ad", "model"))
    # Lines of code, printed without markup and without wrapping.
    console.print(
        f"Point {model.selected} is selected. To take another place:\n"
        f"  import scanpy as sc, scpareto as sp; adata = sc.read_h5ad({data})\n"
        f"  model = sp.model.ParetoVI.load({saved}, {load_expression}); model.select({suggest_place(front)}); "
        'adata.obsm["X_paretovi"] = model.get_latent_representation()',
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def suggest_place(front: Front) -> str:
    """Return an argument of ``select`` for a place between the uncorrected and the recommended point."""
    from scpareto.pareto import attainable_range

    attainable = attainable_range(front)
    if attainable is None or _nearest_attainable(front, attainable[1]) is None:
        return "preference=0.5"
    largest, smallest = attainable
    recommended = front.to_dataframe().set_index("point")["batch_left"][front.recommended]
    middle = (largest + (recommended if smallest < recommended < largest else smallest)) / 2
    value = round(middle) if smallest <= round(middle) <= largest else round(middle, 1)
    return f"batch_left={_nearest_attainable(front, value):g}"


def _nearest_attainable(front: Front, value: float) -> float | None:
    """Return the nearest attainable value of ``batch_left``; None if the front has no such axis."""
    if "curve" in front.tables and "batch_left_fit" in (curve := front.curve()):
        # Places along a path are looked up on the curve, which was judged separately from the points.
        low, high = curve["batch_left_fit"].min(), curve["batch_left_fit"].max()
        value = value if low <= value <= high else round(min(max(value, low), high), 1)
    try:
        front.resolve(batch_left=value)
    except ValueError:
        return None
    return value
