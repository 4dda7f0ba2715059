"""Cases in which what is said, or not said, leaves the user alone."""

from __future__ import annotations

import io
import logging
import warnings
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import numpy as np

from fault_cases._cases import CLI_SHORT, SHORT, case, cells, cli_refused, cli_runs, command, paretovi, refused, warned

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

KIND = "messages"


def _file(folder: Path, adata: AnnData | None = None) -> Path:
    path = folder / "cells.h5ad"
    (cells() if adata is None else adata).write_h5ad(path)
    return path


def _add_cli() -> None:
    options: dict[str, tuple[list[str], list[str]]] = {
        "--n-points 1": (["--n-points", "1"], ["n_points=1"]),
        "--n-points many": (["--n-points", "many"], ["--n-points", "integer"]),
        "--n-points 2.5": (["--n-points", "4.5"], ["--n-points", "integer"]),
        "--batch-size 0": (["--batch-size", "0"], ["batch_size=0"]),
        "--max-epochs 0": (["--max-epochs", "0"], ["max_epochs=0"]),
        "--max-epochs -3": (["--max-epochs", "-3"], ["max_epochs=-3"]),
        "--max-epochs-pretrain 0": (["--max-epochs-pretrain", "0"], ["max_epochs_pretrain=0"]),
        "--method nsga2": (["--method", "nsga2"], ["nsga2", "conditional"]),
        "--objective loss": (["--objective", "loss"], ["loss", "classifier"]),
        "--preset fast": (["--preset", "fast"], ["fast", "paper"]),
        "--preset paper --method conditional": (["--preset", "paper", "--method", "conditional"], ["paper"]),
        "--seed -1": (["--seed", "-1"], ["seed=-1"]),
        "--seed 1099511627776": (["--seed", "1099511627776"], ["seed=1099511627776"]),
        "--seed x": (["--seed", "x"], ["--seed", "integer"]),
        "--n-top-genes -5": (["--n-top-genes", "-5"], ["n_top_genes=-5"]),
        "--layer absent": (["--layer", "absent"], ["absent", "Available"]),
        "--labels-key absent": (["--labels-key", "absent"], ["absent", "Available"]),
        "--no-such-option": (["--no-such-option"], ["no-such-option"]),
        "--resume --overwrite": (["--resume", "--overwrite"], ["exclude"]),
        "a second file": (["second.h5ad"], ["second.h5ad"]),
    }
    for name, (given, words) in options.items():

        def run(folder: Path, given: list[str] = given, words: list[str] = words) -> None:
            arguments = ["fit", _file(folder), "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out", *given]
            cli_refused(folder, *words, arguments=arguments)
            assert not (folder / "out").exists(), "a folder was left behind"

        case(KIND, f"fit {name}")(run)

    others: dict[str, tuple[list[str], list[str]]] = {
        "fit without --batch-key": (["fit", "{file}", "--output", "{out}"], ["--batch-key"]),
        "fit without a file": (["fit", "--batch-key", "batch", "--output", "{out}"], ["data"]),
        "fit without --output": (["fit", "{file}", "--batch-key", "batch"], ["--output"]),
        "fit a file that is not there": (["fit", "no.h5ad", "--batch-key", "batch", "--output", "{out}"], ["no.h5ad"]),
        "a command that is not there": (["fitt", "{file}"], ["fitt"]),
        "demo --n-points 1": (["demo", "--n-points", "1", "--output", "{out}"], ["n_points=1"]),
        "demo --seed -1": (["demo", "--seed", "-1", "--output", "{out}"], ["seed=-1"]),
        "judge an absent embedding": (
            ["judge", "{file}", "--use-rep", "X_no", "--batch-key", "batch", "--output", "{out}"],
            ["X_no"],
        ),
        "judge --seed -1": (
            ["judge", "{file}", "--use-rep", "X_a", "--batch-key", "batch", "--seed", "-1", "--output", "{out}"],
            ["seed=-1"],
        ),
        "judge --max-cells 0": (
            ["judge", "{file}", "--use-rep", "X_a", "--batch-key", "batch", "--max-cells", "0", "--output", "{out}"],
            ["max_cells=0"],
        ),
        "compare --methods absent": (
            ["compare", "{file}", "--batch-key", "batch", "--methods", "absent", "--output", "{out}"],
            ["absent", "harmony"],
        ),
        "compare --seeds 0": (
            ["compare", "{file}", "--batch-key", "batch", "--methods", "pca", "--seeds", "0", "--output", "{out}"],
            ["seeds"],
        ),
        "compare --max-epochs 0": (
            ["compare", "{file}", "--batch-key", "batch", "--methods", "scvi", "--max-epochs", "0"]
            + ["--output", "{out}"],
            ["max_epochs=0"],
        ),
        "compare --n-points 1": (
            ["compare", "{file}", "--batch-key", "batch", "--methods", "paretovi", "--n-points", "1",
             "--output", "{out}"],
            ["n_points=1"],
        ),
        "explore an empty folder": (["explore", "{folder}"], ["run.json"]),
        "audit an empty folder": (["audit", "{folder}"], ["run.json"]),
    }  # fmt: skip
    for name, (given, words) in others.items():

        def run_other(folder: Path, given: list[str] = given, words: list[str] = words) -> None:
            adata = cells()
            adata.obsm["X_a"] = np.random.default_rng(0).normal(size=(adata.n_obs, 3))
            places = {"file": _file(folder, adata), "out": folder / "out", "folder": folder / "empty"}
            cli_refused(folder, *words, arguments=[text.format(**places) for text in given])

        case(KIND, name)(run_other)


_add_cli()


def _add_numbers() -> None:
    import scpareto as sp

    def scinfovae(**options: Any) -> Any:
        adata = cells()
        sp.model.ScInfoVAE.setup_anndata(adata)
        model = sp.model.ScInfoVAE(adata, n_clusters=2, n_hidden=[8], n_latent=2)
        model.train(**{"max_epochs_pretrain": 1, "max_epochs_finetune": 1, "progress": False} | options)

    def betatcvae(**options: Any) -> Any:
        adata = cells()
        adata.X = adata.X.astype(np.float32) + 0.5 * (adata.X > 0)
        sp.model.BetaTCVAE.setup_anndata(adata)
        sp.model.BetaTCVAE(adata, n_latent=2, n_hidden=[8]).train(**{"max_epochs": 1, "progress": False} | options)

    def michigan(**options: Any) -> Any:
        adata = cells()
        adata.X = adata.X.astype(np.float32) + 0.5 * (adata.X > 0)
        adata.obsm["X_pca"] = np.random.default_rng(0).normal(size=(adata.n_obs, 2))
        sp.model.MichiGAN.setup_anndata(adata, code_key="X_pca")
        sp.model.MichiGAN(adata, n_hidden_generator=[8], n_hidden_critic=[8]).train(**{"max_epochs": 1} | options)

    def front(**options: Any) -> Any:
        import scvi

        adata = cells()
        scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
        sp.fit_front(scvi.model.SCVI(adata, n_hidden=8), **SHORT | options)

    doors = {
        "ParetoVI": (lambda **o: paretovi(**o), ("max_epochs", "max_epochs_pretrain", "batch_size", "n_points")),
        "fit_front": (front, ("max_epochs", "max_epochs_pretrain", "batch_size", "n_points")),
        "ScInfoVAE": (scinfovae, ("max_epochs_pretrain", "max_epochs_finetune", "batch_size", "update_interval")),
        "BetaTCVAE": (betatcvae, ("max_epochs", "batch_size")),
        "MichiGAN": (michigan, ("max_epochs", "batch_size", "n_critic")),
        "refine": (lambda **o: paretovi().refine(0, progress=False, **o), ("max_epochs",)),
    }
    for name, (door, arguments) in doors.items():
        for argument in arguments:
            for value in (2.5, 0, -1, "many", True):
                if value == 0 and argument == "max_epochs_finetune":
                    continue

                def run(folder: Path, door: Any = door, argument: str = argument, value: Any = value) -> None:
                    refused(lambda: door(**{argument: value}), f"{argument}={value!r}")

                case(KIND, f"{name}: {argument}={value!r}")(run)

    for seed in (-1, 2**40, 1.5, "seven"):
        for name, make in {
            "ParetoVI": lambda seed: sp.model.ParetoVI(_set_up(sp.model.ParetoVI), seed=seed),
            "ScInfoVAE": lambda seed: sp.model.ScInfoVAE(_set_up(sp.model.ScInfoVAE), n_clusters=2, seed=seed),
            "integrate": lambda seed: sp.bench.integrate(cells(), "pca", batch_key="batch", seed=seed),
            "fit_front": lambda seed: front(seed=seed),
            "judge": lambda seed: sp.tl.judge(_with_codes(), "X_a", batch_key="batch", seed=seed),
        }.items():

            def run_seed(folder: Path, make: Any = make, seed: Any = seed) -> None:
                refused(lambda: make(seed), f"seed={seed!r}")

            case(KIND, f"{name}: seed={seed!r}")(run_seed)


def _set_up(model: Any) -> AnnData:
    adata = cells()
    model.setup_anndata(adata, batch_key="batch")
    return adata


def _with_codes() -> AnnData:
    adata = cells()
    adata.obsm["X_a"] = np.random.default_rng(0).normal(size=(adata.n_obs, 3))
    return adata


_add_numbers()


@case(KIND, "the lines that fit prints run where no genes were selected")
def _printed(folder: Path) -> None:
    result = cli_runs("fit", _file(folder), "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out")
    lines = [line.strip() for line in result.output.splitlines() if line.startswith(("  import", "  model"))]
    exec("\n".join(lines), {})


@case(KIND, "the lines that fit prints run where the file has genes of its own that vary")
def _printed_own(folder: Path) -> None:
    adata = cells()
    adata.var["highly_variable"] = np.arange(adata.n_vars) < 10
    path = _file(folder, adata)
    result = cli_runs("fit", path, "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out")
    lines = [line.strip() for line in result.output.splitlines() if line.startswith(("  import", "  model"))]
    exec("\n".join(lines), {})


def _add_views() -> None:
    import anndata

    import scpareto as sp

    doors = {
        "ParetoVI": lambda a: sp.model.ParetoVI.setup_anndata(a, batch_key="batch"),
        "ScInfoVAE": lambda a: sp.model.ScInfoVAE.setup_anndata(a),
        "BetaTCVAE": lambda a: sp.model.BetaTCVAE.setup_anndata(a),
        "MichiGAN": lambda a: sp.model.MichiGAN.setup_anndata(a),
        "integrate": lambda a: sp.bench.integrate(a, "pca", batch_key="batch"),
    }
    for name, door in doors.items():

        def run(folder: Path, door: Any = door) -> None:
            backed = anndata.read_h5ad(_file(folder), backed="r")
            view = backed[:50]
            refused(lambda: door(view), "adata.to_memory()")
            view.to_memory()

        case(KIND, f"{name} is given a view of a backed file")(run)

        def run_in_memory(folder: Path, door: Any = door) -> None:
            refused(lambda: door(cells()[:50]), "adata.copy()")

        case(KIND, f"{name} is given a view")(run_in_memory)


_add_views()


def _log_normalised(raw: bool = False, layer: str | None = None) -> AnnData:
    import scanpy as sc

    adata = cells()
    if layer is not None:
        adata.layers[layer] = adata.X.copy()
    if raw:
        adata.raw = adata.copy()
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    return adata


def _add_counts_elsewhere() -> None:
    import scpareto as sp

    def setup(adata: AnnData) -> None:
        sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")

    def said(call: Any, *words: str) -> None:
        """Require the words in a refusal or a warning."""
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            try:
                call()
            except ValueError as error:
                told = str(error)
            else:
                told = " ".join(str(w.message) for w in noted)
        assert all(word in told for word in words), told

    doors = {
        "ParetoVI": setup,
        "integrate": lambda a: sp.bench.integrate(a, "pca", batch_key="batch"),
    }
    for name, door in doors.items():
        case(KIND, f"{name}: counts are in adata.raw, X is log-normalised")(
            lambda folder, door=door: said(lambda: door(_log_normalised(raw=True)), "adata.raw")
        )
        case(KIND, f"{name}: counts are in a layer, X is log-normalised")(
            lambda folder, door=door: said(lambda: door(_log_normalised(layer="umi")), "layer='umi'")
        )

    def hinted(folder: Path) -> None:
        adata = _log_normalised(raw=True)
        adata.layers["counts"] = adata.raw[:, adata.var_names].X
        sp.model.ParetoVI.setup_anndata(adata, batch_key="batch", layer="counts")

    case(KIND, "what is said of counts in adata.raw works")(hinted)

    def more_genes(folder: Path) -> None:
        adata = _log_normalised(raw=True)[:, 5:35].copy()
        adata = adata[np.asarray(adata.X.sum(axis=1)).ravel() > 0].copy()
        said(lambda: setup(adata), "adata.raw")

    case(KIND, "counts are in adata.raw, which has more genes")(more_genes)

    def ambient(folder: Path) -> None:
        adata = cells()
        adata.raw = adata.copy()
        adata.X = (adata.X * 0.9).astype(np.float32)
        warned(lambda: setup(adata), "fractional")

    case(KIND, "ambient-corrected counts beside counts in adata.raw are trained on")(ambient)

    def file(folder: Path) -> None:
        path = _file(folder, _log_normalised(layer="umi"))
        arguments = ["fit", path, "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out"]
        cli_refused(folder, "umi", arguments=arguments)

    case(KIND, "fit a file whose counts are in a layer")(file)

    def of_cellxgene(folder: Path) -> None:
        path = _file(folder, _log_normalised(raw=True))
        arguments = ["fit", path, "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out"]
        cli_refused(folder, "adata.raw", arguments=arguments)

    case(KIND, "fit a file whose counts are in raw")(of_cellxgene)


_add_counts_elsewhere()


def _add_shares() -> None:
    import scpareto as sp

    def prepared(share: float, **options: Any) -> Any:
        query = cells()[:, : round(40 * share)].copy()
        query.varm.clear()
        return sp.model.ParetoVI.prepare_query_anndata(query, paretovi(train=False), inplace=False, **options)

    for share in (0.1, 0.2):
        case(KIND, f"a query with {share:.0%} of the genes of the reference")(
            lambda folder, share=share: refused(lambda: prepared(share), f"{share:.0%}") and None
        )
    for share in (0.4, 0.7):
        case(KIND, f"a query with {share:.0%} of the genes of the reference")(
            lambda folder, share=share: warned(lambda: prepared(share), f"{share:.0%}") and None
        )
    case(KIND, "a query with 10% of the genes of the reference, which the user wants")(
        lambda folder: warned(lambda: prepared(0.1, least_shared=0.05), "10%") and None
    )

    def whole(folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            assert prepared(1.0).n_vars == 40

    case(KIND, "a query with all genes of the reference is not warned of")(whole)


_add_shares()


def _add_quiet() -> None:
    import scpareto as sp

    def told(call: Any) -> str:
        shown = io.StringIO()
        handler = logging.StreamHandler(shown)
        loggers = [logging.getLogger(), logging.getLogger("scvi"), logging.getLogger("scvi.data._download")]
        for logger in loggers:
            logger.addHandler(handler)
        with redirect_stdout(shown):
            call()
        return shown.getvalue()

    def load(folder: Path) -> None:
        paretovi().save(folder / "model")
        text = told(lambda: sp.model.ParetoVI.load(folder / "model", cells()))
        assert "already downloaded" not in text, text

    case(KIND, "loading says nothing of downloads")(load)

    def query(folder: Path) -> None:
        paretovi().save(folder / "model")
        text = told(lambda: sp.model.ParetoVI.load_query_data(cells(), str(folder / "model")))
        text += told(lambda: sp.model.ParetoVI.prepare_query_anndata(_flat(), str(folder / "model")))
        text += told(lambda: sp.model.ParetoVI.load_registry(folder / "model"))
        assert "already downloaded" not in text, text

    case(KIND, "mapping a query says nothing of downloads")(query)


def _flat() -> AnnData:
    adata = cells()
    adata.varm.clear()
    return adata


_add_quiet()


@case(KIND, "a failure after training is not called a wrong argument")
def _failure(folder: Path) -> None:
    import scpareto.cli._commands as commands

    def fail(*args: Any) -> None:
        raise ValueError("the picture cannot be drawn")

    commands.draw_results = fail
    result = command("fit", _file(folder), "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out")
    assert result.exit_code == 1, result.exit_code
    assert (folder / "out" / "model" / "model.pt").exists(), "the model is lost"
