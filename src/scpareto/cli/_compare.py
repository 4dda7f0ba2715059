"""The command that compares integration methods with a front."""

from __future__ import annotations

import warnings
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from scpareto._runtime import write_atomically
from scpareto.cli._commands import Output, Overwrite, Resume, app
from scpareto.cli._data import (
    check_data,
    check_file,
    check_options,
    compute_sha256,
    keep_variable_genes,
    read_h5ad,
    split_names,
)
from scpareto.cli._run_folder import console, prepare_folder, report_errors

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {
    "leakage_mean": "leakage",
    "retention": "retention",
    "scib_batch": "batch",
    "scib_bio": "bio",
    "scib_total": "total",
    "seconds": "seconds",
}
_EPOCHS_OPTION = "max_epochs"
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
"""Names for the help, written here so that the help needs no import of the register; a test compares them."""


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
    sweeps: Annotated[bool, typer.Option("--sweeps", help="Vary the knob of every method that has one.")] = False,
    max_epochs: Annotated[
        int | None,
        typer.Option(help="Longest training, in epochs; the points of a front get half of them, after a shared start."),
    ] = None,
    n_points: Annotated[int, typer.Option(help="Points of the front, its two extremes included.")] = 12,
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
        "methods": split_names(methods),
        "seeds": seeds,
        "sweeps": sweeps,
        "max_epochs": max_epochs,
        "n_points": n_points,
        "n_top_genes": n_top_genes,
    }
    with report_errors(output, resumes=True):
        training = {"n_points": n_points, "max_epochs": max_epochs}
        check_options({"n_top_genes": n_top_genes, "preset": None, "seed": None, "training": training})
        check_file(data)
        adata_all_genes = read_h5ad(data)
        messages = check_data(adata_all_genes, arguments)
        adata = keep_variable_genes(adata_all_genes, arguments)
        del adata_all_genes  # frees the memory of the other genes
        record = arguments | {"input_sha256": compute_sha256(data)}
        with prepare_folder(output, record, data=data, resume=resume, overwrite=overwrite) as place:
            for message in messages:
                warnings.warn(message, UserWarning, stacklevel=1)
            _compare(adata, arguments, place)
        console.print(f"Results are in [bold]{escape(str(output))}/[/]: benchmark.csv, benchmark.png")


def _compare(adata: Any, arguments: dict[str, Any], output: Path) -> None:
    """Run everything that has not finished yet, then write table and plot."""
    import importlib.util

    from scpareto.bench import Benchmark

    scib = importlib.util.find_spec("scib_metrics") is not None
    if arguments["labels_key"] is not None and not scib:
        console.print("scib-metrics is not installed: its scores are left out (pip install scib-metrics).")
    methods = arguments["methods"] or None
    bench = Benchmark(
        adata,
        batch_key=arguments["batch_key"],
        labels_key=arguments["labels_key"],
        layer=arguments["layer"],
        methods=methods,
        seeds=arguments["seeds"],
        sweeps=arguments["sweeps"],
        options=_options(methods, arguments),
        scib=scib,
        path=output / "benchmark.csv",
        check=False,  # check_data has checked all genes before
    )
    bench.run()
    table = bench.to_dataframe()
    console.print(_make_table(table))
    for _, row in table[table["status"] == "failed"].iterrows():
        console.print(f"[red]{row['method']} {escape(row['setting'])} failed:[/] {escape(row['reason'])}")
    if (table["status"] == "finished").sum() == 0:
        raise RuntimeError("no method has finished.")
    _draw(bench, table, output)


def _options(methods: list[str] | None, arguments: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return options of the methods that train networks, and of the front."""
    import inspect

    from scpareto.bench import get_method, select_methods

    epochs = arguments["max_epochs"]
    options: dict[str, dict[str, Any]] = {}
    for name in select_methods(methods, labels=arguments["labels_key"] is not None):
        method = get_method(name)
        if method.returns == "front":
            options[name] = {"n_points": arguments["n_points"]}
            if epochs is not None:
                options[name] |= {_EPOCHS_OPTION: epochs + max(1, epochs // 2), "max_epochs_pretrain": epochs}
        elif epochs is not None and _EPOCHS_OPTION in inspect.signature(method.run).parameters:
            options[name] = {_EPOCHS_OPTION: epochs}
    return options


def _make_table(table: pd.DataFrame) -> Table:
    """Return a table with one row per method, setting and point, averaged over seeds; failed methods are marked."""
    printed = Table(title="Integration methods (test cells; leakage in nats)", padding=(0, 1), pad_edge=False)
    printed.add_column("method", overflow="fold")
    columns = {key: heading for key, heading in _COLUMNS.items() if key in table and table[key].notna().any()}
    for heading in columns.values():
        printed.add_column(heading, justify="right")
    for (method, setting, point), rows in table.groupby(["method", "setting", "point"], sort=False, dropna=False):
        name = f"{method} {setting}".strip() + ("" if point != point else f", point {point:.0f}")
        finished_rows = rows[rows["status"] == "finished"]
        if finished_rows.empty:
            printed.add_row(name, "failed", *[""] * (len(columns) - 1), style="red")
            continue
        values = [float(finished_rows[key].mean()) for key in columns]
        cells = [
            "" if value != value else f"{value:.1f}" if key == "seconds" else f"{value:.3f}"
            for key, value in zip(columns, values, strict=True)
        ]
        printed.add_row(name, *cells)
    return printed


def _draw(bench: Any, table: pd.DataFrame, output: Path) -> None:
    """Plot leakage and retention, and with labels also the two aggregates of scib-metrics."""
    import matplotlib.pyplot as plt

    planes = [("leakage_mean", "retention"), ("scib_batch", "scib_bio")]
    planes = [plane for plane in planes if all(column in table and table[column].notna().any() for column in plane)]
    figure, axes = plt.subplots(1, len(planes), figsize=(5.2 * len(planes), 4.4), squeeze=False, layout="constrained")
    for ax, (x, y) in zip(axes[0], planes, strict=True):
        bench.plot(x=x, y=y, ax=ax)
    with write_atomically(output / "benchmark.png") as file:
        figure.savefig(file, dpi=200)
    plt.close(figure)
