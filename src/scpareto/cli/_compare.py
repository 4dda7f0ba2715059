"""The command that puts other integration methods beside a front."""

from __future__ import annotations

import warnings
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from scpareto._runtime import write_atomically
from scpareto.cli._commands import Output, Overwrite, Resume, app
from scpareto.cli._data import check_data, check_file, check_options, names, read, sha256, variable_genes
from scpareto.cli._run_folder import console, reported_errors, run_folder

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = {
    "leakage_mean": "leakage",
    "retention": "retention",
    "scib_batch": "batch",
    "scib_bio": "bio",
    "scib_total": "total",
    "seconds": "seconds",
}
_TRAINED = "max_epochs"
INTEGRATORS = (
    "combat",
    "desc",
    "fastmnn",
    "harmony",
    "harmony_ridge",
    "mnn",
    "paretovi",
    "pca",
    "saucie_mmd",
    "scanorama",
    "scanvi",
    "scdeepcluster",
    "scvi",
    "scvi_hsic",
    "scvi_mmd",
    "sczidesk",
    "seurat_cca",
    "sysvi",
)
"""Names that the help lists, which is to be there before the register is imported; a test compares them."""


@app.command()
def compare(
    data: Annotated[Path, typer.Argument(help="AnnData file (.h5ad) with raw counts.")],
    batch_key: Annotated[str, typer.Option(help="Column of obs with the batches.")],
    output: Output,
    labels_key: Annotated[str | None, typer.Option(help="Column of obs with cell types; adds their scores.")] = None,
    layer: Annotated[str | None, typer.Option(help="Layer with the counts; X unless given.")] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            help="Methods, repeated or separated by commas; all that are installed if none. "
            f"Of {', '.join(INTEGRATORS)}."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Splits and initial weights.")] = 1,
    sweeps: Annotated[bool, typer.Option("--sweeps", help="Turn the knob of every method that has one.")] = False,
    max_epochs: Annotated[
        int | None,
        typer.Option(help="Longest training, in epochs; the points of a front get half of them, after a shared start."),
    ] = None,
    n_points: Annotated[int, typer.Option(help="Points of the front, its two ends included.")] = 12,
    n_top_genes: Annotated[int, typer.Option(help="Variable genes to select, batch-aware; 0 keeps all genes.")] = 2000,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Compare popular integration methods with a front, on the same cells and by the same judge."""
    arguments: dict[str, Any] = {
        "command": "compare",
        "batch_key": batch_key,
        "labels_key": labels_key,
        "layer": layer,
        "methods": names(methods),
        "seeds": seeds,
        "sweeps": sweeps,
        "max_epochs": max_epochs,
        "n_points": n_points,
        "n_top_genes": n_top_genes,
    }
    with reported_errors(output, resumes=True):
        training = {"n_points": n_points, "max_epochs": max_epochs}
        check_options({"n_top_genes": n_top_genes, "preset": None, "seed": None, "training": training})
        check_file(data)
        everything = read(data)
        doubts = check_data(everything, arguments)
        adata = variable_genes(everything, arguments)
        del everything  # the genes that are left out
        facts = arguments | {"input_sha256": sha256(data)}
        with run_folder(output, facts, data=data, resume=resume, overwrite=overwrite) as place:
            for doubt in doubts:
                warnings.warn(doubt, UserWarning, stacklevel=1)
            _compare(adata, arguments, place)
        console.print(f"Results are in [bold]{escape(str(output))}/[/]: benchmark.csv, benchmark.png")


def _compare(adata: Any, arguments: dict[str, Any], output: Path) -> None:
    """Run what is missing, then write table and picture."""
    import importlib.util

    from scpareto.bench import Benchmark

    scib = importlib.util.find_spec("scib_metrics") is not None
    if arguments["labels_key"] is not None and not scib:
        console.print("scib-metrics is not installed: its scores are left out (pip install scib-metrics).")
    chosen = arguments["methods"] or None
    bench = Benchmark(
        adata,
        batch_key=arguments["batch_key"],
        labels_key=arguments["labels_key"],
        layer=arguments["layer"],
        methods=chosen,
        seeds=arguments["seeds"],
        sweeps=arguments["sweeps"],
        options=_options(chosen, arguments),
        scib=scib,
        path=output / "benchmark.csv",
        check=False,  # the whole data have been
    )
    bench.run()
    table = bench.to_dataframe()
    console.print(_as_table(table))
    for _, row in table[table["status"] == "failed"].iterrows():
        console.print(f"[red]{row['method']} {escape(row['setting'])} failed:[/] {escape(row['reason'])}")
    if (table["status"] == "finished").sum() == 0:
        raise RuntimeError("no method has finished.")
    _draw(bench, table, output)


def _options(chosen: list[str] | None, arguments: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Options of the methods that train networks, and of the front."""
    import inspect

    from scpareto.bench import get_method, select_methods

    epochs = arguments["max_epochs"]
    options: dict[str, dict[str, Any]] = {}
    for name in select_methods(chosen, labels=arguments["labels_key"] is not None):
        method = get_method(name)
        if method.returns == "front":
            options[name] = {"n_points": arguments["n_points"]}
            if epochs is not None:
                options[name] |= {_TRAINED: epochs + max(1, epochs // 2), "max_epochs_pretrain": epochs}
        elif epochs is not None and _TRAINED in inspect.signature(method.run).parameters:
            options[name] = {_TRAINED: epochs}
    return options


def _as_table(table: pd.DataFrame) -> Table:
    """One line per method, setting and point, means over seeds; failed methods say so."""
    shown = Table(title="Integration methods (test cells; leakage in nats)", padding=(0, 1), pad_edge=False)
    shown.add_column("method", overflow="fold")
    columns = {key: heading for key, heading in _SHOWN.items() if key in table and table[key].notna().any()}
    for heading in columns.values():
        shown.add_column(heading, justify="right")
    for (method, setting, point), rows in table.groupby(["method", "setting", "point"], sort=False, dropna=False):
        name = f"{method} {setting}".strip() + ("" if point != point else f", point {point:.0f}")
        own = rows[rows["status"] == "finished"]
        if own.empty:
            shown.add_row(name, "failed", *[""] * (len(columns) - 1), style="red")
            continue
        values = [float(own[key].mean()) for key in columns]
        cells = [
            "" if value != value else f"{value:.1f}" if key == "seconds" else f"{value:.3f}"
            for key, value in zip(columns, values, strict=True)
        ]
        shown.add_row(name, *cells)
    return shown


def _draw(bench: Any, table: pd.DataFrame, output: Path) -> None:
    """Leakage and retention, and beside them the two aggregates of scib-metrics where there are labels."""
    import matplotlib.pyplot as plt

    planes = [("leakage_mean", "retention"), ("scib_batch", "scib_bio")]
    planes = [p for p in planes if all(c in table and table[c].notna().any() for c in p)]
    figure, axes = plt.subplots(1, len(planes), figsize=(5.2 * len(planes), 4.4), squeeze=False, layout="constrained")
    for ax, (x, y) in zip(axes[0], planes, strict=True):
        bench.plot(x=x, y=y, ax=ax)
    with write_atomically(output / "benchmark.png") as file:
        figure.savefig(file, dpi=200)
    plt.close(figure)
