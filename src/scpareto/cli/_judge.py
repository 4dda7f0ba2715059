"""The command that judges existing embeddings."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from scpareto._runtime import write_atomically
from scpareto.cli._commands import Output, Overwrite, Seed, app
from scpareto.cli._data import check_file, compute_sha256, split_names
from scpareto.cli._judge_data import open_cells
from scpareto.cli._run_folder import console, prepare_folder, report_errors
from scpareto.cli._table import SCIB, format_score

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from mudata import MuData

_COLUMNS = {
    "batch_left": "batch left (%)",
    "structure_kept": "structure kept (%)",
    "graph_mixing": "neighbours mixed (%)",
}
_TABLES = {"populations": "populations.csv", "lost": "lost.csv", "control_genes": "control_genes.csv"}


@app.command()
def judge(
    data: Annotated[Path, typer.Argument(help="File with counts and embeddings (.h5ad, .h5mu).")],
    output: Output,
    batch_key: Annotated[str, typer.Option(help="Column of obs with the batches.")],
    use_rep: Annotated[list[str] | None, typer.Option(help="Embeddings of obsm; in a .h5mu file rna:X_pca.")] = None,
    more_embeddings: Annotated[list[str] | None, typer.Argument(help="Further embeddings.", hidden=True)] = None,
    neighbors_key: Annotated[
        list[str] | None, typer.Option(help="Neighbour graphs without an embedding, repeated or by commas.")
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Layer with the counts; X unless given.")] = None,
    sample_key: Annotated[str | None, typer.Option(help="Column of obs with samples (donors).")] = None,
    labels_key: Annotated[
        str | None, typer.Option(help="Column of obs with cell types: scib-metrics, and names for populations.")
    ] = None,
    protect_key: Annotated[
        str | None, typer.Option(help="Column of obs that must survive, such as condition or disease.")
    ] = None,
    control_genes: Annotated[
        list[str] | None, typer.Option(help="Genes whose pattern must survive, repeated or by commas.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Uncorrected embedding of obsm; principal components unless given.")
    ] = None,
    used_genes: Annotated[str | None, typer.Option(help="Column of var with the genes that were used.")] = None,
    held_out: Annotated[
        str | None, typer.Option(help="Column of obs with True for cells that no training has seen.")
    ] = None,
    max_cells: Annotated[int, typer.Option(help="If there are more cells, a sample of this size is judged.")] = 50_000,
    thorough: Annotated[bool, typer.Option("--thorough", help="All probes and three resolutions.")] = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Judge embeddings: how much of the batch is left in them, and how much structure they keep."""
    arguments: dict[str, Any] = {
        "command": "judge",
        "use_rep": [*split_names(use_rep), *split_names(more_embeddings)],
        "batch_key": batch_key,
        "neighbors_key": split_names(neighbors_key),
        "layer": layer,
        "sample_key": sample_key,
        "labels_key": labels_key,
        "protect_key": protect_key,
        "control_genes": split_names(control_genes),
        "reference": reference,
        "used_genes": used_genes,
        "held_out": held_out,
        "max_cells": max_cells,
        "thorough": thorough,
        "seed": seed,
    }
    with report_errors(output):
        check_file(data)
        options = {k: v for k, v in arguments.items() if k != "command"}
        with (
            open_cells(data, max_cells=max_cells) as adata,
            prepare_folder(
                output, arguments | {"input_sha256": compute_sha256(data)}, data=data, overwrite=overwrite
            ) as place,
        ):
            written = _judge(adata, data, options, place)
        console.print(f"Results are in [bold]{escape(str(output))}/[/]: {', '.join(written)}")


def _judge(adata: AnnData | MuData, data: Path, arguments: dict[str, Any], output: Path) -> list[str]:
    """Judge, then write tables, plots and report; return the names of the files."""
    import scpareto as sp
    from scpareto.cli._judge_report import write_report

    table = sp.tl.judge(adata, arguments.pop("use_rep"), **arguments)
    record = adata.uns["scpareto"]["judge"]
    with write_atomically(output / "judge.csv") as file:
        table.to_csv(file)
    written = ["judge.csv"]
    for name, file_name in _TABLES.items():
        if name in record and len(record[name]):
            with write_atomically(output / file_name) as file:
                record[name].to_csv(file, index=False)
            written.append(file_name)
    pictures = {}
    if table[["batch_left", "structure_kept"]].notna().all(axis=1).any():
        pictures["judge"] = sp.pl.judge(table)
    if record["populations"][["batch_left", "structure_kept"]].notna().any(axis=None):
        pictures["populations"] = sp.pl.judge_populations(adata)[0]
    files = {name: output / f"{name}.png" for name in pictures}
    for name, axes in pictures.items():
        with write_atomically(files[name]) as file:
            axes.figure.savefig(file, dpi=200)
        written.append(files[name].name)
    write_report(output / "report.html", record, data.name, files)
    console.print(_make_table(table, arguments["protect_key"]))
    if "control_genes" in record:
        _print_control_genes(record["control_genes"])
    for text in (record["sentence"], record["populations_sentence"]):
        console.print(escape(text.replace(". ", ".\n")), highlight=False)
    if record["arguments"]["n_cells"] < record["arguments"]["n_cells_given"]:
        console.print(escape(str(record["notes"][0])), highlight=False)
    return [*written, "report.html"]


def _make_table(table: pd.DataFrame, protect_key: str | None) -> Table:
    """Return a table with one row per embedding, with intervals."""
    printed = Table(padding=(0, 1), pad_edge=False)
    printed.add_column("embedding", overflow="fold")
    columns = dict(_COLUMNS)
    if protect_key is not None:
        columns[f"{protect_key}_kept"] = f"{protect_key} kept (%)"
    for heading in columns.values():
        printed.add_column(heading, justify="right")
    scores = [name for name in SCIB if name in table and table[name].notna().any()]
    for column in scores:
        printed.add_column(column.replace("_", " "), justify="right")
    printed.add_column("")
    for name, row in table.iterrows():
        cells = [_format_with_interval(row, column) for column in columns] + [
            format_score(row[column]) for column in scores
        ]
        status = "recommended" if row["recommended"] else "alarm" if row["alarm"] else ""
        printed.add_row(str(name), *cells, status)
    return printed


def _print_control_genes(table: pd.DataFrame) -> None:
    """Print one line for each control gene."""
    for gene, rows in table.groupby("gene", sort=False):
        parts = [f"{row['embedding']} {_format_kept(row)}" for _, row in rows.iterrows()]
        console.print(f"Control gene {gene}, pattern kept: {', '.join(parts)}.", markup=False, highlight=False)


def _format_kept(row: pd.Series) -> str:
    text = f"{row['kept']:.0f} %" if row["kept"] == row["kept"] else "unknown"
    return f"{text} (lost)" if row["alarm"] else text


def _format_with_interval(row: pd.Series, column: str) -> str:
    if column not in row or row[column] != row[column]:
        return ""
    low, high = (row.get(f"{column}_{end}", float("nan")) for end in ("low", "high"))
    return f"{row[column] + 0.0:.0f}" + (f" ({low:.0f} to {high:.0f})" if low == low else "")
