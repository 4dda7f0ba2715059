"""Compute the counts of every cell as if it had been measured in one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto._cells import get_matrix, read_records
from scpareto._constants import ADJUST_COUNTS_KEY, BATCH_EFFECT_KEY
from scpareto.pp._check import check_choice
from scpareto.pp._rescale import rescale_counts

if TYPE_CHECKING:
    from anndata import AnnData


def counterfactual_counts(adata: AnnData, batch: str, *, key_added: str | None = None) -> None:
    r"""Write counts of every cell as if measured in one batch to a new layer.

    Parameters
    ----------
    adata
        Data processed by :func:`adjust_counts`; its counts, batches and effects are used.
    batch
        The batch. Its own cells keep their counts.
    key_added
        Layer to write; None for ``f"counterfactual_{batch}"``.

    Returns
    -------
    None. Writes ``layers[key_added]``, expected counts; sparse if the raw counts are.

    Raises
    ------
    KeyError
        If :func:`adjust_counts` has not been run, or its counts or batches do not exist any more.
    ValueError
        If the batch is unknown, or cells are of a batch that has no effects.

    Notes
    -----
    For a cell :math:`j` of batch :math:`b(j)` the count of gene :math:`g` becomes
    :math:`Y_{gj} \, \delta_{gk} / \delta_{g b(j)}` in batch :math:`k`. Depth stays that of the cell. A gene without
    counts in the batch has no estimate there, and its effect is taken as 1.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_multiplicative(400, 100, seed=0)
    >>> sp.pp.adjust_counts(adata)
    >>> sp.pp.counterfactual_counts(adata, "batch_1")
    >>> adata.layers["counterfactual_batch_1"].shape
    (400, 100)
    """
    record = read_records(adata).get(ADJUST_COUNTS_KEY)
    if record is None or BATCH_EFFECT_KEY not in adata.varm:
        raise KeyError("adata holds no batch effects; run sp.pp.adjust_counts(adata, batch_key=...) first.")
    effect: pd.DataFrame = adata.varm[BATCH_EFFECT_KEY]
    check_choice("batch", str(batch), list(effect.columns))
    key, layer = str(record["batch_key"]), record.get("layer")
    for name, where, attribute in ((key, adata.obs, "obs"), (layer, adata.layers, "layers")):
        if name is not None and name not in where:
            raise KeyError(f"{name!r} is no longer in adata.{attribute}, where adjust_counts found it.")
    batch_of_cell = pd.Categorical(adata.obs[key].astype(str), list(effect.columns)).codes.astype(np.int64)
    if (batch_of_cell < 0).any():
        unknown = adata.obs[key].astype(str)[batch_of_cell < 0].iloc[0]
        raise ValueError(f"cells of batch {unknown!r} have no effects; known batches: {', '.join(map(repr, effect))}.")
    delta = effect.to_numpy()
    target = effect[str(batch)].to_numpy()[:, None]
    counts = get_matrix(adata, layer)
    adata.layers[key_added or f"counterfactual_{batch}"] = rescale_counts(counts, batch_of_cell, target / delta)
