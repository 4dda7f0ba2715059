"""Further cases, tried once the gates stood."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fault_cases._cases import CLI_SHORT, case, cells, cli_refused, cli_runs, command, finite, paretovi, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData


def _file(folder: Path, adata: AnnData | None = None) -> Path:
    path = folder / "cells.h5ad"
    (cells() if adata is None else adata).write_h5ad(path)
    return path


def _fit(folder: Path, adata: AnnData | None = None, *options: Any) -> list[Any]:
    return ["fit", _file(folder, adata), "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out", *options]


def _process(arguments: list[Any], **options: Any) -> subprocess.CompletedProcess[str]:
    environment = os.environ | options.pop("environment", {})
    line = [sys.executable, "-m", "scpareto.cli", *map(str, arguments)]
    return subprocess.run(line, stderr=subprocess.STDOUT, text=True, timeout=200, env=environment, **options)


@case("work", "what fit prints has nowhere to go: the disk of the terminal is full")
def _full_terminal(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        _process(_fit(folder), stdout=full)
    assert (folder / "out" / "adata.h5ad").exists(), "the work is lost"
    assert not (folder / "out" / "unfinished").exists()


@case("work", "what fit prints is read by a pipe that closes")
def _closed_pipe(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        _process(_fit(folder), stdout=closed)
    assert (folder / "out" / "adata.h5ad").exists(), "the work is lost"


@case("crashes", "fit where the terminal takes ASCII only, with batches and a folder in Greek")
def _ascii(folder: Path) -> None:
    adata = cells()
    adata.obs["batch"] = np.where(np.arange(120) % 2, "α", "β")
    arguments = [*_fit(folder, adata)[:-1], folder / "λόγος"]
    result = _process(arguments, stdout=subprocess.PIPE, environment={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert result.returncode == 0, result.stdout[-300:]


@case("crashes", "a refusal where the terminal takes ASCII only")
def _ascii_refusal(folder: Path) -> None:
    arguments = _fit(folder, None, "--labels-key", "τύπος")
    result = _process(arguments, stdout=subprocess.PIPE, environment={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert result.returncode == 2, result.stdout[-300:]
    assert "Traceback" not in result.stdout, result.stdout[-300:]


@case("work", "a page of the explorer over the cells of the run")
def _over_cells(folder: Path) -> None:
    cli_runs(*_fit(folder))
    out = folder / "out"
    before = (out / "adata.h5ad").read_bytes()
    cli_refused(folder, "adata.h5ad", arguments=["explore", out, "--output", out / "adata.h5ad"])
    assert (out / "adata.h5ad").read_bytes() == before, "the cells are lost"


@case("work", "two runs into one folder: the second one is refused")
def _twice(folder: Path) -> None:
    cli_runs(*_fit(folder))
    cli_refused(folder, "not empty", "--resume", arguments=_fit(folder))


def _spoilt(change: Callable[[AnnData], Any]) -> AnnData:
    adata = cells()
    change(adata)
    return adata


def _left_by_scvi(adata: AnnData) -> None:
    import scvi

    scvi.model.SCVI.setup_anndata(adata, batch_key="batch")


_KEPT: dict[str, Callable[[AnnData], Any]] = {
    "what scvi-tools left in them": _left_by_scvi,
    "text in uns['scpareto']": lambda a: a.uns.update(scpareto="mine"),
    "text in uns['scpareto']['paretovi']": lambda a: a.uns.update(scpareto={"paretovi": "mine"}),
    "a column highly_variable of text": lambda a: a.var.insert(0, "highly_variable", "no"),
    "an obsm X_paretovi of another width": lambda a: a.obsm.update(X_paretovi=np.ones((a.n_obs, 2))),
    "a column batch that names the index as well": lambda a: setattr(a.obs.index, "name", "batch"),
    "genes that are numbers": lambda a: setattr(a, "var_names", [str(i) for i in range(a.n_vars)]),
    "nullable batches": lambda a: a.obs.__setitem__("batch", pd.array(np.arange(120) % 2, dtype="Int64")),
    "batches of the Arrow kind of text": lambda a: a.obs.__setitem__(
        "batch", pd.array(np.where(np.arange(120) % 2, "a", "b"), dtype="string")
    ),
    "batches that only differ by a space": lambda a: a.obs.__setitem__(
        "batch", np.where(np.arange(120) % 2, "a", "a ")
    ),
    "cells of the same name": lambda a: setattr(a, "obs_names", ["cell"] * 120),
    "genes of the same name": lambda a: setattr(a, "var_names", ["gene"] * 40),
}
for _name, _change in _KEPT.items():

    def _kept(folder: Path, change: Any = _change) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            adata = _spoilt(change)
            try:
                arguments = _fit(folder, adata, "--n-top-genes", "20")
            except ValueError:
                return  # anndata does not write it
            result = command(*arguments)
        if result.exit_code == 2:
            assert len(result.output.strip().splitlines()) == 1, result.output[:300]
            assert not (folder / "out").exists()
            return
        assert result.exit_code == 0, f"{result.output[-300:]} {result.exception!r}"
        model = folder / "out" / "model"
        assert model.exists()
        lines = [line.strip() for line in result.output.splitlines() if line.startswith(("  import", "  model"))]
        exec("\n".join(lines), {})

    case("work", f"fit cells with {_name}: refused before training, or all is written and loads")(_kept)

_NO_FILES = {
    "a page of a portal": b"<!DOCTYPE html><html><body>Please log in</body></html>",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n",
    "a gzip of nothing": bytes.fromhex("1f8b080000000000000303000000000000000000"),
    "an empty file": b"",
}
for _name, _bytes in _NO_FILES.items():
    for _command, _options in (
        ("fit", CLI_SHORT),
        ("judge", ["--use-rep", "X_pca"]),
        ("compare", ["--methods", "pca"]),
    ):

        def _no_file(folder: Path, text: bytes = _bytes, name: str = _command, options: list[str] = _options) -> None:
            path = folder / "cells.h5ad"
            path.write_bytes(text)
            arguments = [name, path, "--batch-key", "batch", *options, "--output", folder / "out"]
            cli_refused(folder, "not a readable .h5ad file", arguments=arguments)

        case("crashes", f"{_command} {_name}")(_no_file)


def _sizes(n_cells: int, batch_size: int) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        adata = cells(n_cells)
        model = paretovi(adata, batch_size=batch_size)
        finite(model.get_latent_representation(), n_cells)

    return run


for _n, _size in ((130, 90), (186, 129), (120, 1000), (129, 45)):
    case("crashes", f"{_n} cells in minibatches of {_size}, the last one of one cell or none full")(_sizes(_n, _size))


def _add_python() -> None:
    import scpareto as sp

    setups: dict[str, tuple[Any, tuple[str, ...]]] = {
        "a path": (lambda: sp.model.ParetoVI.setup_anndata("cells.h5ad", batch_key="batch"), ("AnnData",)),
        "a frame": (lambda: sp.model.ParetoVI.setup_anndata(cells().to_df(), batch_key="batch"), ("AnnData",)),
        "a path to judge": (lambda: sp.tl.judge("cells.h5ad", "X_a", batch_key="batch"), ("AnnData",)),
        "a path to adjust": (lambda: sp.pp.adjust_counts("cells.h5ad"), ("AnnData",)),
        "a path to integrate": (lambda: sp.bench.integrate("cells.h5ad", "pca", batch_key="batch"), ("AnnData",)),
        "a key in capitals": (lambda: sp.model.ParetoVI.setup_anndata(cells(), batch_key="Batch"), ("'batch'",)),
        "an absent layer": (lambda: sp.model.ParetoVI.setup_anndata(cells(), batch_key="batch", layer="x"), ("x",)),
        "a model that was not set up": (lambda: sp.model.ParetoVI(cells()), ("setup_anndata",)),
        "a folder that is not there": (lambda: sp.model.ParetoVI.load("no_such", cells()), ("no_such",)),
        "a front without training": (lambda: paretovi(train=False).select("auto"), ("train",)),
        "codes without training": (lambda: paretovi(train=False).get_latent_representation(), ("train",)),
        "an explorer with its arguments the other way round": (
            lambda: sp.pl.explorer(paretovi(), cells(), "page.html"),
            ("AnnData",),
        ),
        "a picture of a model": (lambda: sp.pl.front(paretovi(train=False)), ("front", "train")),
        "fit_front of a name": (lambda: sp.fit_front("ParetoVI"), ("model",)),
    }
    for name, (call, words) in setups.items():
        kinds = (ValueError, KeyError, TypeError, RuntimeError)
        case("messages", f"Python is given {name}")(
            lambda folder, call=call, words=words, kinds=kinds: refused(call, *words, kinds=kinds) and None
        )

    places: dict[str, tuple[Any, tuple[str, ...]]] = {
        "point 99": (lambda m: m.select(99), ("99", "0")),
        "point -1": (lambda m: m.select(-1), ("-1",)),
        "a rule that is none": (lambda m: m.select("best"), ("best", "auto")),
        "True": (lambda m: m.select(True), ("True",)),
        "1.5": (lambda m: m.select(1.5), ("1.5", "preference")),
        "batch_left of text": (lambda m: m.select(batch_left="10"), ("'10'",)),
        "batch_left that is no number": (lambda m: m.select(batch_left=float("nan")), ("nan",)),
        "preference 2": (lambda m: m.select(preference=2), ("2",)),
        "a limit on an absent column": (lambda m: m.select({"purity": 3}), ("purity",)),
        "a limit of text": (lambda m: m.select({"batch_left": "ten"}), ("ten",)),
        "two places": (lambda m: m.select(1, preference=0.5), ("preference",)),
        "nothing": (lambda m: m.select(), ("batch_left",)),
    }
    for name, (select, words) in places.items():

        def run(folder: Path, select: Any = select, words: tuple[str, ...] = words) -> None:
            model = paretovi(method="scalarization")
            selected = model.selected
            refused(lambda: select(model), *words)
            assert model.selected == selected

        case("messages", f"select is given {name}")(run)

    for argument in ("max_epochs", "n_points", "batch_size"):

        def numpy(folder: Path, argument: str = argument) -> None:
            value = {"max_epochs": 2, "n_points": 4, "batch_size": 64}[argument]
            model = paretovi(**{argument: np.int64(value)})
            model.save(folder / "m")

        case("messages", f"{argument} is a number of NumPy")(numpy)


_add_python()


def _real(folder: Path, name: str, *options: str) -> list[str]:
    path = Path(os.environ["SCPARETO_TEST_DATA"]) / f"{name}.h5ad"
    return ["fit", str(path), *options, "--n-points", "4", "--max-epochs", "2", "--max-epochs-pretrain", "1",
            "--output", str(folder / "out")]  # fmt: skip


if "SCPARETO_TEST_DATA" in os.environ:
    for _name, _options, _words in (
        ("mouse_bladder_2100", ["--batch-key", "batch"], ("batch_key='batch'", "cell_type")),
        ("kang_ifnb_pbmc", ["--batch-key", "donor_id"], ("donor_id", "'batch'")),
        ("lung_tumour_dc", ["--batch-key", "batch", "--labels-key", "cell_types"], ("cell_types", "'cell_type'")),
        ("pbmc_citeseq_2batches", ["--batch-key", "batch", "--layer", "protein_counts"], ("protein_counts",)),
        ("worm_neuron", ["--batch-key", "cell_type_fine"], ("cell_type_fine",)),
        ("primate_neural_diff", ["--batch-key", "pseudotime"], ("pseudotime",)),
    ):
        case("messages", f"fit real cells, {_name} {' '.join(_options)}")(
            lambda folder, name=_name, options=_options, words=_words: cli_refused(
                folder, *words, arguments=_real(folder, name, *options)
            )
        )
    for _name, _key in (("lung_tumour_dc", "batch"), ("glioblastoma_panobinostat", "condition")):
        case("crashes", f"fit real cells, {_name} by {_key}")(
            lambda folder, name=_name, key=_key: cli_runs(*_real(folder, name, "--batch-key", key)) and None
        )
