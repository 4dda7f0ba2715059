"""Command line: learn a front from a file, or from simulated cells, and leave everything in one folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import shutil
import warnings
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData
    from pandas import DataFrame

    from scpareto.model import ParetoVI

app = typer.Typer(
    help="Learn the whole trade-off curve between batch correction and biology.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console()
logger = logging.getLogger("scpareto")

_INTERRUPTED = 130
_CHECKPOINTS = "checkpoints"
_SHOWN = {
    "point": "point",
    "preference": "preference",
    "generative_loss_test": "generative loss",
    "{objective}_test": "{objective}",
    "leakage_mean": "leakage (mean)",
    "leakage_sample": "leakage (sample)",
    "retention": "retention",
}

Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for all results.")]
NPoints = Annotated[int, typer.Option(help="Preferences between the two extremes.")]
Method = Annotated[str | None, typer.Option(help="Solver; the recommended one unless given.")]
ObjectiveName = Annotated[str | None, typer.Option("--objective", help="What is traded against the generative loss.")]
Seed = Annotated[int, typer.Option(help="Seed of the whole run.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Empty the output folder first.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run of the same arguments.")]
MaxEpochs = Annotated[int | None, typer.Option(help="Longest training of a point, in epochs.")]
Pretrain = Annotated[int | None, typer.Option("--max-epochs-pretrain", help="Longest shared start, in epochs.")]


class UsageError(Exception):
    """Something about the arguments or the input; shown without a traceback."""


_INPUT_ERRORS = (UsageError, ValueError, KeyError, TypeError)


@app.command()
def fit(
    data: Annotated[Path, typer.Argument(help="AnnData file (.h5ad) with raw counts.")],
    batch_key: Annotated[str, typer.Option(help="Column of obs with the batches.")],
    output: Output,
    labels_key: Annotated[str | None, typer.Option(help="Column of obs with cell types; for pictures only.")] = None,
    layer: Annotated[str | None, typer.Option(help="Layer with the counts; X unless given.")] = None,
    n_points: NPoints = 10,
    method: Method = None,
    objective: ObjectiveName = None,
    seed: Seed = 0,
    max_epochs: MaxEpochs = None,
    max_epochs_pretrain: Pretrain = None,
    batch_size: Annotated[int, typer.Option(help="Cells of a minibatch.")] = 128,
    preset: Annotated[str | None, typer.Option(help="'paper' for the published recipe.")] = None,
    n_top_genes: Annotated[int, typer.Option(help="Variable genes to select, batch-aware; 0 keeps all genes.")] = 2000,
    accelerator: Annotated[str, typer.Option(help="As in Lightning: auto, cpu, gpu, ...")] = "auto",
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
    with _reported_errors():
        if not data.is_file():
            raise UsageError(f"{data} does not exist.")
        # The data are read and checked before a folder is made or emptied.
        adata = _read(data)
        counts = _variable_genes(adata, arguments)
        with _run_folder(output, arguments | {"input_sha256": _sha256(data)}, resume=resume, overwrite=overwrite):
            _learn(adata, counts, arguments, output, accelerator)


@app.command()
def demo(
    output: Output = Path("demo-output"),
    n_points: NPoints = 6,
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Learn a small front on simulated cells: three batches, six cell types, nothing to download."""
    arguments = {
        "command": "demo",
        "batch_key": "batch",
        "labels_key": "cell_type",
        "layer": None,
        "n_top_genes": 0,
        "preset": None,
        "seed": seed,
        "training": {
            "n_points": n_points,
            "method": "pareto_mtl",
            "objective": "mine",
            "max_epochs": 30,
            "max_epochs_pretrain": 80,
            "batch_size": 128,
        },
    }
    with _reported_errors(), _run_folder(output, arguments, resume=resume, overwrite=overwrite):
        from scpareto.datasets import simulate_batches

        console.print("Simulating 2,000 cells x 500 genes: 3 batches, 6 cell types, one of them in one batch only.")
        adata = simulate_batches(2000, 500, n_batches=3, n_types=6, unique_types=1, seed=seed)
        _learn(adata, adata.copy(), arguments, output, "auto")


def main() -> None:
    """Entry point of the ``scpareto`` command."""
    app()


def _learn(adata: AnnData, counts: AnnData, arguments: dict[str, Any], output: Path, accelerator: str) -> None:
    """Train on ``counts``, then write tables, pictures, data and model."""
    from scpareto._constants import latent_key
    from scpareto.model import ParetoVI

    batch_key, labels_key = arguments["batch_key"], arguments["labels_key"]
    ParetoVI.setup_anndata(counts, batch_key=batch_key, labels_key=labels_key, layer=arguments["layer"])
    model = ParetoVI(counts, preset=arguments["preset"], seed=arguments["seed"])
    try:
        model.train(**arguments["training"], checkpoint_dir=output / _CHECKPOINTS, accelerator=accelerator)
    except KeyboardInterrupt:
        if model.front is not None:
            console.print(f"Finished points: {model.front.numbers}; missing: {model.front.missing}.", highlight=False)
        raise
    front = model.front
    if front is None or not len(front):
        raise UsageError("No point could be trained; see log.txt.")
    key = latent_key("ParetoVI")
    adata.obsm[key] = model.get_latent_representation()
    adata.uns["scpareto"] = counts.uns["scpareto"]

    table = front.to_dataframe()
    table.to_csv(output / "front.csv", index=False)
    audit = [c for c in map(str, table) if c.startswith(("leakage_", "nn_")) or c in ("point", "kind", "retention")]
    table[audit].to_csv(output / "audit.csv", index=False)
    _draw(model, counts, table, [k for k in (batch_key, labels_key) if k is not None], output)
    adata.obsm["X_umap"] = counts.obsm["X_umap"]
    adata.write_h5ad(output / "adata.h5ad")
    model.save(output / "model", overwrite=True)
    console.print(_as_table(table, front.objectives[1], model.selected))
    if front.missing:
        console.print(f"[yellow]Points {front.missing} diverged and are missing; see log.txt.[/]")
    _say_what_is_there(output, subset=bool(arguments["n_top_genes"]), selected=model.selected)


def _variable_genes(adata: AnnData, arguments: dict[str, Any]) -> AnnData:
    """Copy with the batch-aware variable genes, which are also noted in ``adata.var``."""
    import scanpy as sc

    from scpareto.model._validate import check_anndata
    from scpareto.train._threads import torch_threads_kept

    n_top, layer, batch_key = arguments["n_top_genes"], arguments["layer"], arguments["batch_key"]
    labels = [] if arguments["labels_key"] is None else [arguments["labels_key"]]
    with warnings.catch_warnings():
        # The registration that follows checks once more, and its warnings are shown.
        warnings.simplefilter("ignore")
        check_anndata(
            adata,
            layer=layer,
            obs_keys={"batch_key": [batch_key], "labels_key": labels},
            batch_key=batch_key,
            labels_key=None,
            need_batches=True,
        )
    if not n_top or n_top >= adata.n_vars:
        return adata.copy()
    normalised = adata.copy()
    if layer is not None:
        normalised.X = normalised.layers[layer].copy()
    with torch_threads_kept():
        sc.pp.normalize_total(normalised, target_sum=1e4)
        sc.pp.log1p(normalised)
        sc.pp.highly_variable_genes(normalised, n_top_genes=n_top, batch_key=batch_key)
    chosen = normalised.var["highly_variable"].to_numpy()
    adata.var["highly_variable"] = chosen
    console.print(f"Selected {chosen.sum():,} of {adata.n_vars:,} genes that vary within batches (--n-top-genes).")
    subset = adata[:, chosen].copy()
    empty = subset.n_obs - int(((subset.X if layer is None else subset.layers[layer]).sum(axis=1) > 0).sum())
    if empty:
        raise UsageError(f"{empty} cells have no counts in the selected genes. Raise --n-top-genes or remove them.")
    return subset


def _draw(model: ParetoVI, counts: AnnData, table: DataFrame, keys: list[str], output: Path) -> None:
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
            model.select(point)
            codes[point] = model.get_latent_representation()
        model.select(selected)
        embeddings = pl.embed(codes, seed=model.seed)
        titles = {point: f"point {point}" + (f": {names[point]}" if point in names else "") for point in points}
        panels = pl.front_embedding(embeddings, {key: counts.obs[key] for key in keys}, titles=titles)
        panels.flat[0].figure.savefig(output / "umap.png", dpi=200, bbox_inches="tight")
        plt.close("all")
    counts.obsm["X_umap"] = embeddings[selected]


def _as_table(table: DataFrame, objective: str, selected: int | None) -> Table:
    shown = Table(title="Pareto front (test cells; losses and leakage in nats)", caption="* not dominated   > selected")
    columns = {key.format(objective=objective): title.format(objective=objective) for key, title in _SHOWN.items()}
    for title in columns.values():
        shown.add_column(title, justify="right")
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


def _say_what_is_there(output: Path, *, subset: bool, selected: int | None) -> None:
    read = 'adata[:, adata.var["highly_variable"]].copy()' if subset else "adata"
    files = "front.png, umap.png, front.csv, audit.csv, adata.h5ad, model/"
    console.print(f"Results are in [bold]{escape(str(output))}/[/]: {files}")
    # Lines of code: nothing in them is markup, and none may be wrapped.
    console.print(
        f"Point {selected} (the knee) is selected. To take another one:\n"
        "  import scanpy as sc, scpareto as sp\n"
        f'  adata = sc.read_h5ad("{output}/adata.h5ad")\n'
        f'  model = sp.model.ParetoVI.load("{output}/model", {read})\n'
        f'  model.select(0.8); adata.obsm["X_paretovi"] = model.get_latent_representation()',
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


@contextmanager
def _run_folder(output: Path, arguments: dict[str, Any], *, resume: bool, overwrite: bool) -> Iterator[None]:
    """Prepare the output folder and its log, or refuse it."""
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other.")
    record = output / "run.json"
    begun = json.loads(json.dumps(arguments))
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file, not a folder.")
    if overwrite and output.exists():
        _check_ours(output)
        shutil.rmtree(output)
    if output.exists() and any(output.iterdir()):
        if not resume:
            raise UsageError(f"{output} is not empty. Choose another --output, or use --resume or --overwrite.")
        if not record.exists():
            raise UsageError(f"{output} holds no run to go on with: run.json is missing.")
        before = json.loads(record.read_text())["arguments"]
        changed = sorted(k for k in before.keys() | begun.keys() if before.get(k) != begun.get(k))
        if changed:
            differences = "; ".join(f"{k}: {before.get(k)!r}, now {begun.get(k)!r}" for k in changed)
            raise UsageError(f"--resume needs the arguments and input of the run in {output}. Changed: {differences}.")
    output.mkdir(parents=True, exist_ok=True)
    versions = {name: version(name) for name in ("scpareto", "scvi-tools", "torch", "anndata", "scanpy", "numpy")}
    facts = {"arguments": begun, "versions": versions | {"python": platform.python_version()}}
    fresh = not record.exists()
    record.write_text(json.dumps(facts, indent=2) + "\n")
    handler = logging.FileHandler(output / "log.txt")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.info("scpareto %s: %s", versions["scpareto"], json.dumps(begun))
    refused = False
    try:
        with _warnings_noted():
            yield
        logger.info("finished")
    except BaseException as error:
        failed = isinstance(error, RuntimeError | OSError | MemoryError)
        logger.error("%s: %s", type(error).__name__, error, exc_info=failed)
        # Refused before any training: leave nothing that the corrected command would trip over.
        refused = fresh and isinstance(error, _INPUT_ERRORS) and not (output / _CHECKPOINTS).exists()
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
        if refused:
            shutil.rmtree(output)


@contextmanager
def _warnings_noted() -> Iterator[None]:
    """Write every warning to the log; show those about the user's data and arguments, not those of libraries."""
    shown: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        logger.info("%s: %s (%s:%d)", category.__name__, message, filename, lineno)
        ours = issubclass(category, UserWarning) and Path(__file__).parent in Path(filename).parents
        # The same data are checked before and after the choice of genes.
        if ours and str(message) not in shown:
            shown.add(str(message))
            console.print(f"[yellow]Warning:[/] {escape(str(message))}", highlight=False)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def _check_ours(output: Path) -> None:
    """Refuse to empty a folder that no run of ours has made."""
    if any(output.iterdir()) and not (output / "run.json").exists():
        raise UsageError(f"{output} was not made by scpareto (no run.json): --overwrite will not empty it.")


@contextmanager
def _reported_errors() -> Iterator[None]:
    """Exit codes: 1 for a failure, 2 for wrong arguments or input, 130 for an interruption."""
    try:
        yield
    except _INPUT_ERRORS as error:
        message = error.args[0] if error.args else error
        console.print(f"[bold red]Error:[/] {escape(str(message))}", highlight=False)
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        console.print("[yellow]Interrupted.[/] Finished points are kept; add --resume to go on.")
        raise typer.Exit(_INTERRUPTED) from None
    except (RuntimeError, OSError, MemoryError) as error:
        console.print(f"[bold red]Failed:[/] {escape(str(error))} (see log.txt)", highlight=False)
        raise typer.Exit(1) from error


def _read(path: Path) -> AnnData:
    import anndata

    try:
        return anndata.read_h5ad(path)
    except (OSError, KeyError) as error:
        raise UsageError(f"{path} is not a readable .h5ad file: {error}") from error


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
