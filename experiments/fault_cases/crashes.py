"""Cases that ended in a crash or a traceback of a library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fault_cases._cases import (
    CLI_SHORT,
    SHORT,
    case,
    cells,
    cli_refused,
    cli_runs,
    finite,
    paretovi,
    refused,
    warned,
)

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

KIND = "crashes"
METHODS = (
    "pca combat harmony scanorama fastmnn mnn seurat_cca scvi scanvi sysvi scvi_hsic scvi_mmd saucie_mmd desc "
    "scdeepcluster sczidesk paretovi"
).split()
_EPOCHS = {"scvi", "scanvi", "sysvi", "scvi_hsic", "scvi_mmd", "saucie_mmd", "desc", "scdeepcluster", "sczidesk"}


def _options(method: str) -> dict[str, Any]:
    if method == "paretovi":
        return {key: SHORT[key] for key in ("max_epochs", "max_epochs_pretrain", "n_points", "plan_kwargs")}
    return {"max_epochs": 1} if method in _EPOCHS else {}


def _with_small_batch(n_small: int, n_genes: int = 40, n_large: int = 120) -> AnnData:
    adata = cells(n_large + n_small, n_genes)
    adata.obs["batch"] = np.where(np.arange(adata.n_obs) < n_small, "tiny", "large")
    return adata


def _integrated(adata: AnnData, method: str, *words: str, **options: Any) -> None:
    """Codes of all cells, or a refusal that names the batch and a size."""
    import scpareto as sp

    labels = {"labels_key": "cell_type"} if method == "scanvi" else {}

    def call() -> None:
        sp.bench.integrate(adata, method, batch_key="batch", key_added="X", **labels, **_options(method) | options)

    try:
        call()
    except (ValueError, KeyError, TypeError):
        refused(call, method, *words)
        return
    finite(adata.obsm["X"], adata.n_obs)


def _add_integrators() -> None:
    for method in METHODS:
        for size in (1, 2, 3, 20):

            def small(folder: Path, method: str = method, size: int = size) -> None:
                _integrated(_with_small_batch(size), method, "'tiny'", "cells")

            case(KIND, f"integrate by {method}, a batch of {size} cells")(small)

        def both(folder: Path, method: str = method) -> None:
            _integrated(_with_small_batch(3, n_large=4), method, "cells")

        case(KIND, f"integrate by {method}, batches of 3 and 4 cells")(both)

        def few_genes(folder: Path, method: str = method) -> None:
            _integrated(cells(120, 40, counts_per_gene=20.0)[:, :3].copy(), method, "genes")

        case(KIND, f"integrate by {method}, 3 genes")(few_genes)


_add_integrators()


@case(KIND, "integrate by seurat_cca, batches of 60 cells and 2,050 genes")
def _genes_2050(folder: Path) -> None:
    _integrated(cells(120, 2050), "seurat_cca", "genes")


@case(KIND, "integrate by seurat_cca, batches of 60 cells and 2,300 genes")
def _genes_2300(folder: Path) -> None:
    _integrated(cells(120, 2300), "seurat_cca", "genes")


@case(KIND, "integrate by seurat_cca, a batch of 20 cells and 2,300 sparse genes")
def _genes_sparse(folder: Path) -> None:
    adata = cells(140, 2300, counts_per_gene=0.05)
    adata = adata[np.asarray(adata.X.sum(axis=1)).ravel() > 0].copy()
    adata.obs["batch"] = np.where(np.arange(adata.n_obs) < 20, "tiny", "large")
    _integrated(adata, "seurat_cca", "'tiny'")


@case(KIND, "integrate by seurat_cca, genes that a batch does not have")
def _genes_missing(folder: Path) -> None:
    adata = cells(120, 2300)
    counts = adata.X.toarray()
    counts[np.ix_((adata.obs["batch"] == "batch_0").to_numpy(), np.arange(1500))] = 0
    adata.X = counts
    _integrated(adata, "seurat_cca", "genes")


def _file(folder: Path, adata: AnnData) -> Path:
    path = folder / "cells.h5ad"
    adata.write_h5ad(path)
    return path


def _fit(folder: Path, adata: AnnData, *options: Any) -> list[Any]:
    return ["fit", _file(folder, adata), "--batch-key", "batch", *CLI_SHORT, *options, "--output", folder / "out"]


_COLUMNS = {
    "integers": lambda n: np.arange(n) % 2,
    "booleans": lambda n: np.arange(n) % 2 == 0,
    "floats": lambda n: (np.arange(n) % 2) + 0.5,
    "text": lambda n: np.where(np.arange(n) % 2, "a", "b"),
    "unused categories": lambda n: pd.Categorical(np.where(np.arange(n) % 2, "a", "b"), categories=list("abcd")),
    "categories of numbers": lambda n: pd.Categorical(np.arange(n) % 2),
    "unused categories of numbers": lambda n: pd.Categorical(np.arange(n) % 2, categories=[0, 1, 2, 7]),
    "small integers": lambda n: (np.arange(n) % 2).astype(np.int8),
}


def _add_columns() -> None:
    for name, column in _COLUMNS.items():

        def run(folder: Path, column: Any = column) -> None:
            adata = cells()
            adata.obs["batch"] = column(adata.n_obs)
            cli_runs(*_fit(folder, adata, "--n-top-genes", "20"))

        case(KIND, f"fit with --n-top-genes, batches are {name}")(run)

        def run_pp(folder: Path, column: Any = column) -> None:
            import scpareto as sp

            adata = cells()
            adata.obs["batch"] = column(adata.n_obs)
            sp.bench.integrate(adata, "seurat_cca", batch_key="batch", key_added="X")
            finite(adata.obsm["X"], adata.n_obs)
            paretovi(adata)

        case(KIND, f"integrate and train, batches are {name}")(run_pp)


_add_columns()


@case(KIND, "train on batches of mixed types")
def _mixed(folder: Path) -> None:
    adata = cells()
    adata.obs["batch"] = pd.Series([1 if i % 2 else "a" for i in range(adata.n_obs)], adata.obs_names, dtype=object)
    try:
        paretovi(adata)
    except (ValueError, TypeError):
        refused(lambda: paretovi(adata), "batch")


@case(KIND, "compare with --n-top-genes, integer batches")
def _compare(folder: Path) -> None:
    adata = cells()
    adata.obs["batch"] = np.arange(adata.n_obs) % 2
    cli_runs("compare", _file(folder, adata), "--batch-key", "batch", "--methods", "pca", "--n-top-genes", "20",
             "--output", folder / "out")  # fmt: skip


@case(KIND, "fit a file of no cells")
def _no_cells(folder: Path) -> None:
    cli_refused(folder, "no cells", arguments=_fit(folder, cells()[:0].copy()))


@case(KIND, "fit a file of no genes")
def _no_genes(folder: Path) -> None:
    cli_refused(folder, "no genes", arguments=_fit(folder, cells()[:, :0].copy()))


@case(KIND, "judge a file of no cells")
def _judge_no_cells(folder: Path) -> None:
    adata = cells()
    adata.obsm["X_pca"] = np.ones((adata.n_obs, 3))
    path = _file(folder, adata[:0].copy())
    cli_refused(folder, "0 cells", arguments=["judge", path, "--use-rep", "X_pca", "--batch-key", "batch",
                                               "--output", folder / "out"])  # fmt: skip


@case(KIND, "compare a file of no cells")
def _compare_no_cells(folder: Path) -> None:
    path = _file(folder, cells()[:0].copy())
    cli_refused(folder, "no cells", arguments=["compare", path, "--batch-key", "batch", "--output", folder / "out"])


def _add_no_cells() -> None:
    import scpareto as sp

    doors = {
        "ParetoVI": lambda a: sp.model.ParetoVI.setup_anndata(a, batch_key="batch"),
        "ScInfoVAE": lambda a: sp.model.ScInfoVAE.setup_anndata(a) or sp.model.ScInfoVAE(a, n_clusters=2),
        "BetaTCVAE": lambda a: sp.model.BetaTCVAE.setup_anndata(a),
        "MichiGAN": lambda a: sp.model.MichiGAN.setup_anndata(a),
        "integrate": lambda a: sp.bench.integrate(a, "pca", batch_key="batch"),
    }
    for name, door in doors.items():
        for what, some in (("cells", lambda a: a[:0].copy()), ("genes", lambda a: a[:, :0].copy())):

            def run(folder: Path, door: Any = door, what: str = what, some: Any = some) -> None:
                refused(lambda: door(some(cells())), f"no {what}")

            case(KIND, f"{name} is given no {what}")(run)


_add_no_cells()


@case(KIND, "fit --accelerator gpu without one")
def _cli_gpu(folder: Path) -> None:
    cli_refused(folder, "gpu", "cpu", arguments=_fit(folder, cells(), "--accelerator", "gpu"))


@case(KIND, "fit --accelerator of no kind")
def _cli_no_kind(folder: Path) -> None:
    cli_refused(folder, "abacus", "cpu", arguments=_fit(folder, cells(), "--accelerator", "abacus"))


def _add_accelerators() -> None:
    import scpareto as sp

    def scinfovae(**options: Any) -> None:
        adata = cells()
        sp.model.ScInfoVAE.setup_anndata(adata)
        sp.model.ScInfoVAE(adata, n_clusters=2, n_hidden=[8], n_latent=2).train(1, 1, progress=False, **options)

    def betatcvae(**options: Any) -> None:
        adata = cells()
        adata.X = adata.X.astype(np.float32) + 0.5 * (adata.X > 0)
        sp.model.BetaTCVAE.setup_anndata(adata)
        sp.model.BetaTCVAE(adata, n_latent=2, n_hidden=[8]).train(1, progress=False, **options)

    def michigan(**options: Any) -> None:
        adata = cells()
        adata.X = adata.X.astype(np.float32) + 0.5 * (adata.X > 0)
        adata.obsm["X_pca"] = np.random.default_rng(0).normal(size=(adata.n_obs, 2))
        sp.model.MichiGAN.setup_anndata(adata, code_key="X_pca")
        sp.model.MichiGAN(adata, n_hidden_generator=[8], n_hidden_critic=[8]).train(1, **options)

    doors = {
        "ParetoVI": lambda **o: paretovi(**o),
        "ScInfoVAE": scinfovae,
        "BetaTCVAE": betatcvae,
        "MichiGAN": michigan,
        "refine": lambda **o: paretovi().refine(0, max_epochs=1, progress=False, **o),
    }
    for name, door in doors.items():
        for accelerator in ("gpu", "cuda", "mps", "tpu", "abacus", None):

            def run(folder: Path, door: Any = door, accelerator: Any = accelerator) -> None:
                refused(lambda: door(accelerator=accelerator), f"accelerator={accelerator!r}", "'cpu'")

            case(KIND, f"{name} is trained with accelerator={accelerator!r}, of which there is none")(run)


_add_accelerators()


def _of_newer(folder: Path, group: str) -> Path:
    import h5py

    path = _file(folder, cells())
    with h5py.File(path, "r+") as file:
        file[group].attrs["encoding-type"] = "awkward-quantum"
        file[group].attrs["encoding-version"] = "9.9.9"
    return path


def _add_encodings() -> None:
    for group in ("X", "obs/batch", "obs", "var", "/"):

        def fit(folder: Path, group: str = group) -> None:
            path = _of_newer(folder, group)
            arguments = ["fit", path, "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out"]
            cli_refused(folder, "cells.h5ad", "newer", arguments=arguments)

        case(KIND, f"fit a file whose {group} has an unknown encoding type")(fit)

        def judge(folder: Path, group: str = group) -> None:
            path = _of_newer(folder, group)
            arguments = ["judge", path, "--use-rep", "X_pca", "--batch-key", "batch", "--max-cells", "100"]
            cli_refused(folder, "cells.h5ad", "newer", arguments=[*arguments, "--output", folder / "out"])

        if group != "/":  # the judge reads the parts of a large file one by one
            case(KIND, f"judge a large file whose {group} has an unknown encoding type")(judge)


_add_encodings()


@case(KIND, "fit a file that was cut off")
def _cut(folder: Path) -> None:
    path = _file(folder, cells())
    path.write_bytes(path.read_bytes()[:3000])
    arguments = ["fit", path, "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out"]
    cli_refused(folder, "not a readable", arguments=arguments)


@case(KIND, "fit a folder")
def _folder(folder: Path) -> None:
    arguments = ["fit", folder, "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out"]
    cli_refused(folder, "folder", arguments=arguments)


def _query(n: int = 60, name: str = "new") -> AnnData:
    query = cells(n)
    query.obs["batch"] = name
    return query


def _add_queries() -> None:
    import scpareto as sp

    def mapped(query: AnnData, **options: Any) -> Any:
        return sp.model.ParetoVI.load_query_data(query, paretovi(method="conditional"), **options)

    def trained(folder: Path, **options: Any) -> Any:
        model = mapped(_query(), **options)
        model.train(**SHORT)
        return model

    def one_point(folder: Path) -> None:
        model = trained(folder)
        assert len(model.front) == 1, len(model.front)
        finite(model.get_latent_representation(), 60)
        finite(model.get_normalized_expression(), 60)
        assert model.selected == 0
        assert model.select("auto") == model.select(0) == 0
        model.front.to_dataframe()
        model.front.explain()
        repr(model.front)

    case(KIND, "a query of one new batch is trained: a front of one point")(one_point)

    def saved(folder: Path) -> None:
        model = trained(folder)
        model.save(folder / "query")
        again = sp.model.ParetoVI.load(folder / "query", _query())
        np.testing.assert_array_equal(again.get_latent_representation(), model.get_latent_representation())
        assert len(again.front) == 1

    case(KIND, "a query of one new batch is saved and loaded")(saved)

    def as_scvi(folder: Path) -> None:
        model = trained(folder)
        np.testing.assert_allclose(
            model.to_scvi().get_latent_representation(), model.get_latent_representation(), atol=1e-5
        )

    case(KIND, "a query of one new batch is handed to SCVI")(as_scvi)

    def untrained_scvi(folder: Path) -> None:
        plain = mapped(_query()).to_scvi()
        assert not plain.is_trained_
        plain.train(1, accelerator="cpu", enable_progress_bar=False)
        finite(plain.get_latent_representation(), 60)

    case(KIND, "a query of one new batch is handed to SCVI before training")(untrained_scvi)

    def two_scvi(folder: Path) -> None:
        query = cells()
        query.obs["batch"] = np.where(np.arange(120) % 2, "batch_0", "new")
        model = mapped(query)
        model.train(**SHORT)
        np.testing.assert_allclose(
            model.to_scvi().get_latent_representation(), model.get_latent_representation(), atol=1e-5
        )

    case(KIND, "a query of a known and a new batch is handed to SCVI")(two_scvi)

    def audit(folder: Path) -> None:
        model = trained(folder)
        try:
            model.audit(progress=False)
        except ValueError:
            refused(lambda: model.audit(progress=False), "batch")

    case(KIND, "a query of one new batch is audited")(audit)

    def known(folder: Path) -> None:
        model = mapped(_query(name="batch_0"))
        model.train(**SHORT)
        finite(model.get_latent_representation(), 60)

    case(KIND, "a query of one known batch is trained")(known)

    def pictures(folder: Path) -> None:
        model = trained(folder)
        refused(lambda: sp.pl.front(model.front), "valid columns")
        sp.pl.front(model.front, x="n_epochs", y="generative_loss_test")

    case(KIND, "the front of a query of one new batch is drawn")(pictures)

    def apart(folder: Path) -> None:
        model = mapped(_query())
        model.train(**SHORT | {"method": "scalarization"})
        assert len(model.front) == 1

    case(KIND, "a query of one new batch is trained with points apart")(apart)

    def resumed(folder: Path) -> None:
        model = mapped(_query())
        model.train(**SHORT, checkpoint_dir=folder / "c")
        before = model.get_latent_representation()
        model.train(**SHORT, checkpoint_dir=folder / "c")
        np.testing.assert_array_equal(before, model.get_latent_representation())

    case(KIND, "a query of one new batch goes on from its checkpoints")(resumed)

    def refined(folder: Path) -> None:
        model = trained(folder)
        try:
            model.refine(0, max_epochs=1, progress=False)
        except ValueError:
            refused(lambda: model.refine(0, max_epochs=1, progress=False), "one")

    case(KIND, "the point of a query of one new batch is refined")(refined)

    for dims in (1, 3, 4):

        def varm(folder: Path, dims: int = dims) -> None:
            reference, query = paretovi(), cells()[:, 5:].copy()
            shape = (query.n_vars, 2, 3, 2)[:dims]
            values = np.arange(np.prod(shape), dtype=float).reshape(shape)
            if dims == 1:
                values = pd.DataFrame({"a": values}, index=query.var_names)
            query.varm["effects"] = values
            found = sp.model.ParetoVI.prepare_query_anndata(query, reference, inplace=False)
            assert found.n_vars == 40
            assert "effects" in found.varm
            sp.model.ParetoVI.load_query_data(found, reference)

        case(KIND, f"prepare_query_anndata with a varm of {dims} dimensions")(varm)

    def varm_inplace(folder: Path) -> None:
        reference, query = paretovi(), cells()[:, ::-1].copy()
        query.varm["effects"] = np.arange(40 * 6, dtype=float).reshape(40, 2, 3)
        first = query.varm["effects"][query.var_names.get_loc("gene_1")].copy()
        sp.model.ParetoVI.prepare_query_anndata(query, reference)
        np.testing.assert_array_equal(query.varm["effects"][query.var_names.get_loc("gene_1")], first)

    case(KIND, "prepare_query_anndata in place with a varm of 3 dimensions in another order")(varm_inplace)

    def simulated(folder: Path) -> None:
        query = sp.datasets.simulate_multiplicative(60, 40, seed=0)
        query.obs["batch"] = "new"
        query.var_names = cells().var_names
        query = query[:, 5:].copy()
        sp.model.ParetoVI.prepare_query_anndata(query, paretovi())

    case(KIND, "prepare_query_anndata of cells of simulate_multiplicative")(simulated)


_add_queries()


def _add_keywords() -> None:
    import scpareto as sp

    def scinfovae(**options: Any) -> None:
        adata = cells()
        sp.model.ScInfoVAE.setup_anndata(adata)
        sp.model.ScInfoVAE(adata, n_clusters=2, n_hidden=[8], n_latent=2).train(
            **{"max_epochs_pretrain": 1, "max_epochs_finetune": 1, "progress": False} | options
        )

    def betatcvae(**options: Any) -> None:
        adata = cells()
        adata.X = adata.X.astype(np.float32) + 0.5 * (adata.X > 0)
        sp.model.BetaTCVAE.setup_anndata(adata)
        sp.model.BetaTCVAE(adata, n_latent=2, n_hidden=[8]).train(**{"max_epochs": 1, "progress": False} | options)

    doors = {"ScInfoVAE": scinfovae, "BetaTCVAE": betatcvae, "ParetoVI": lambda **o: paretovi(**o)}
    for name, door in doors.items():
        for keyword, value in (("train_dataloaders", []), ("n_epoch", 3), ("max_epoch", 3)):

            def run(folder: Path, door: Any = door, keyword: str = keyword, value: Any = value) -> None:
                refused(lambda: door(**{keyword: value}), keyword)

            case(KIND, f"{name}.train({keyword}=...)")(run)
    case(KIND, "ScInfoVAE.train(max_epochs=3)")(
        lambda folder: refused(lambda: scinfovae(max_epochs=3), "max_epochs_pretrain", "max_epochs_finetune") and None
    )


_add_keywords()


@case(KIND, "a plain scVI query of one new batch gets a front of one point")
def _plain_query(folder: Path) -> None:
    import scvi

    import scpareto as sp

    adata = cells()
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    reference = scvi.model.SCVI(adata, n_hidden=8, n_latent=3)
    reference.is_trained_ = True
    query = scvi.model.SCVI.load_query_data(_query(), reference)
    front = sp.fit_front(query, **SHORT)
    assert len(front) == 1


@case(KIND, "batches that are all of one cell are warned of, or refused")
def _one_cell_each(folder: Path) -> None:
    adata = cells(30)
    adata.obs["batch"] = [f"b{i}" for i in range(30)]
    refused(lambda: paretovi(adata), "batch")


@case(KIND, "one of two batches is of one cell")
def _one_cell(folder: Path) -> None:
    refused(lambda: paretovi(_with_small_batch(1)), "batch", "test cells")


@case(KIND, "one of three batches is of one cell")
def _one_cell_of_three(folder: Path) -> None:
    adata = cells()
    adata.obs["batch"] = ["tiny", *(["a", "b"] * 60)[1:]]
    model = warned(lambda: paretovi(adata), "'tiny' (1)")
    finite(model.get_latent_representation(), 120)
