"""Read from the judge's record which differences between cells an embedding has lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scpareto._cells import read_records
from scpareto._constants import JUDGE_KEY, UNS_KEY
from scpareto.tl._tables import select_embedding

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
        Whether to list all differences: also those that are kept, too small to judge, seen in too few samples, or
        explained by technical covariates.
    key
        Where in ``adata.uns["scpareto"]`` the record is.

    Returns
    -------
    One row per difference and embedding, the largest loss first: its unique name, batch, sizes of both groups, whether
    they are types or states, the share ``lost`` with interval, the adjusted p-value, whether it ``rings``, marker genes
    of both groups, and the share that technical covariates explain. See :class:`scpareto.metrics.LostContrasts`.
    ``judge(..., groups_key=...)`` writes the group of each cell to ``adata.obs``.

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
    record = read_records(adata).get(key, {})
    if "lost" not in record:
        raise KeyError(
            f"adata.uns[{UNS_KEY!r}] holds no {key!r} with differences: run sp.tl.judge(adata, [...], batch_key=...) "
            "on cells with counts first."
        )
    table = select_embedding(record["lost"], record, use_rep)
    if not all_contrasts:
        table = table[table["rings"]]
    return table.sort_values("lost", ascending=False, ignore_index=True)
