"""The command that tests which findings hold at every strength of correction."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from scpareto._runtime import write_atomically, write_hdf5_atomically
from scpareto.cli._commands import Seed, app, read_finished_run
from scpareto.cli._data import split_names
from scpareto.cli._run_folder import console, report_errors

if TYPE_CHECKING:
    import pandas as pd

_TABLES = {
    "findings": "survives.csv",
    "findings_by_point": "survives_by_point.csv",
    "clusters": "survives_clusters.csv",
}
_HEADINGS = ("robust", "fragile", "only beyond the alarm")


@app.command()
def survives(
    results: Annotated[Path, typer.Argument(help="Folder written by fit or demo.")],
    groupby: Annotated[
        str | None, typer.Option(help="Column of obs with cell types; clusters, by number, if none.")
    ] = None,
    contrast: Annotated[
        str | None, typer.Option(help="Column, first and second level by commas, such as condition,stim,ctrl.")
    ] = None,
    sample_key: Annotated[str | None, typer.Option(help="Column of obs with samples, the replicates.")] = None,
    block_key: Annotated[str | None, typer.Option(help="Column that pairs samples of both levels: donors.")] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(help="Of clusters, labels, markers, expression, abundance; all that is possible if none."),
    ] = None,
    resolution: Annotated[float, typer.Option(help="Resolution of the Leiden clustering.")] = 1.0,
    test: Annotated[str, typer.Option(help="moderated_t or deseq2.")] = "moderated_t",
    fdr: Annotated[float, typer.Option(help="False discovery rate at each point and in each group.")] = 0.05,
    seed: Seed = 0,
) -> None:
    """Say which clusters, markers and shifts hold at every strength of correction of a finished run."""
    with report_errors():
        from anndata import io

        import scpareto as sp

        adata, model, arguments = read_finished_run(results)
        sp.tl.survives(
            model,
            adata,
            groupby=groupby,
            contrast=None if contrast is None else split_names([contrast]),
            sample_key=sample_key,
            block_key=block_key,
            batch_key=arguments["batch_key"],
            layer=arguments["layer"],
            kinds=split_names(kinds) or None,
            resolution=resolution,
            test=test,
            fdr=fdr,
            seed=seed,
        )
        record = adata.uns["scpareto"]["survives"]
        for name, file_name in _TABLES.items():
            with write_atomically(results / file_name) as file:
                record[name].to_csv(file, index=False)
        with write_atomically(results / "survives.txt") as file:
            file.write_text(f"{record['sentence']}\n\n{record['methods']}\n", encoding="utf-8")
        # `explore` reads the record from this file.
        with write_hdf5_atomically(results / "adata.h5ad") as file:
            io.write_elem(file, "/", adata)
        written = [*_TABLES.values(), "survives.txt"]
        if len(record["findings"]):
            sp.pl.survives(adata, save=results / "survives.png")
            written.append("survives.png")
        console.print(_make_table(record["findings"], record["clusters"]))
        console.print(record["sentence"], markup=False, highlight=False)
        console.print(f"{', '.join(written)} are in {results}.", markup=False, highlight=False, soft_wrap=True)


def _make_table(findings: pd.DataFrame, clusters: pd.DataFrame) -> Table:
    """Return a table with one row per kind of finding: the number of each call."""
    printed = Table(title="Findings along the front", padding=(0, 1), pad_edge=False)
    printed.add_column("kind")
    for heading in _HEADINGS:
        printed.add_column(heading, justify="right")
    for kind, rows in [("clusters", clusters), *findings.groupby("kind", sort=False)]:
        counts = rows["call"].value_counts()
        printed.add_row(str(kind), *(str(counts.get(heading, 0)) for heading in _HEADINGS))
    return printed
