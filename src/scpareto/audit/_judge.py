"""Batch information and preserved neighbourhoods of one set of codes, measured on test cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.metrics import batch_entropy, neighborhood_retention, nn_mutual_information, probe_information

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_ENTROPY_NEIGHBORS = 50


def judge_codes(
    mean: ArrayLike,
    sample: ArrayLike | None,
    batch: ArrayLike,
    *,
    test_indices: ArrayLike,
    expression: ArrayLike | None = None,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> dict[str, float]:
    """Measure on test cells how much batch information codes hold and how much of the expression they keep.

    Both the posterior mean, which users read, and a posterior sample, which training critics see, are judged, because
    an encoder can hide the batch below its own noise, so that only the mean shows it.

    Parameters
    ----------
    mean
        Posterior mean of all cells, shape ``(n_cells, n_latent)``.
    sample
        One posterior sample of all cells, shape ``(n_cells, n_latent)``; None for codes without a posterior, which then
        get only the columns of the mean.
    batch
        Batch (or other nuisance) of all cells, shape ``(n_cells,)``.
    test_indices
        Rows of the test cells. Only these are scored; the probes may also train on the others.
    expression
        Reference representation of all cells, shape ``(n_cells, n_components)``, usually principal components of
        log-normalised expression. Without it there is no retention.
    n_bootstrap
        Bootstrap samples of the intervals.
    seed
        Seed of probes, intervals and estimates.

    Returns
    -------
    dict
        ``leakage_mean``, ``leakage_sample`` with ``_low`` and ``_high`` (95 % interval): information about batch that
        a fresh probe reads, in nats; ``nn_mean``, ``nn_sample``: the nearest-neighbour estimates, in nats;
        ``batch_entropy``: mixing of the batches in neighbourhoods of the mean, in nats, 50 neighbours or a quarter of
        the test cells; ``retention``: overlap of neighbourhoods within batches, in [0, 1], from the mean, NaN without
        ``expression``. Leakage and entropy are NaN where the test cells hold a single batch.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, batches are missing, or ``test_indices`` are not distinct row
        numbers.

    See Also
    --------
    scpareto.metrics.probe_information, scpareto.metrics.nn_mutual_information, scpareto.metrics.neighborhood_retention

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> codes, batch = rng.normal(size=(500, 4)), rng.integers(2, size=500)
    >>> columns = judge_codes(codes, codes, batch, test_indices=np.arange(0, 500, 2), expression=codes)
    >>> columns["retention"], columns["leakage_mean"] < 0.05
    (1.0, True)
    """
    arrays = {"mean": np.asarray(mean)} | ({} if sample is None else {"sample": np.asarray(sample)})
    labels = np.asarray(batch)
    reference = None if expression is None else np.asarray(expression)
    test = _check_indices(test_indices, len(labels))
    for name, array in (arrays | ({} if reference is None else {"expression": reference})).items():
        if array.ndim != 2 or len(array) != len(labels):
            raise ValueError(f"`{name}` has shape {array.shape}; give a matrix with {len(labels)} rows, as in `batch`.")

    columns: dict[str, float] = {}
    for name, codes in arrays.items():
        if len(np.unique(labels[test])) < 2:
            # With a continuous nuisance there may be a single batch, so that there is no information about it.
            columns |= dict.fromkeys((f"leakage_{name}", f"leakage_{name}_low", f"leakage_{name}_high"), float("nan"))
            columns[f"nn_{name}"] = float("nan")
            continue
        probe = probe_information(
            codes[test],
            labels[test],
            extra_codes=codes[~test],
            extra_labels=labels[~test],
            n_bootstrap=n_bootstrap,
            seed=seed,
        )
        columns[f"leakage_{name}"] = probe.value
        columns[f"leakage_{name}_low"] = probe.low
        columns[f"leakage_{name}_high"] = probe.high
        columns[f"nn_{name}"] = nn_mutual_information(codes[test], labels[test], seed=seed)
    has_batches = len(np.unique(labels[test])) > 1
    k = min(_ENTROPY_NEIGHBORS, max(1, int(test.sum()) // 4))
    columns["batch_entropy"] = (
        batch_entropy(arrays["mean"][test], labels[test], n_neighbors=k, seed=seed) if has_batches else float("nan")
    )
    columns["retention"] = (
        float("nan")
        if reference is None
        else neighborhood_retention(reference[test], arrays["mean"][test], labels[test])
    )
    return columns


def _check_indices(indices: ArrayLike, n_cells: int) -> NDArray[np.bool_]:
    """Return the rows as a mask over all cells."""
    rows = np.asarray(indices)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise ValueError(f"`test_indices` has shape {rows.shape} and dtype {rows.dtype}; give a list of row numbers.")
    if len(rows) == 0 or rows.min() < 0 or rows.max() >= n_cells or len(np.unique(rows)) < len(rows):
        raise ValueError(f"`test_indices` must be distinct row numbers from 0 to {n_cells - 1}, at least one.")
    mask = np.zeros(n_cells, dtype=bool)
    mask[rows] = True
    return mask
