"""Sum the counts of groups of cells by sample, and test differences between samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import optimize, sparse, special, stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIN_GENES = 10
_MIN_COUNTS = 10
"""A gene with fewer counts over all pseudobulks is not tested."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of the cells, their condition and block.

    Attributes
    ----------
    of_cell
        Number of each cell's sample, shape ``(n_cells,)``.
    names
        Names of the samples.
    is_first
        1 for samples of the first level of the contrast, 0 for the second, NaN for others; None without contrast.
    block
        Block of each sample, for example its donor; None without ``block_key``.
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


def compute_moderated_t(sums: NDArray[np.float64], design: NDArray[np.float64]) -> pd.DataFrame:
    r"""Test the last column of a design by moderated t-tests on log counts per million of pseudobulks.

    Fits :math:`y = \log_2 \left( \frac{c + 0.5}{C + 1} 10^6 \right)` by least squares, with the counts :math:`c` of a
    gene in a pseudobulk and its size :math:`C` (:func:`compute_sizes`) :cite:p:`Law2014`. The residual variance
    :math:`s^2` of each gene, with :math:`d` degrees of freedom, is shrunk towards that of all genes, :math:`s_0^2` with
    :math:`d_0` degrees: :math:`\tilde{s}^2 = (d_0 s_0^2 + d s^2) / (d_0 + d)`. Student's test has :math:`d_0 + d`
    degrees :cite:p:`Smyth2004`.

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
    tested = sums.sum(axis=0) >= _MIN_COUNTS
    y = np.log2((sums + 0.5) / (compute_sizes(sums)[:, None] + 1.0) * 1e6)
    beta, *_ = np.linalg.lstsq(design, y, rcond=None)
    degrees = design.shape[0] - design.shape[1]
    variance = ((y - design @ beta) ** 2).sum(axis=0) / degrees
    tested &= variance > 0
    effect, p = np.where(tested, beta[-1], np.nan), np.full(len(tested), np.nan)
    if tested.any():
        prior, prior_degrees = estimate_prior_variance(variance[tested], degrees)
        total_degrees = degrees + prior_degrees
        moderated = (
            (degrees * variance[tested] + prior_degrees * prior) / total_degrees
            if np.isfinite(prior_degrees)
            else prior
        )
        t = effect[tested] / np.sqrt(moderated * np.linalg.inv(design.T @ design)[-1, -1])
        p[tested] = 2 * (
            stats.t.sf(np.abs(t), total_degrees) if np.isfinite(total_degrees) else stats.norm.sf(np.abs(t))
        )
    return _adjust_p_values(effect, p)


def compute_sizes(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Compute sizes of pseudobulks that a few genes with large changes do not shift.

    The size is the median over genes of :math:`c / \bar{c}`, with the geometric mean :math:`\bar{c}` over pseudobulks
    :cite:p:`Anders2010`, times the mean number of counts. If fewer than ten genes have counts in all pseudobulks, it is
    the number of counts.

    Parameters
    ----------
    sums
        Counts, shape ``(n, n_genes)``.
    """
    total = sums.sum(axis=1)
    in_all = (sums > 0).all(axis=0)
    if in_all.sum() < _MIN_GENES:
        return total
    logs = np.log(sums[:, in_all])
    factors = np.exp(np.median(logs - logs.mean(axis=0), axis=1))
    return factors / factors.mean() * total.mean()


def estimate_prior_variance(variance: NDArray[np.float64], degrees: int) -> tuple[float, float]:
    r"""Estimate the prior variance and its degrees of freedom from the variances of all genes.

    Uses the mean and variance of :math:`e = \log s^2 - \psi(d/2) + \log(d/2)`: :math:`\psi'(d_0/2)` is the variance of
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
    :math:`s_0^2` and :math:`d_0`, which is infinite if variances differ no more than by chance.
    """
    half = degrees / 2
    e = np.log(variance) - special.digamma(half) + np.log(half)
    excess = float(e.var(ddof=1) - special.polygamma(1, half)) if len(e) > 1 else 0.0
    if excess <= 0:
        return float(np.exp(e.mean())), np.inf
    prior_degrees = 2 * float(optimize.brentq(lambda x: special.polygamma(1, x) - excess, 1e-8, 1e8))
    return float(np.exp(e.mean() + special.digamma(prior_degrees / 2) - np.log(prior_degrees / 2))), prior_degrees


def compute_deseq2(sums: NDArray[np.float64], design: NDArray[np.float64]) -> pd.DataFrame:
    """Test the last column of a design by pydeseq2's Wald test; returns the columns of :func:`compute_moderated_t`."""
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.ds import DeseqStats

    tested = sums.sum(axis=0) >= _MIN_COUNTS
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
    table = results.results_df
    effect, p = np.full(sums.shape[1], np.nan), np.full(sums.shape[1], np.nan)
    effect[tested], p[tested] = table["log2FoldChange"], table["pvalue"]
    return _adjust_p_values(effect, p)


def _adjust_p_values(effect: NDArray[np.float64], p: NDArray[np.float64]) -> pd.DataFrame:
    adjusted = np.full(len(p), np.nan)
    tested = np.isfinite(p)
    if tested.any():
        adjusted[tested] = stats.false_discovery_control(p[tested])
    return pd.DataFrame({"effect": effect, "p_value": p, "p_adjusted": adjusted})


def make_design(is_first: NDArray[np.float64], block: NDArray[np.str_] | None) -> NDArray[np.float64] | None:
    """Return intercept, blocks and, last, the contrast; None without full rank or residual degrees of freedom."""
    columns = [np.ones(len(is_first))]
    if block is not None:
        columns += [(block == level).astype(float) for level in np.unique(block)[1:]]
    design = np.column_stack([*columns, is_first])
    full_rank = np.linalg.matrix_rank(design) == design.shape[1]
    return design if full_rank and design.shape[0] > design.shape[1] else None


def compare_shares(
    inside: NDArray[np.int64], total: NDArray[np.int64], design: NDArray[np.float64]
) -> tuple[float, float]:
    """Compare the share of a group among the cells of a sample by quasi-binomial regression.

    Returns
    -------
    Log2 odds ratio of the last column of the design, and its p-value; NaN where the fit fails.
    """
    import warnings

    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    # Half a cell on either side keeps odds finite if a sample has no cell of the group, or no other cell. We pass
    # shares with weights, because statsmodels (0.15) divides the dispersion of pairs of counts by the number of cells.
    share = (inside + 0.5) / (total + 1.0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = sm.GLM(share, design, family=sm.families.Binomial(), var_weights=total + 1.0)
            fit = model.fit(scale="X2", use_t=True)
    except (PerfectSeparationError, np.linalg.LinAlgError, ValueError):
        return np.nan, np.nan
    return float(fit.params[-1] / np.log(2)), float(fit.pvalues[-1])
