"""What a finished run draws and prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from scpareto.cli._run_folder import console

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from pandas import DataFrame

    from scpareto.model import ParetoVI

_SHOWN = {
    "point": "point",
    "preference": "preference",
    "generative_loss_test": "generative loss",
    "{objective}_test": "{objective}",
    "leakage_mean": "leakage (mean)",
    "leakage_sample": "leakage (sample)",
    "retention": "retention",
    "alarm": "alarm",
}


def draw(model: ParetoVI, counts: AnnData, table: DataFrame, keys: list[str], output: Path) -> None:
    """Front, and UMAPs of the uncorrected, the selected and the strongest point."""
    import matplotlib.pyplot as plt

    from scpareto import pl

    selected = model.selected
    assert selected is not None  # a trained model always has a selected point
    names = {table["point"].iloc[0]: "uncorrected", table["point"].iloc[-1]: "strongest", selected: "selected"}
    points = sorted(int(point) for point in names)
    if len(points) < 3:
        # The knee is an extreme: show the middle of the front beside the two ends.
        points = sorted({*points, int(table["point"].iloc[len(table) // 2])})
    with console.status("Drawing"):
        axes = pl.front_panels(table, selected=selected)
        axes[0].figure.savefig(output / "front.png", dpi=200, bbox_inches="tight")
        codes = {}
        for point in points:
            with model.at(point):
                codes[point] = model.get_latent_representation()
        embeddings = pl.embed(codes, seed=model.seed)
        titles = {point: f"point {point}" + (f": {names[point]}" if point in names else "") for point in points}
        panels = pl.front_embedding(embeddings, {key: counts.obs[key] for key in keys}, titles=titles)
        panels.flat[0].figure.savefig(output / "umap.png", dpi=200, bbox_inches="tight")
        plt.close("all")
    counts.obsm["X_umap"] = embeddings[selected]


def as_table(table: DataFrame, objective: str, selected: int | None) -> Table:
    title = "Pareto front (test cells; losses and leakage in nats)"
    # Narrow padding, so that the longest names of objectives fit into 80 columns.
    shown = Table(title=title, caption="* not dominated   > selected", padding=(0, 0), pad_edge=False)
    columns = {key.format(objective=objective): title.format(objective=objective) for key, title in _SHOWN.items()}
    for heading in columns.values():
        shown.add_column(heading, justify="right", overflow="fold")
    for _, row in table.iterrows():
        cells = []
        for key in columns:
            if key == "point":
                mark = (">" if row["point"] == selected else "") + ("*" if row["non_dominated"] else "")
                cells.append(f"{mark} {row['point']}")
            else:
                value = row[f"preference_{objective}" if key == "preference" else key]
                cells.append(f"{value:.1f}" if key.startswith("generative") else f"{value:.3f}")
        shown.add_row(*cells, style="bold" if row["point"] == selected else None)
    return shown


def say_what_is_there(output: Path, *, subset: bool, selected: int | None) -> None:
    read = 'adata[:, adata.var["highly_variable"]].copy()' if subset else "adata"
    files = "front.png, umap.png, front.csv, audit.csv, adata.h5ad, model/"
    console.print(f"Results are in [bold]{escape(str(output))}/[/]: {files}")
    # Lines of code: nothing in them is markup, and none may be wrapped.
    console.print(
        f"Point {selected} (the knee) is selected. To take another one:\n"
        "  import scanpy as sc, scpareto as sp\n"
        f'  adata = sc.read_h5ad("{output}/adata.h5ad")\n'
        f'  model = sp.model.ParetoVI.load("{output}/model", {read})\n'
        f'  model.select(preference=0.8); adata.obsm["X_paretovi"] = model.get_latent_representation()',
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
