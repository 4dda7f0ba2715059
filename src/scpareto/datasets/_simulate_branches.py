"""Differentiation along a tree with one branch point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from scpareto.datasets._gamma_poisson import draw_gamma_poisson
from scpareto.datasets._simulator_arguments import check_counts, check_not_negative, check_positive, check_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

_N_TIMES = 50
_SMOOTHNESS = 0.9


def simulate_branches(
    n_cells: int = 3000,
    n_genes: int = 500,
    *,
    n_branches: int = 3,
    n_programs: int = 10,
    program_strength: float = 1.0,
    active_share: float = 0.3,
    base_scale: float = 1.0,
    quadratic: float = 0.2,
    linear: float = 1.0,
    dispersion_scale: float = 0.4,
    counts_per_gene: float = 1.0,
    library_scale: float = 0.4,
    seed: int = 0,
) -> AnnData:
    r"""Simulate a tree of one root branch that splits into the other branches, following the ideas of PROSSTT.

    Parameters
    ----------
    n_cells, n_genes
        Size of the data.
    n_branches
        Total number of branches, with the root branch; 3, 4 and 5 were published.
    n_programs
        Expression programs: smooth random walks along each branch that many genes follow.
    program_strength
        Approximate standard deviation of programs at the end of a branch.
    active_share
        Share of the programs, in [0, 1], that act on a gene; contributions are drawn from a gamma distribution.
    base_scale
        Standard deviation of the log base level of genes.
    quadratic, linear
        Medians of :math:`\alpha_g` and :math:`\beta_g - 1` in the variance :math:`\alpha_g \mu^2 + \beta_g \mu`.
    dispersion_scale
        Standard deviation of the logarithms of both over genes.
    counts_per_gene
        Median library size divided by ``n_genes``.
    library_scale
        Standard deviation of the log library size.
    seed
        Seed. Equal arguments give equal data.

    Returns
    -------
    AnnData
        Annotated counts:

        =============================  =================================================================================
        ``X``                          integer counts, float32 CSR, no empty cell
        ``obs["branch"]``              category ``branch_0`` (the root), ``branch_1``, ...
        ``obs["time"]``                pseudotime: in [0, 1] on the root branch, in [1, 2] on the others
        ``obs["library_size"]``        expected counts
        ``var["base_level"]``          level of the gene at the root
        ``varm["contribution"]``       weight of each program, one column per program
        ``uns["simulation"]``          arguments, and ``programs``, shape ``(n_branches, 50, n_programs)``, on an even
                                       grid of times
        =============================  =================================================================================

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    Programs :math:`w_k(t)` start at 0, move with an autocorrelated velocity and continue from the branch point into
    every branch, so that expression is continuous there. With contributions :math:`h_{kg} \ge 0`, base level
    :math:`a_g` and library size :math:`\ell_i`,

    .. math::
        \mu_{ig} = \ell_i \frac{a_g \exp(\sum_k w_k(t_i) h_{kg})}{\sum_{g'} a_{g'} \exp(\sum_k w_k(t_i) h_{kg'})},
        \qquad x_{ig} \sim \mathrm{NB}(\mu_{ig}, \ \alpha_g \mu_{ig}^2 + \beta_g \mu_{ig}) .

    The exponential keeps relative expression positive; the sum of programs is centred over genes.

    References
    ----------
    :cite:p:`Papadopoulos2019`, :cite:p:`YuWelch2021`.

    Examples
    --------
    >>> adata = simulate_branches(200, 50, n_branches=4)
    >>> adata.obs["branch"].cat.categories.tolist()
    ['branch_0', 'branch_1', 'branch_2', 'branch_3']
    """
    check_counts(n_cells=(n_cells, 1), n_genes=(n_genes, 2), n_branches=(n_branches, 3), n_programs=(n_programs, 1))
    check_shares(active_share=active_share)
    check_not_negative(
        program_strength=program_strength,
        base_scale=base_scale,
        quadratic=quadratic,
        linear=linear,
        dispersion_scale=dispersion_scale,
        library_scale=library_scale,
    )
    check_positive(counts_per_gene=counts_per_gene)
    rng = np.random.default_rng(seed)
    programs = np.stack([_draw_walk(n_programs, program_strength, rng) for _ in range(n_branches)])
    programs[1:] += programs[0, -1]
    contribution = rng.gamma(2.0, 0.5, (n_programs, n_genes)) * (rng.random((n_programs, n_genes)) < active_share)
    base = rng.lognormal(0.0, base_scale, n_genes)
    excess_quadratic = quadratic * rng.lognormal(0.0, dispersion_scale, n_genes)
    excess_linear = linear * rng.lognormal(0.0, dispersion_scale, n_genes)

    branch = rng.integers(n_branches, size=n_cells)
    within = rng.random(n_cells)
    library_size = counts_per_gene * n_genes * rng.lognormal(0.0, library_scale, n_cells)

    def moments(cells: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        place = within[cells] * (_N_TIMES - 1)
        low = np.minimum(place.astype(int), _N_TIMES - 2)
        share = (place - low)[:, None]
        b = branch[cells]
        level = (1 - share) * programs[b, low] + share * programs[b, low + 1]
        log_relative = level @ contribution
        profile = base * np.exp(log_relative - log_relative.mean(axis=1, keepdims=True))
        mean = profile * (library_size[cells] / profile.sum(axis=1))[:, None]
        return mean, excess_quadratic * mean**2 + excess_linear * mean

    counts = draw_gamma_poisson(moments, n_cells, rng)
    branches = [f"branch_{b}" for b in range(n_branches)]
    obs = pd.DataFrame(
        {
            "branch": pd.Categorical(np.array(branches)[branch], branches),
            "time": within + (branch > 0),
            "library_size": library_size,
        },
        index=[f"cell_{i}" for i in range(n_cells)],
    )
    var = pd.DataFrame({"base_level": base}, index=[f"gene_{g}" for g in range(n_genes)])
    columns = [f"program_{k}" for k in range(n_programs)]
    record = {
        "n_branches": int(n_branches),
        "program_strength": float(program_strength),
        "counts_per_gene": float(counts_per_gene),
        "seed": int(seed),
        "programs": programs,
    }
    varm = {"contribution": pd.DataFrame(contribution.T, index=var.index, columns=columns)}
    return AnnData(counts, obs=obs, var=var, varm=varm, uns={"simulation": record})


def _draw_walk(n_programs: int, strength: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw smooth walks that start at 0 and end with standard deviation ``strength``, ``(n_times, n_programs)``."""
    velocity = np.zeros((_N_TIMES, n_programs))
    noise = rng.standard_normal((_N_TIMES, n_programs))
    velocity[0] = noise[0]
    for t in range(1, _N_TIMES):
        velocity[t] = _SMOOTHNESS * velocity[t - 1] + np.sqrt(1 - _SMOOTHNESS**2) * noise[t]
    lags = np.abs(np.subtract.outer(np.arange(1, _N_TIMES), np.arange(1, _N_TIMES)))
    # Standard deviation of the sum of stationary, autocorrelated velocities.
    spread = np.sqrt((_SMOOTHNESS**lags).sum())
    velocity[0] *= 0.0
    return strength * velocity.cumsum(axis=0) / spread
