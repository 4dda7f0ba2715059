"""The commands that learn a front from a file or from simulated cells, audit it and explore it."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scpareto._runtime import write_atomically, write_hdf5_atomically
from scpareto.cli._data import (
    check_data,
    check_file,
    check_options,
    check_writable,
    compute_sha256,
    keep_variable_genes,
    read_h5ad,
    split_names,
)
from scpareto.cli._processes import get_trainer_arguments, start_other_processes
from scpareto.cli._results import draw_results, print_control_genes, print_files, print_recommendation
from scpareto.cli._run_folder import CHECKPOINTS, UsageError, console, prepare_folder, report_errors
from scpareto.cli._short_errors import ShortErrorGroup
from scpareto.cli._table import make_table

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from scpareto.model import ParetoVI


app = typer.Typer(
    cls=ShortErrorGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for all results.")]
NPoints = Annotated[int, typer.Option(help="Points of the front, its two extremes included.")]
METHODS = ("conditional", "epo", "mgda", "pareto_mtl", "scalarization", "tchebycheff")
OBJECTIVES = (
    "classifier",
    "deep_clustering",
    "hsic",
    "mine",
    "mine_exact",
    "mmd",
    "mmd_unbiased",
    "prior_divergence",
    "smile",
    "total_correlation",
)
"""Names for the help, written here so that the help needs no import of the registers; a test compares them."""
Method = Annotated[
    str | None, typer.Option(help=f"Solver; the recommended one unless given. One of {', '.join(METHODS)}.")
]
ObjectiveName = Annotated[
    str | None,
    typer.Option(
        "--objective",
        help=f"What is traded against the generative loss; classifier unless given. One of {', '.join(OBJECTIVES)}.",
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of the whole run.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an earlier run in the folder once this one is finished.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run with the same arguments.")]
MaxEpochs = Annotated[int | None, typer.Option(help="Longest training of one model in epochs, shared start included.")]
Pretrain = Annotated[int | None, typer.Option("--max-epochs-pretrain", help="Epochs of the shared start among these.")]


def _print_version(requested: bool) -> None:
    if requested:
        print(f"scpareto {version('scpareto')}")
        raise typer.Exit


@app.callback()
def scpareto(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Learn the whole trade-off curve between batch correction and biology."""


@app.command()
def fit(
    data: Annotated[Path, typer.Argument(help="AnnData file (.h5ad) with raw counts.")],
    batch_key: Annotated[str, typer.Option(help="Column of obs with the batches.")],
    output: Output,
    labels_key: Annotated[str | None, typer.Option(help="Column of obs with cell types; for pictures only.")] = None,
    layer: Annotated[str | None, typer.Option(help="Layer with the counts; X unless given.")] = None,
    n_points: NPoints = 12,
    method: Method = None,
    objective: ObjectiveName = None,
    seed: Seed = 0,
    max_epochs: MaxEpochs = None,
    max_epochs_pretrain: Pretrain = None,
    batch_size: Annotated[int, typer.Option(help="Cells of a minibatch.")] = 128,
    preset: Annotated[str | None, typer.Option(help="'paper' for the published recipe.")] = None,
    n_top_genes: Annotated[int, typer.Option(help="Variable genes to select, batch-aware; 0 keeps all genes.")] = 2000,
    control_genes: Annotated[
        list[str] | None,
        typer.Option(
            help="Genes whose pattern must survive, repeated or separated by commas; selected in any case, and judged."
        ),
    ] = None,
    accelerator: Annotated[str, typer.Option(help="As in Lightning: auto, cpu, gpu, cuda, mps, tpu.")] = "auto",
    devices: Annotated[
        int, typer.Option(help="Devices of this machine that train together, --batch-size cells on each (DDP).", min=1)
    ] = 1,
    num_nodes: Annotated[
        int, typer.Option(help="Machines that train together; a scheduler starts the command on each.", min=1)
    ] = 1,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Learn the Pareto front of a dataset."""
    arguments = {
        "command": "fit",
        "batch_key": batch_key,
        "labels_key": labels_key,
        "layer": layer,
        "n_top_genes": n_top_genes,
        "control_genes": list(dict.fromkeys(split_names(control_genes))),
        "preset": preset,
        "seed": seed,
        "training": {
            "n_points": n_points,
            "method": method,
            "objective": objective,
            "max_epochs": max_epochs,
            "max_epochs_pretrain": max_epochs_pretrain,
            "batch_size": batch_size,
        },
    }
    with report_errors(output, resumes=True):
        trainer = get_trainer_arguments(accelerator, devices, num_nodes, overwrite=overwrite)
        check_options(arguments)
        check_file(data)
        # Read and check the data before a folder is made or emptied.
        adata = read_h5ad(data)
        check_data(adata, arguments)  # warnings are ignored here, because setup_anndata checks and warns again
        check_writable(adata)
        counts = keep_variable_genes(adata, arguments)
        record = arguments | {"input_sha256": compute_sha256(data)}
        folder = prepare_folder(output, record, data=data, resume=resume, overwrite=overwrite)
        with folder as place, start_other_processes(devices):
            model = _learn(adata, counts, arguments, place, trainer)
        print_files(output, model, subset=counts.n_vars < adata.n_vars)


@app.command()
def demo(
    output: Output = Path("demo-output"),
    n_points: NPoints = 8,
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Learn a small front on simulated cells: three batches, six cell types, nothing to download."""
    arguments: dict[str, Any] = {
        "command": "demo",
        "batch_key": "batch",
        "labels_key": "cell_type",
        "layer": None,
        "n_top_genes": 0,
        "control_genes": [],
        "preset": None,
        "seed": seed,
        "training": {
            "n_points": n_points,
            "method": "conditional",
            "objective": "classifier",
            "max_epochs": 160,
            "max_epochs_pretrain": 80,
            "batch_size": 128,
        },
    }
    with report_errors(output, resumes=True):
        check_options(arguments)
        with prepare_folder(output, arguments, resume=resume, overwrite=overwrite) as place:
            model = _demo(arguments, place)
        print_files(output, model, subset=False)


@app.command()
def explore(
    results: Annotated[Path, typer.Argument(help="Folder written by fit or demo.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; front.html in the folder unless given.")
    ] = None,
    color: Annotated[
        list[str] | None, typer.Option(help="Further columns of obs, repeated or separated by commas.")
    ] = None,
    genes: Annotated[list[str] | None, typer.Option(help="Genes, repeated or separated by commas.")] = None,
    max_cells: Annotated[int, typer.Option(help="Largest number of cells; batches keep their shares.")] = 50_000,
    seed: Seed = 0,
) -> None:
    """Write one interactive page in which a slider moves the cells along the front."""
    with report_errors():
        from scpareto import pl

        if output is not None and output.exists() and output.suffix.lower() not in (".html", ".htm"):
            raise UsageError(f"{output} exists and is no .html page; it is not overwritten. Choose another --output.")
        adata, model, arguments = read_finished_run(results)
        columns = [arguments["batch_key"], arguments["labels_key"], *split_names(color)]
        with console.status("Embedding the cells at every point"):
            page = pl.explorer(
                adata,
                model,
                results / "front.html" if output is None else output,
                color=[column for column in columns if column is not None],
                genes=split_names(genes),
                batch_key=arguments["batch_key"],
                layer=arguments["layer"],
                max_cells=max_cells,
                seed=seed,
            )
        size = page.stat().st_size / 1e6
        console.print(f"Open {page} in a browser ({size:.1f} MB, needs no network).", markup=False, soft_wrap=True)


@app.command()
def audit(
    results: Annotated[Path, typer.Argument(help="Folder written by fit or demo.")],
    labels_key: Annotated[str | None, typer.Option(help="Column of obs with cell types; that of fit if none.")] = None,
    control_genes: Annotated[
        list[str] | None,
        typer.Option(help="Genes whose pattern must survive, repeated or separated by commas; those of fit if none."),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Judge every point of a finished run again, with labels and control genes, and recommend one."""
    with report_errors():
        _, model, arguments = read_finished_run(results)
        labels_key = labels_key or arguments["labels_key"]
        genes = split_names(control_genes) or arguments.get("control_genes", [])
        table = model.audit(labels_key, control_genes=genes, seed=seed)
        model.save(results / "model", overwrite=True)
        _write_tables(table, results)
        draw_results(model, model.adata, [k for k in (arguments["batch_key"], labels_key) if k is not None], results)
        front = model.front
        assert front is not None  # it was just audited
        console.print(make_table(front, model.selected))
        print_control_genes(front)
        console.print(front.explain(), markup=False, highlight=False)
        console.print("front.png and umap.png are drawn anew.", highlight=False)
        console.print(f"{results / 'audit.csv'} and the model hold all columns.", markup=False, soft_wrap=True)


def main() -> None:
    """Entry point of the ``scpareto`` command.

    Examples
    --------
    The message for a file that does not exist:

    >>> from typer.testing import CliRunner
    >>> from scpareto.cli import app
    >>> result = CliRunner().invoke(app, ["fit", "absent.h5ad", "--batch-key", "batch", "--output", "results"])
    >>> result.exit_code, "absent.h5ad does not exist." in result.output
    (2, True)
    """
    app()


def _demo(arguments: dict[str, Any], output: Path) -> ParetoVI:
    """Simulate cells and learn their front."""
    from scpareto.datasets import simulate_batches

    console.print("Simulating 2,000 cells x 500 genes: 3 batches, 6 cell types, one of them in one batch only.")
    seed = arguments["seed"]
    adata = simulate_batches(
        2000, 500, n_batches=3, n_types=6, unique_types=1, batch_strength=2.0, type_strength=1.3, seed=seed
    )
    return _learn(adata, adata.copy(), arguments, output, {})


def _learn(
    adata: AnnData, counts: AnnData, arguments: dict[str, Any], output: Path, trainer: dict[str, Any]
) -> ParetoVI:
    """Train on ``counts``, then write tables, plots, data and model; of several processes only the first one writes."""
    from scpareto._constants import latent_key
    from scpareto._runtime import is_first_process
    from scpareto.model import ParetoVI

    batch_key, labels_key = arguments["batch_key"], arguments["labels_key"]
    ParetoVI.setup_anndata(counts, batch_key=batch_key, labels_key=labels_key, layer=arguments["layer"])
    model = ParetoVI(counts, preset=arguments["preset"], seed=arguments["seed"])
    try:
        model.train(**arguments["training"], checkpoint_dir=output / CHECKPOINTS, **trainer)
    except KeyboardInterrupt:
        if model.front is not None:
            console.print(f"Finished points: {model.front.numbers}; missing: {model.front.missing}.", highlight=False)
        raise
    front = model.front
    if front is None or not len(front):
        raise UsageError("No point could be trained; see log.txt.")
    if not is_first_process():
        raise typer.Exit
    if arguments["control_genes"]:
        model.audit(control_genes=arguments["control_genes"])
    key = latent_key("ParetoVI")
    adata.obsm[key] = model.get_latent_representation()
    adata.uns["scpareto"] = counts.uns["scpareto"]

    table = front.to_dataframe()
    _write_tables(table, output)
    model.save(output / "model", overwrite=True)
    draw_results(model, counts, [k for k in (batch_key, labels_key) if k is not None], output)
    adata.obsm["X_umap"] = counts.obsm["X_umap"]
    adata.strings_to_categoricals()  # as adata.write_h5ad does
    from anndata import io

    with write_hdf5_atomically(output / "adata.h5ad") as file:
        io.write_elem(file, "/", adata)
    console.print(make_table(front, model.selected))
    print_control_genes(front)
    if front.missing:
        console.print(f"[yellow]Points {front.missing} diverged and are missing; see log.txt.[/]")
    print_recommendation(front)
    return model


def _write_tables(table: pd.DataFrame, output: Path) -> None:
    """Write the whole table, and a table of the audit columns."""
    with write_atomically(output / "front.csv") as file:
        table.to_csv(file, index=False)
    losses = tuple(f"_{split}" for split in ("train", "validation", "test"))
    audit_columns = [c for c in map(str, table) if not c.endswith(losses) and not c.startswith("preference_")]
    written_columns = [c for c in audit_columns if c not in ("non_dominated", "seed", "n_epochs")]
    with write_atomically(output / "audit.csv") as file:
        table[written_columns].to_csv(file, index=False)


def read_finished_run(results: Path) -> tuple[AnnData, ParetoVI, dict[str, Any]]:
    """Read data, model and arguments of a finished run."""
    from scpareto.model import ParetoVI

    missing = [name for name in ("run.json", "adata.h5ad", "model") if not (results / name).exists()]
    if missing:
        raise UsageError(f"{results} holds no finished run: {', '.join(missing)} missing.")
    arguments = json.loads((results / "run.json").read_text())["arguments"]
    adata = read_h5ad(results / "adata.h5ad")
    n_top = arguments["n_top_genes"]
    genes = adata.var["highly_variable"].to_numpy() if n_top and n_top < adata.n_vars else slice(None)
    return adata, ParetoVI.load(results / "model", adata[:, genes].copy()), arguments
