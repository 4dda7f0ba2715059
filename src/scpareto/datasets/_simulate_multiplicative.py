"""Simulate counts with multiplicative batch effects, with and without confounding by composition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_CELLS_PER_BLOCK = 1024
# Types of S2: from common to rare in the first batch, the other way round in the last.
_COMMON_TO_RARE = np.array([0.50, 0.30, 0.10, 0.08, 0.02])
_SHIFT = np.exp(2.0)
# Dirichlet parameter of S4: most batches are one or two types.
_CONCENTRATION = 0.35


@dataclass(frozen=True)
class _Scenario:
    """Differences between batches besides their effects on genes."""

    n_batches: int
    weights: Callable[[NDArray[np.int64], NDArray[np.float64], np.random.Generator], NDArray[np.float64]]
    discrete: bool = False


def _keep_composition(
    batch: NDArray[np.int64], weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the weights unchanged."""
    return weights


def _shift_composition(
    batch: NDArray[np.int64], weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Increase the first factor in every cell of the first batch."""
    shifted = weights.copy()
    shifted[batch == 0, 0] *= _SHIFT
    return shifted


def _reverse_types(
    batch: NDArray[np.int64], weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw one factor per cell; factors that are common in the first batch are rare in the last."""
    n_types = weights.shape[1]
    # The five published shares, interpolated for another number of types.
    shares = np.interp(np.linspace(0, 4, n_types), np.arange(5), _COMMON_TO_RARE)
    mixing = np.linspace(0, 1, batch.max() + 1)[:, None]
    proportions = (1 - mixing) * shares + mixing * shares[::-1]
    return _draw_one_type(proportions, batch, weights, rng)


def _draw_types(
    batch: NDArray[np.int64], weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw one factor per cell, in shares that are drawn for each batch."""
    n_types = weights.shape[1]
    proportions = rng.dirichlet(np.full(n_types, _CONCENTRATION), batch.max() + 1)
    return _draw_one_type(proportions, batch, weights, rng)


def _draw_one_type(
    proportions: NDArray[np.float64], batch: NDArray[np.int64], weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    edges = (proportions / proportions.sum(axis=1, keepdims=True)).cumsum(axis=1)[batch, :-1]
    of_type = np.count_nonzero(rng.random(len(batch))[:, None] > edges, axis=1)
    return np.eye(weights.shape[1])[of_type] * weights.sum(axis=1, keepdims=True)


_SCENARIOS = {
    "S0": _Scenario(2, _keep_composition),
    "S1": _Scenario(2, _shift_composition),
    "S2": _Scenario(2, _reverse_types, discrete=True),
    "S3": _Scenario(3, _keep_composition),
    "S4": _Scenario(3, _draw_types, discrete=True),
}


def simulate_multiplicative(
    n_cells: int = 1000,
    n_genes: int = 500,
    *,
    scenario: str = "S0",
    n_factors: int = 5,
    n_batches: int | None = None,
    effect_strength: float = 1.0,
    mean_count: float | None = None,
    seed: int = 0,
) -> AnnData:
    r"""Simulate Poisson counts whose batches multiply the expression of every gene.

    Each cell is a mixture of a few factors of expression. The scenarios differ in the composition of the batches:

    ========  =======  ========================================================================================
    scenario  batches  composition
    ========  =======  ========================================================================================
    ``"S0"``  2        the same in all batches: the ratio of batch means is as good as any estimate
    ``"S1"``  2        the first factor weighs :math:`e^2` times more in every cell of the first batch
    ``"S2"``  2        one factor a cell (a type); shares .50, .30, .10, .08, .02 in the first batch, reversed in
                       the last
    ``"S3"``  3        the same in all batches
    ``"S4"``  3        one factor a cell (a type), in shares drawn for each batch from Dirichlet(.35): types that are
                       most of one batch may be absent from another
    ========  =======  ========================================================================================

    Parameters
    ----------
    n_cells
        Total number of cells. The batch of each is drawn with equal probability, as in the note.
    n_genes
        Genes.
    scenario
        One of the scenarios above.
    n_factors
        Factors of expression; in S2 and S4 the cell types. The shares of S2 are interpolated where there are not five.
    n_batches
        Batches; None for the number of the scenario. In S2 the shares of batches between the first and the last are
        interpolated.
    effect_strength
        Standard deviation over genes of the log batch effect.
    mean_count
        Mean count to which all rates are scaled; None keeps the rates as drawn (5 factors: about 8, almost no zeros).
        Sparse single-cell data need about 0.1.
    seed
        Seed. Equal arguments give equal data.

    Returns
    -------
    AnnData
        Annotated counts:

        =============================  =================================================================================
        ``X``                          integer counts, float32 CSR; with small ``mean_count`` cells may be empty
        ``obs["batch"]``               category ``batch_0``, ...
        ``obs["factor"]``              category, the factor of largest weight; in S2 and S4 the type
        ``obsm["factor_weights"]``     weights :math:`\theta`, shape ``(n_cells, n_factors)``
        ``varm["factor_loadings"]``    loadings :math:`\beta`, shape ``(n_genes, n_factors)``
        ``varm["batch_log_effect"]``   true :math:`\log \delta`, one column per batch, natural logarithm
        ``varm["unbiased_mean"]``      mean rate in each batch without its effect, one column per batch
        ``uns["simulation"]``          arguments
        =============================  =================================================================================

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    With :math:`\theta_{jt}, \beta_{gt} \sim \mathrm{Gamma}(1)` and :math:`W_{gk}` standard normal, standardised over
    genes,

    .. math::
        Y_{jg} \sim \mathrm{Poisson}\Big(\delta_{g b(j)} \sum_t \beta_{gt} \theta_{jt}\Big), \qquad
        \delta_{gk} = \exp(\mathrm{strength} \cdot W_{gk}) .

    S0 is the generator of the note on batch correction in asapR (Park); the others add confounding. Matching of cells
    cannot separate a continuous shift of composition within cells (S1) from a batch effect.

    Examples
    --------
    >>> adata = simulate_multiplicative(300, 100, scenario="S2", mean_count=0.5)
    >>> adata.shape, adata.varm["batch_log_effect"].shape
    ((300, 100), (100, 2))
    """
    if scenario not in _SCENARIOS:
        raise ValueError(f"`scenario` is {scenario!r}; choose one of {', '.join(map(repr, _SCENARIOS))}.")
    chosen = _SCENARIOS[scenario]
    n_batches = chosen.n_batches if n_batches is None else n_batches
    for name, value, minimum in (
        ("n_batches", n_batches, 2),
        ("n_cells", n_cells, n_batches),
        ("n_genes", n_genes, 2),
        ("n_factors", n_factors, 1),
    ):
        if int(value) != value or value < minimum:
            raise ValueError(f"`{name}` is {value}; give an integer of at least {minimum}.")
    if not 0 <= effect_strength < np.inf:
        raise ValueError(f"`effect_strength` is {effect_strength}; give a finite number of at least 0.")
    if mean_count is not None and not 0 < mean_count < np.inf:
        raise ValueError(f"`mean_count` is {mean_count}; give a finite number above 0, or None.")

    rng = np.random.default_rng(seed)
    batch = rng.integers(n_batches, size=n_cells)
    drawn = rng.standard_normal((n_genes, n_batches))
    log_effect = effect_strength * (drawn - drawn.mean(axis=0)) / drawn.std(axis=0, ddof=1)
    loadings = rng.standard_gamma(1.0, (n_genes, n_factors))
    weights = chosen.weights(batch, rng.standard_gamma(1.0, (n_cells, n_factors)), rng)
    # The mean over cells needs sums of weights by batch only.
    summed = np.stack([weights[batch == b].sum(axis=0) for b in range(n_batches)], axis=1)
    if mean_count is not None:
        total = float(((loadings @ summed) * np.exp(log_effect)).sum())
        weights, summed = (part * (mean_count * n_cells * n_genes / total) for part in (weights, summed))

    effect = np.exp(log_effect).T
    blocks = []
    for start in range(0, n_cells, _CELLS_PER_BLOCK):
        cells = slice(start, start + _CELLS_PER_BLOCK)
        counts = rng.poisson((weights[cells] @ loadings.T) * effect[batch[cells]])
        blocks.append(sparse.csr_matrix(counts.astype(np.float32)))

    batches = [f"batch_{b}" for b in range(n_batches)]
    factors = np.array([f"{'type' if chosen.discrete else 'factor'}_{t}" for t in range(n_factors)])
    genes = pd.Index([f"gene_{g}" for g in range(n_genes)])
    size = np.maximum(np.bincount(batch, minlength=n_batches), 1)
    return AnnData(
        sparse.vstack(blocks, format="csr"),
        obs=pd.DataFrame(
            {
                "batch": pd.Categorical(np.array(batches)[batch], batches),
                "factor": pd.Categorical(factors[weights.argmax(axis=1)], factors.tolist()),
            },
            index=[f"cell_{i}" for i in range(n_cells)],
        ),
        var=pd.DataFrame(index=genes),
        obsm={"factor_weights": weights},
        varm={
            "factor_loadings": loadings,
            "batch_log_effect": pd.DataFrame(log_effect, index=genes, columns=batches),
            "unbiased_mean": pd.DataFrame(loadings @ summed / size, index=genes, columns=batches),
        },
        uns={
            "simulation": {
                "scenario": scenario,
                "n_factors": int(n_factors),
                "effect_strength": float(effect_strength),
                "seed": int(seed),
                **({} if mean_count is None else {"mean_count": float(mean_count)}),
            }
        },
    )
