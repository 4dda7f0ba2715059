"""Which differences between cells an embedding has lost, with their genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scpareto._cells import records
from scpareto._constants import JUDGE_KEY, UNS_KEY

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def lost(
    adata: AnnData, use_rep: str | None = None, *, all_contrasts: bool = False, key: str = JUDGE_KEY
) -> pd.DataFrame:
    """Return the differences between groups of cells that judged embeddings have lost.

    Parameters
    ----------
    adata
        Cells whose embeddings :func:`judge` has judged.
    use_rep
        One of the embeddings; None for all.
    all_contrasts
        Whether to list differences that are kept, too small to judge, of few samples or explained by technical
        covariates, too.
    key
        Where in ``adata.uns["scpareto"]`` the record is.

    Returns
    -------
    One row per difference and embedding, the largest loss first: its unique name, batch, sizes of both groups, whether
    they are types or states, the share ``lost`` with interval, the adjusted p-value, whether it ``rings``, marker genes
    of both sides, and what technical covariates explain. See :class:`scpareto.metrics.LostContrasts`. Which cells are
    in which group is written to ``adata.obs`` by ``judge(..., groups_key=...)``.

    Raises
    ------
    KeyError
        If nothing was judged, without counts, or ``use_rep`` was not.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=400, n_genes=100, n_batches=2, seed=0)
    >>> adata.obsm["X_random"] = np.random.default_rng(0).normal(size=(400, 5))
    >>> _ = sp.tl.judge(adata, "X_random", batch_key="batch", n_bootstrap=20)
    >>> rows = sp.tl.lost(adata, "X_random")
    >>> bool(rows["rings"].all()), bool((rows["lost"] > 0.5).all())
    (True, True)
    """
    record = records(adata).get(key, {})
    if "lost" not in record:
        raise KeyError(
            f"adata.uns[{UNS_KEY!r}] holds no {key!r} with differences: run sp.tl.judge(adata, [...], batch_key=...) "
            "on cells with counts first."
        )
    table = record["lost"]
    if use_rep is not None:
        known = list(record["table"].index)
        if use_rep not in known:
            raise KeyError(f"use_rep={use_rep!r} was not judged; judged were {', '.join(map(repr, known))}.")
        table = table[table["embedding"] == use_rep]
    if not all_contrasts:
        table = table[table["rings"]]
    return table.sort_values("lost", ascending=False, ignore_index=True)
