"""What a finished run draws, and the words that it ends in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.markup import escape

from scpareto._runtime import write_atomically
from scpareto.cli._run_folder import console

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from scpareto.model import ParetoVI
    from scpareto.pareto import Front

_N_SENTENCES = 3
"""Sentences of the reasons that are printed; the alarm is in the table already."""


def draw(model: ParetoVI, counts: AnnData, keys: list[str], output: Path) -> None:
    """Front, and UMAPs of the uncorrected, the recommended and the strongest point."""
    import matplotlib.pyplot as plt

    from scpareto import pl

    front, selected = model.front, model.selected
    assert front is not None  # a trained model always has a front
    assert selected is not None  # and a selected point
    roles = point_roles(front, selected)
    points = sorted(roles)
    if len(points) < 3:
        # The recommended point is an extreme: show the middle of the front beside the two ends.
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
        told = {point: f": {', '.join(roles[point])}" if point in roles else "" for point in points}
        titles = {point: f"point {point}{role}" for point, role in told.items()}
        panels = pl.front_embedding(embeddings, {key: counts.obs[key] for key in keys}, titles=titles)
        with write_atomically(output / "umap.png") as file:
            panels.flat[0].figure.savefig(file, dpi=200, bbox_inches="tight")
        plt.close("all")
    counts.obsm["X_umap"] = embeddings[selected]


def point_roles(front: Front, selected: int) -> dict[int, list[str]]:
    """Points that a reader wants to see, and what each of them is."""
    roles: dict[int, list[str]] = {}
    named = [(front.numbers[0], "uncorrected"), (front.numbers[-1], "strongest"), (front.recommended, "recommended")]
    if selected != front.recommended:
        named.append((selected, "selected"))
    for point, role in named:
        roles.setdefault(point, []).append(role)
    return roles


def print_recommendation(front: Front) -> None:
    """Say which point is recommended, and what lies within reach."""
    from scpareto.pareto import advice_on_composition, range_in_words

    advice = advice_on_composition(front)
    reach = range_in_words(front)
    reason = front.explain().removesuffix(advice).strip().removesuffix(reach).strip()
    sentences = re.split(r"(?<=\.) (?=[A-Z])", reason)
    console.print(" ".join(sentences[:_N_SENTENCES]), markup=False, highlight=False)
    if reach:
        console.print(reach, markup=False, highlight=False)
    if advice:
        console.print(advice, markup=False, highlight=False)


def print_control_genes(front: Front) -> None:
    """Say of each control gene how much of its pattern is kept, and where it is lost."""
    if "control_genes" not in front.tables:
        return
    for gene, rows in front.tables["control_genes"].groupby("gene", sort=False):
        number = rows["embedding"].str.removeprefix("point ").astype(int)
        kept, lost = dict(zip(number, rows["kept"], strict=True)), sorted(number[rows["alarm"].astype(bool)])
        # The least corrected point is what the others are measured against.
        kept = {front.numbers[0]: 100.0} | kept
        parts = [f"{_percent(kept[point])} at {_what(front, point)}" for point in _ends(front)]
        where = f"lost at point{'s' * (len(lost) > 1)} {', '.join(map(str, lost))}" if lost else "lost at no point"
        told = f"Control gene {gene}: pattern kept {', '.join(parts)}; {where}."
        console.print(told, markup=False, highlight=False, style="yellow" if front.recommended in lost else None)


def _ends(front: Front) -> list[int]:
    return list(dict.fromkeys([front.recommended, front.numbers[-1]]))


def _percent(value: float) -> str:
    return f"{value:.0f} %" if value == value else "unknown"


def _what(front: Front, number: int) -> str:
    return f"the recommended point {number}" if number == front.recommended else f"point {number}"


def print_files(output: Path, model: ParetoVI, *, subset: bool) -> None:
    """Name the files, and print the lines that take another place."""
    front = model.front
    assert front is not None  # it was just learnt
    files = "front.png, umap.png, front.csv, audit.csv, adata.h5ad, model/"
    console.print(f"Results are in [bold]{escape(str(output))}/[/]: {files}")
    read = 'adata[:, adata.var["highly_variable"]].copy()' if subset else "adata"
    data, saved = (repr(str(output / name)) for name in ("adata.h5ad", "model"))
    # Lines of code: nothing in them is markup, and none may be wrapped.
    console.print(
        f"Point {model.selected} is selected. To take another place:\n"
        f"  import scanpy as sc, scpareto as sp; adata = sc.read_h5ad({data})\n"
        f"  model = sp.model.ParetoVI.load({saved}, {read}); model.select({place_to_try(front)}); "
        'adata.obsm["X_paretovi"] = model.get_latent_representation()',
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def place_to_try(front: Front) -> str:
    """Return an argument of ``select`` that names a place between the uncorrected and the recommended point."""
    from scpareto.pareto import attainable_range

    ends = attainable_range(front)
    if ends is None or _reached(front, ends[1]) is None:
        return "preference=0.5"
    most, least = ends
    recommended = front.to_dataframe().set_index("point")["batch_left"][front.recommended]
    middle = (most + (recommended if least < recommended < most else least)) / 2
    value = round(middle) if least <= round(middle) <= most else round(middle, 1)
    return f"batch_left={_reached(front, value):g}"


def _reached(front: Front, value: float) -> float | None:
    """Return the nearest value that the front reaches; None where it is not on the axis of what is left."""
    if "curve" in front.tables and "batch_left_fit" in (curve := front.curve()):
        # Places along a path are looked up on the curve, which was judged apart from the points.
        low, high = curve["batch_left_fit"].min(), curve["batch_left_fit"].max()
        value = value if low <= value <= high else round(min(max(value, low), high), 1)
    try:
        front.resolve(batch_left=value)
    except ValueError:
        return None
    return value
