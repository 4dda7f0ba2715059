"""Simulate batches, paths and steps as in Splatter, with known factors of variation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from anndata import AnnData

from scpareto.datasets._gamma_poisson import draw_gamma_poisson
from scpareto.datasets._simulator_arguments import check_counts, check_not_negative, check_positive, check_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DEGREES_OF_FREEDOM = 60.0


def simulate_splatter(
    n_cells: int = 3000,
    n_genes: int = 500,
    *,
    n_batches: int = 2,
    n_paths: int = 2,
    n_steps: int = 20,
    step: Literal["linear", "nonlinear"] = "linear",
    nonlinear_share: float = 1.0,
    nonlinear_sigma: float = 0.8,
    mean_shape: float = 0.6,
    mean_rate: float = 0.3,
    outlier_probability: float = 0.05,
    outlier_location: float = 4.0,
    outlier_scale: float = 0.5,
    batch_location: float = 0.1,
    batch_scale: float = 0.1,
    path_probability: float = 0.5,
    path_location: float = 0.01,
    path_scale: float = 0.5,
    biological_variation: float = 0.1,
    counts_per_gene: float = 6.0,
    library_scale: float = 0.2,
    seed: int = 0,
) -> AnnData:
    r"""Simulate cells that move along paths in several batches, following the model of Splatter.

    The four known factors of variation, batch, path, step and library size, are drawn independently, the first three
    uniformly and library size log-normally.

    Parameters
    ----------
    n_cells, n_genes
        Size of the data.
    n_batches, n_paths, n_steps
        Levels of the factors.
    step
        ``"linear"``: expression lies on the straight line from the common start to the end of the path.
        ``"nonlinear"``: it deviates from that line by a Brownian bridge.
    nonlinear_share, nonlinear_sigma
        Share of genes that deviate, in [0, 1], and twice the standard deviation of the log factor half-way. Used with
        ``step="nonlinear"`` only.
    mean_shape, mean_rate
        Gamma distribution of the mean expression of genes.
    outlier_probability, outlier_location, outlier_scale
        A gene is an outlier with this probability; its mean is the median of all means times a log-normal factor.
    batch_location, batch_scale
        Log-normal factor of each gene in each batch.
    path_probability, path_location, path_scale
        A gene changes along a path with this probability, by a log-normal factor, which is inverted for half of them.
    biological_variation
        Common part of the biological coefficient of variation.
    counts_per_gene
        Median library size divided by ``n_genes``; the default of Splatter, 60,000 counts of 10,000 genes, is 6.
    library_scale
        Standard deviation of the log library size.
    seed
        Seed. Equal arguments give equal data.

    Returns
    -------
    AnnData
        Annotated counts:

        ====================================  ==========================================================================
        ``X``                                 integer counts, float32 CSR, no empty cell
        ``obs["batch"]``, ``obs["path"]``     categories ``batch_0``, ..., ``path_0``, ...
        ``obs["step"]``                       integer from 1 (start of the path) to ``n_steps`` (its end)
        ``obs["library_size"]``               expected counts
        ``var["base_mean"]``                  mean expression of the gene before batch and path
        ``var["outlier"]``                    whether the gene is an outlier
        ``varm["batch_factor"]``              one column per batch
        ``varm["path_factor"]``               end of the path against its start, one column per path
        ``uns["simulation"]``                 arguments
        ====================================  ==========================================================================

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    With base mean :math:`m_g`, batch factor :math:`b`, path factor :math:`f` and :math:`u = (s - 1) / (S - 1)` for step
    :math:`s` of :math:`S`, the profile is :math:`m_g b_g (1 + u (f_g - 1)) \exp(w_g(u))`, with :math:`w = 0` (linear
    step) or a Brownian bridge with variance :math:`\sigma^2 u (1 - u)` (non-linear step; on the logarithmic scale here,
    which keeps means positive). Profiles are scaled to the library size, giving :math:`\mu`, and

    .. math::
        B = \left(c + 1 / \sqrt{\mu}\right) \sqrt{60 / \chi^2_{60}}, \qquad
        \lambda \sim \mathrm{Gamma}(1 / B^2, \ \mathrm{mean}\ \mu), \qquad x \sim \mathrm{Poisson}(\lambda)

    with one :math:`\chi^2` draw per gene.

    References
    ----------
    :cite:p:`Zappia2017`, :cite:p:`YuWelch2021`.

    Examples
    --------
    >>> adata = simulate_splatter(200, 50)
    >>> adata.shape, sorted(adata.obs.columns)
    ((200, 50), ['batch', 'library_size', 'path', 'step'])
    """
    check_counts(
        n_cells=(n_cells, 1), n_genes=(n_genes, 2), n_batches=(n_batches, 1), n_paths=(n_paths, 1), n_steps=(n_steps, 2)
    )
    check_shares(
        nonlinear_share=nonlinear_share, outlier_probability=outlier_probability, path_probability=path_probability
    )
    check_not_negative(
        nonlinear_sigma=nonlinear_sigma,
        outlier_scale=outlier_scale,
        batch_scale=batch_scale,
        path_scale=path_scale,
        biological_variation=biological_variation,
        library_scale=library_scale,
    )
    check_positive(mean_shape=mean_shape, mean_rate=mean_rate, counts_per_gene=counts_per_gene)
    if step not in ("linear", "nonlinear"):
        raise ValueError(f"`step` is {step!r}; give 'linear' or 'nonlinear'.")
    rng = np.random.default_rng(seed)
    base = rng.gamma(mean_shape, 1 / mean_rate, n_genes)
    outlier = rng.random(n_genes) < outlier_probability
    factor = rng.lognormal(outlier_location, outlier_scale, n_genes)
    base = np.where(outlier, np.median(base) * factor, base)
    batch_factor = rng.lognormal(batch_location, batch_scale, (n_batches, n_genes))
    path_factor = _draw_path_factors(n_paths, n_genes, path_probability, path_location, path_scale, rng)
    along = np.linspace(0, 1, n_steps)
    # Also drawn with a linear step, so that ``step`` changes nothing else in the random stream.
    strays = rng.random((n_paths, n_genes)) < nonlinear_share
    bridges = _draw_brownian_bridges(n_paths, n_steps, n_genes, rng) * nonlinear_sigma * strays[:, None]
    bridges *= step == "nonlinear"
    chi = np.sqrt(_DEGREES_OF_FREEDOM / rng.chisquare(_DEGREES_OF_FREEDOM, n_genes))

    batch, path = rng.integers(n_batches, size=n_cells), rng.integers(n_paths, size=n_cells)
    position = rng.integers(n_steps, size=n_cells)
    library_size = counts_per_gene * n_genes * rng.lognormal(0.0, library_scale, n_cells)

    def moments(cells: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        b, p, s = batch[cells], path[cells], position[cells]
        profile = base * batch_factor[b] * (1 + along[s, None] * (path_factor[p] - 1)) * np.exp(bridges[p, s])
        mean = profile * (library_size[cells] / profile.sum(axis=1))[:, None]
        # The excess variance B^2 mu^2, without a division by a mean of zero.
        return mean, (biological_variation * mean + np.sqrt(mean)) ** 2 * chi**2

    counts = draw_gamma_poisson(moments, n_cells, rng)
    batches, paths = ([f"{name}_{i}" for i in range(n)] for name, n in (("batch", n_batches), ("path", n_paths)))
    obs = pd.DataFrame(
        {
            "batch": pd.Categorical(np.array(batches)[batch], batches),
            "path": pd.Categorical(np.array(paths)[path], paths),
            "step": position + 1,
            "library_size": library_size,
        },
        index=[f"cell_{i}" for i in range(n_cells)],
    )
    var = pd.DataFrame({"base_mean": base, "outlier": outlier}, index=[f"gene_{g}" for g in range(n_genes)])
    varm = {
        "batch_factor": pd.DataFrame(batch_factor.T, index=var.index, columns=batches),
        "path_factor": pd.DataFrame(path_factor.T, index=var.index, columns=paths),
    }
    record = {
        "step": step,
        "nonlinear_share": float(nonlinear_share),
        "nonlinear_sigma": float(nonlinear_sigma),
        "biological_variation": float(biological_variation),
        "counts_per_gene": float(counts_per_gene),
        "seed": int(seed),
    }
    return AnnData(counts, obs=obs, var=var, varm=varm, uns={"simulation": record})


def _draw_path_factors(
    n_paths: int, n_genes: int, probability: float, location: float, scale: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw the factor of each gene at the end of each path, ``(n_paths, n_genes)``."""
    factor = rng.lognormal(location, scale, (n_paths, n_genes))
    factor = np.where(rng.random(factor.shape) < 0.5, 1 / factor, factor)
    return np.where(rng.random(factor.shape) < probability, factor, 1.0)


def _draw_brownian_bridges(n_paths: int, n_steps: int, n_genes: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw bridges from 0 to 0 with variance ``u (1 - u)`` at ``u`` in [0, 1], ``(n_paths, n_steps, n_genes)``."""
    walk = rng.normal(0.0, np.sqrt(1 / (n_steps - 1)), (n_paths, n_steps, n_genes))
    walk[:, 0] = 0.0
    walk = walk.cumsum(axis=1)
    return walk - np.linspace(0, 1, n_steps)[None, :, None] * walk[:, -1:]
