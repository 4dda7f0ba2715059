"""Select cells and genes and compute size factors for ScInfoVAE."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import scanpy as sc
from anndata import AnnData
from scipy import sparse

from scpareto._cells import format_names, get_matrix, read_records
from scpareto._constants import SCINFOVAE_SIZE_FACTOR_KEY, UNS_KEY

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

GeneSelection = Literal["dispersion", "variance"]
_RECORD = "prepare_scinfovae"


def prepare_scinfovae(
    adata: AnnData,
    *,
    layer: str | None = None,
    n_top_genes: int = 500,
    gene_selection: GeneSelection = "dispersion",
    min_cells: float = 0.01,
    min_genes: float = 0.01,
    reference: AnnData | None = None,
) -> AnnData:
    r"""Filter cells and genes, compute size factors from all genes, and keep the most variable genes.

    Parameters
    ----------
    adata
        Raw counts; they are not changed. Fractions are rounded up, with a warning.
    layer
        Layer of the counts; None for ``adata.X``.
    n_top_genes
        Number of variable genes to keep; all genes if there are fewer.
    gene_selection
        ``"dispersion"``, normalised by that of genes of similar mean, or plain ``"variance"``, both of
        :math:`\log(1 + x / l)`.
    min_cells
        Share of cells in which a gene must be detected.
    min_genes
        Share of the remaining genes that must be detected in a cell.
    reference
        Result of this function for the cells of a model: new cells get its genes, in its order, and its scale of the
        size factors. All cells are kept, and the other options are not used.

    Returns
    -------
    A new AnnData of the cells and genes that are left, with the raw counts in ``X`` and in every layer,
    ``obs["scinfovae_size_factor"]`` and a record in ``uns["scpareto"]["prepare_scinfovae"]``.

    Raises
    ------
    KeyError
        If the layer does not exist, or genes of the reference are missing.
    ValueError
        If counts are negative or not finite, a number is out of range, no cell or gene remains, or the reference was
        not made by this function.

    Notes
    -----
    The size factor of a cell is its total over all genes, before any is removed, divided by the median over the cells
    that are kept: :math:`l_i = n_i / \operatorname{median}(n)`.

    References
    ----------
    Steps: :cite:p:`Tian2019`.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=200, n_genes=100, seed=0)
    >>> small = sp.pp.prepare_scinfovae(adata, n_top_genes=50)
    >>> small.shape, float(small.obs["scinfovae_size_factor"].median())
    ((200, 50), 1.0)
    """
    if gene_selection not in get_args(GeneSelection):
        raise ValueError(f"gene_selection={gene_selection!r} is not one of {', '.join(get_args(GeneSelection))}.")
    for name, share in (("min_cells", min_cells), ("min_genes", min_genes)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name}={share} must be a share, in [0, 1].")
    if n_top_genes < 1:
        raise ValueError(f"n_top_genes={n_top_genes} must be at least 1.")
    counts = _read_counts(adata, layer)
    totals = np.asarray(counts.sum(axis=1)).ravel()
    if reference is not None:
        return _apply_reference(adata, counts, totals, reference)
    detected = counts > 0
    genes = np.flatnonzero(np.asarray(detected.sum(axis=0)).ravel() >= max(min_cells * adata.n_obs, 1))
    n_detected = np.asarray(detected[:, genes].sum(axis=1)).ravel()
    cells = np.flatnonzero((n_detected >= max(min_genes * len(genes), 1)) & (totals > 0))
    if not len(genes) or not len(cells):
        raise ValueError(
            f"min_cells={min_cells} leaves {len(genes)} genes and min_genes={min_genes} then {len(cells)} cells."
        )
    median = float(np.median(totals[cells]))
    size_factors = totals[cells] / median
    selected = genes[_select_variable_genes(counts[cells][:, genes], size_factors, n_top_genes, gene_selection)]
    record = {
        "median_total": median,
        "gene_selection": gene_selection,
        "n_top_genes": int(n_top_genes),
        "n_genes_detected": len(genes),
        "n_cells_given": int(adata.n_obs),
        "n_genes_given": int(adata.n_vars),
    }
    return _make_adata(adata, counts, cells, selected, size_factors, record)


def _apply_reference(adata: AnnData, counts: sparse.csr_matrix, totals: NDArray[Any], reference: AnnData) -> AnnData:
    """Apply the genes and the size-factor scale of a reference to new cells."""
    record = read_records(reference).get(_RECORD)
    if record is None:
        raise ValueError("reference holds no record of prepare_scinfovae: give what it returned for the model's cells.")
    missing = reference.var_names.difference(adata.var_names)
    if len(missing):
        raise KeyError(f"adata lacks {len(missing)} genes of the reference, among them {missing[0]!r}.")
    if (totals == 0).any():
        raise ValueError(f"{int((totals == 0).sum())} cells of adata have no counts. Remove them.")
    genes = adata.var_names.get_indexer(reference.var_names)
    cells = np.arange(adata.n_obs)
    return _make_adata(adata, counts, cells, genes, totals / record["median_total"], dict(record))


def _make_adata(
    adata: AnnData,
    counts: sparse.csr_matrix,
    cells: NDArray[Any],
    genes: NDArray[Any],
    size_factors: NDArray[Any],
    record: dict[str, Any],
) -> AnnData:
    result = AnnData(
        counts[cells][:, genes],
        obs=adata.obs.iloc[cells].copy(),
        var=adata.var.iloc[genes].copy(),
        layers={name: get_matrix(adata, name)[cells][:, genes].copy() for name in adata.layers if name is not None},
        uns={UNS_KEY: {_RECORD: record}},
    )
    result.obs[SCINFOVAE_SIZE_FACTOR_KEY] = size_factors
    return result


def _read_counts(adata: AnnData, layer: str | None) -> sparse.csr_matrix:
    if layer is not None and layer not in adata.layers:
        raise KeyError(f"layer={layer!r} is not in adata.layers. Available: {format_names(adata.layers)}.")
    counts = sparse.csr_matrix(get_matrix(adata, layer), dtype=np.float32)
    if not np.isfinite(counts.data).all() or (counts.data < 0).any():
        raise ValueError("counts are negative or not finite. Raw counts are needed.")
    if np.any(counts.data != np.floor(counts.data)):
        warnings.warn("counts hold fractions, which are rounded up.", UserWarning, stacklevel=3)
        counts = counts.copy()
        counts.data = np.ceil(counts.data)
    return counts


def _select_variable_genes(
    counts: sparse.csr_matrix, size_factors: NDArray[Any], n_top_genes: int, selection: str
) -> NDArray[np.int64]:
    """Return the genes that vary most in log-normalised counts, in the order of the matrix."""
    if n_top_genes >= counts.shape[1]:
        return np.arange(counts.shape[1])
    normalised = sparse.csr_matrix(sparse.diags(1 / size_factors) @ counts)
    normalised.data = np.log1p(normalised.data)
    if selection == "dispersion":
        table = sc.pp.highly_variable_genes(
            AnnData(normalised), n_top_genes=n_top_genes, flavor="seurat", inplace=False
        )
        score = table["dispersions_norm"].to_numpy(dtype=float)
    else:
        squares = normalised.copy()
        squares.data = squares.data**2
        score = np.asarray(squares.mean(axis=0)).ravel() - np.asarray(normalised.mean(axis=0)).ravel() ** 2
    # A stable sort keeps the number of genes fixed if scores are tied.
    order = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
    return np.sort(order[:n_top_genes])
