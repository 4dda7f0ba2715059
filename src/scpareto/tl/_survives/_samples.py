"""Counts of groups of cells summed up by sample, and how they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import optimize, sparse, special, stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_GENES = 10
_LEAST_COUNTS = 10
"""Counts of a gene over all pseudobulks below which it is not tested."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of the cells, and what is compared between them.

    Attributes
    ----------
    of_cell
        Number of each cell's sample, shape ``(n_cells,)``.
    names
        Names of the samples.
    is_first
        Whether a sample has the first level of the contrast, NaN for samples that have neither; None without contrast.
    block
        Block of each sample, for example its donor; None if there are none.
    """

    of_cell: NDArray[np.int64]
    names: list[str]
    is_first: NDArray[np.float64] | None
    block: NDArray[np.str_] | None


def pseudobulk(
    counts: sparse.csr_matrix, sample: NDArray[np.int64], inside: NDArray[np.bool_], n_samples: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sum the counts of the cells inside by sample.

    Returns
    -------
    Sums, shape ``(n_samples, n_genes)``, and the number of cells, shape ``(n_samples,)``.
    """
    cells = np.flatnonzero(inside)
    which = sparse.csr_matrix((np.ones(len(cells)), (sample[cells], cells)), shape=(n_samples, counts.shape[0]))
    return np.asarray((which @ counts).todense()), np.bincount(sample[cells], minlength=n_samples)


def compared(sums: NDArray[np.float64], design: NDArray[np.float64]) -> pd.DataFrame:
    r"""Test the last column of a design by moderated t-tests on log counts per million of pseudobulks.

    Least squares of :math:`y = \log_2 \left( \frac{c + 0.5}{C + 1} 10^6 \right)`, of the counts :math:`c` of a gene in
    a pseudobulk and its size :math:`C` (:func:`sizes`) :cite:p:`Law2014`. The residual variance :math:`s^2` of each
    gene, with :math:`d` degrees of freedom, is drawn towards that of all genes, :math:`s_0^2` with :math:`d_0` degrees:
    :math:`\tilde{s}^2 = (d_0 s_0^2 + d s^2) / (d_0 + d)`, and Student's test has :math:`d_0 + d` degrees
    :cite:p:`Smyth2004`.

    Parameters
    ----------
    sums
        Counts of pseudobulks, shape ``(n, n_genes)``.
    design
        Shape ``(n, n_coefficients)``, of full rank, with fewer coefficients than pseudobulks.

    Returns
    -------
    One row per gene: ``effect``, log2 fold change; ``p_value``; and ``p_adjusted`` by Benjamini and Hochberg over the
    genes with ten counts or more. The others have NaN.
    """
    tested = sums.sum(axis=0) >= _LEAST_COUNTS
    y = np.log2((sums + 0.5) / (sizes(sums)[:, None] + 1.0) * 1e6)
    beta, *_ = np.linalg.lstsq(design, y, rcond=None)
    degrees = design.shape[0] - design.shape[1]
    variance = ((y - design @ beta) ** 2).sum(axis=0) / degrees
    tested &= variance > 0
    effect, p = np.where(tested, beta[-1], np.nan), np.full(len(tested), np.nan)
    if tested.any():
        prior, more = prior_variance(variance[tested], degrees)
        whole = degrees + more
        drawn = (degrees * variance[tested] + more * prior) / whole if np.isfinite(more) else prior
        t = effect[tested] / np.sqrt(drawn * np.linalg.inv(design.T @ design)[-1, -1])
        p[tested] = 2 * (stats.t.sf(np.abs(t), whole) if np.isfinite(whole) else stats.norm.sf(np.abs(t)))
    return _with_adjusted(effect, p)


def sizes(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Sizes of pseudobulks that a few genes with large changes do not shift.

    The median over genes of :math:`c / \bar{c}`, with the geometric mean :math:`\bar{c}` over pseudobulks
    :cite:p:`Anders2010`, times the mean number of counts. Where fewer than ten genes have counts in all pseudobulks,
    the number of counts.

    Parameters
    ----------
    sums
        Counts, shape ``(n, n_genes)``.
    """
    total = sums.sum(axis=1)
    known = (sums > 0).all(axis=0)
    if known.sum() < _LEAST_GENES:
        return total
    logs = np.log(sums[:, known])
    factors = np.exp(np.median(logs - logs.mean(axis=0), axis=1))
    return factors / factors.mean() * total.mean()


def prior_variance(variance: NDArray[np.float64], degrees: int) -> tuple[float, float]:
    r"""Estimate the variance of all genes and its degrees of freedom from the variances of each.

    By the mean and variance of :math:`e = \log s^2 - \psi(d/2) + \log(d/2)`: :math:`\psi'(d_0/2)` is the variance of
    :math:`e` less :math:`\psi'(d/2)`, and :math:`\log s_0^2` its mean plus :math:`\psi(d_0/2) - \log(d_0/2)`
    :cite:p:`Smyth2004`.

    Parameters
    ----------
    variance
        Residual variance of each gene, above 0.
    degrees
        Their degrees of freedom.

    Returns
    -------
    :math:`s_0^2` and :math:`d_0`, which is infinite where variances differ no more than by chance.
    """
    half = degrees / 2
    e = np.log(variance) - special.digamma(half) + np.log(half)
    excess = float(e.var(ddof=1) - special.polygamma(1, half)) if len(e) > 1 else 0.0
    if excess <= 0:
        return float(np.exp(e.mean())), np.inf
    more = 2 * float(optimize.brentq(lambda x: special.polygamma(1, x) - excess, 1e-8, 1e8))
    return float(np.exp(e.mean() + special.digamma(more / 2) - np.log(more / 2))), more


def compared_by_deseq2(sums: NDArray[np.float64], design: NDArray[np.float64]) -> pd.DataFrame:
    """Wald test of DESeq2, as pydeseq2 has it, of the last column of a design; returns what :func:`compared` does."""
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.ds import DeseqStats

    tested = sums.sum(axis=0) >= _LEAST_COUNTS
    rows = [f"s{i}" for i in range(len(sums))]
    columns = [f"x{i}" for i in range(design.shape[1])]
    data = DeseqDataSet(
        counts=pd.DataFrame(sums[:, tested].astype(int), index=rows),
        metadata=pd.DataFrame({"sample": rows}, index=rows),
        design=pd.DataFrame(design, index=rows, columns=columns),
        quiet=True,
    )
    data.deseq2()
    contrast = np.zeros(design.shape[1])
    contrast[-1] = 1.0
    results = DeseqStats(data, contrast=contrast, quiet=True, independent_filter=False)
    results.summary()
    found = results.results_df
    effect, p = np.full(sums.shape[1], np.nan), np.full(sums.shape[1], np.nan)
    effect[tested], p[tested] = found["log2FoldChange"], found["pvalue"]
    return _with_adjusted(effect, p)


def _with_adjusted(effect: NDArray[np.float64], p: NDArray[np.float64]) -> pd.DataFrame:
    adjusted = np.full(len(p), np.nan)
    known = np.isfinite(p)
    if known.any():
        adjusted[known] = stats.false_discovery_control(p[known])
    return pd.DataFrame({"effect": effect, "p_value": p, "p_adjusted": adjusted})


def design_of(is_first: NDArray[np.float64], block: NDArray[np.str_] | None) -> NDArray[np.float64] | None:
    """Intercept, blocks and, last, the contrast; None where these cannot be told apart or leave no freedom."""
    columns = [np.ones(len(is_first))]
    if block is not None:
        columns += [(block == level).astype(float) for level in np.unique(block)[1:]]
    design = np.column_stack([*columns, is_first])
    full = np.linalg.matrix_rank(design) == design.shape[1]
    return design if full and design.shape[0] > design.shape[1] else None


def shares_compared(
    inside: NDArray[np.int64], total: NDArray[np.int64], design: NDArray[np.float64]
) -> tuple[float, float]:
    """Quasi-binomial regression of the share of a group among the cells of a sample.

    Returns
    -------
    Log2 odds ratio of the last column of the design, and its p-value; NaN where the fit fails.
    """
    import warnings

    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    # Half a cell on either side keeps odds finite where a sample has none of the group, or nothing else. As shares with
    # weights: of pairs of counts statsmodels (0.15) divides the dispersion by the number of cells.
    share = (inside + 0.5) / (total + 1.0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = sm.GLM(share, design, family=sm.families.Binomial(), var_weights=total + 1.0)
            fit = model.fit(scale="X2", use_t=True)
    except (PerfectSeparationError, np.linalg.LinAlgError, ValueError):
        return np.nan, np.nan
    return float(fit.params[-1] / np.log(2)), float(fit.pvalues[-1])
