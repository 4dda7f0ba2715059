"""Read further tables of the judge's record: populations and control genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scpareto._cells import read_records
from scpareto._constants import JUDGE_KEY, UNS_KEY

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def populations(adata: AnnData, use_rep: str | None = None, *, key: str = JUDGE_KEY) -> pd.DataFrame:
    """Return batch left and structure kept in each population that batches share.

    Parameters
    ----------
    adata
        Cells whose embeddings :func:`judge` has judged.
    use_rep
        One of the embeddings; None for all.
    key
        Where in ``adata.uns["scpareto"]`` the record is.

    Returns
    -------
    One row per population and embedding. ``name``: the most frequent label, or marker genes; ``n_cells`` and, for each
    batch, ``cells_<batch>``; ``batch_left`` in % of the batch information of the reference in that population (NaN if
    it has none) and ``structure_kept`` in %, with intervals; ``structure_of_reference``, the same of uncorrected data.
    ``batch_stays``: the interval lies above that of all cells. ``structure_lost``: the interval lies below that of the
    reference, and the value by five points or more. Population -1 holds the cells without a counterpart in other
    batches.

    Raises
    ------
    KeyError
        If nothing was judged, or ``use_rep`` was not.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=400, n_genes=100, n_batches=2, n_types=3, seed=0)
    >>> adata.obsm["X_random"] = np.random.default_rng(0).normal(size=(400, 5))
    >>> _ = sp.tl.judge(adata, "X_random", batch_key="batch", labels_key="cell_type", n_bootstrap=20)
    >>> table = sp.tl.populations(adata, "X_random")
    >>> bool(table["structure_lost"].any()), table["name"].is_unique
    (True, True)
    """
    return _table(adata, "populations", use_rep, key, "populations")


def control_genes(adata: AnnData, use_rep: str | None = None, *, key: str = JUDGE_KEY) -> pd.DataFrame:
    """Return how much of the pattern of control genes the judged embeddings keep.

    Parameters
    ----------
    adata
        Cells whose embeddings :func:`judge` has judged with ``control_genes``.
    use_rep
        One of the embeddings; None for all.
    key
        Where in ``adata.uns["scpareto"]`` the record is.

    Returns
    -------
    One row per gene and embedding. The pattern of a gene is its covariance between neighbouring cells, in % of that
    between neighbours in the reference, with intervals: ``kept``, across all cells, and ``kept_within_batches``, after
    batches are given equal means in each population. ``between_batches`` is the share of the pattern that lies between
    batches. ``alarm``: the interval of ``kept`` lies below 80 %.

    Raises
    ------
    KeyError
        If no control genes were judged, or ``use_rep`` was not.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=400, n_genes=100, n_batches=2, n_types=3, seed=0)
    >>> adata.obsm["X_random"] = np.random.default_rng(0).normal(size=(400, 5))
    >>> spread = np.asarray(adata.X.todense() if hasattr(adata.X, "todense") else adata.X).var(axis=0)
    >>> gene = adata.var_names[int(spread.argmax())]
    >>> _ = sp.tl.judge(adata, "X_random", batch_key="batch", control_genes=gene, n_bootstrap=20)
    >>> sp.tl.control_genes(adata)["alarm"].tolist()
    [True]
    """
    return _table(adata, "control_genes", use_rep, key, "control_genes=[...]")


def _table(adata: AnnData, name: str, use_rep: str | None, key: str, criteria: str) -> pd.DataFrame:
    record: dict[str, Any] = read_records(adata).get(key, {})
    if name not in record:
        argument_hint = f", {criteria}" if "=" in criteria else ""
        raise KeyError(
            f"adata.uns[{UNS_KEY!r}] holds no {key!r} with {name}: "
            f"run sp.tl.judge(adata, [...], batch_key=...{argument_hint}) first."
        )
    return select_embedding(record[name], record, use_rep).reset_index(drop=True)


def select_embedding(table: pd.DataFrame, record: dict[str, Any], use_rep: str | None) -> pd.DataFrame:
    """Return the rows of one embedding, or of all if ``use_rep`` is None.

    Raises
    ------
    KeyError
        If ``use_rep`` was not judged.
    """
    if use_rep is None:
        return table
    names = list(record["table"].index)
    if use_rep not in names:
        raise KeyError(f"use_rep={use_rep!r} was not judged; judged were {', '.join(map(repr, names))}.")
    return table[table["embedding"] == use_rep]
