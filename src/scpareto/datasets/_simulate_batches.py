"""Simulate batches of related cell types with known batch effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from anndata import AnnData

from scpareto.datasets._counts import draw_negative_binomial
from scpareto.datasets._effects import draw_batch_effects, draw_composition, draw_type_effects

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def simulate_batches(
    n_cells: int = 2000,
    n_genes: int = 500,
    *,
    n_batches: int = 3,
    n_types: int = 6,
    batch_strength: float = 1.0,
    type_strength: float = 1.0,
    unique_types: int = 0,
    composition: Literal["unequal", "equal"] | ArrayLike = "unequal",
    concentration: float = 3.0,
    affected_genes: float = 0.5,
    type_specific: float = 0.3,
    state_shift: float = 0.0,
    counts_per_gene: float = 0.5,
    equal_depth: bool = False,
    seed: int = 0,
) -> AnnData:
    r"""Simulate counts of several batches that share related cell types.

    Types belong to lineages (two types each) and differ by lineage markers and weaker type markers; within a lineage a
    continuous state adds variation that labels do not explain. A batch multiplies the expression of a share of the
    genes, partly in some types only, and has its own depth and type proportions.

    Parameters
    ----------
    n_cells
        Total number of cells; the sizes of batches differ by one cell at most.
    n_genes
        Genes.
    n_batches
        Batches.
    n_types
        Cell types.
    batch_strength
        Standard deviation of the log fold change is 0.5 times this for an affected gene. With 0 there is no batch
        effect: batches then differ in type proportions and depth only.
    type_strength
        Factor on the log fold changes of lineage markers, type markers and continuous state.
    unique_types
        Number of types, counted from the last, that occur in one batch only (each in another batch, in turn).
    composition
        Type proportions: ``"unequal"`` draws them for each batch from a Dirichlet distribution, ``"equal"`` gives all
        types the same share, and a matrix of shape ``(n_batches, n_types)`` sets them (rows are rescaled to sum to 1;
        types with a zero are missing in that batch).
    concentration
        Dirichlet parameter of ``composition="unequal"``; larger is more even.
    affected_genes
        Share of genes, in [0, 1], that the batch effect acts on.
    type_specific
        Share of the variance of the batch effect, in [0, 1], that acts only in half of the types, drawn per batch.
    state_shift
        Standard deviations by which the mean of the continuous state rises from one batch to the next. Removing all
        differences between batches then also removes part of the state.
    counts_per_gene
        Median depth of a cell divided by ``n_genes``. The default gives 80 to 90 % zeros.
    equal_depth
        Give all batches the same distribution of depth. ``batch_strength=0, composition="equal", equal_depth=True``
        makes batches exchangeable: the null case for tests.
    seed
        Seed. Equal arguments give equal data.

    Returns
    -------
    AnnData
        Annotated counts:

        ======================================  ========================================================================
        ``X``                                   integer counts, float32 CSR, no empty cell
        ``obs["batch"]``, ``obs["cell_type"]``  categories ``batch_0``, ..., ``type_0``, ...
        ``obs["lineage"]``                      category, the pair of related types
        ``obs["state"]``                        continuous state within the lineage, normal with variance 1
        ``obs["library_size"]``                 expected counts
        ``var["base_log_expression"]``          log expression of the reference
        ``var["dispersion"]``                   excess variance :math:`\phi_g`
        ``var["marker_of"]``                    the lineage or type marked by the gene, or ``"none"``
        ``var["batch_affected"]``               whether the batch effect acts on the gene
        ``varm["type_log_fold_change"]``        type against reference, one column per type
        ``varm["batch_log_fold_change"]``       the part of the batch effect shared by all types, one column per batch
        ``varm["batch_type_log_fold_change"]``  whole batch effect, shape ``(n_genes, n_batches, n_types)``
        ``uns["simulation"]``                   arguments, and ``composition``, the proportions that cells were drawn
                                                from, ``(n_batches, n_types)``
        ======================================  ========================================================================

    Raises
    ------
    ValueError
        If an argument is out of range, or ``unique_types`` is combined with a given composition matrix.

    Notes
    -----
    With base expression :math:`a_g`, type effect :math:`\tau_{tg}`, state loading :math:`\lambda_{lg}`, batch effect
    :math:`\beta_{btg}` and library size :math:`\ell_i`, log-normal around a depth that differs between batches,

    .. math::
        \mu_{ig} = \ell_i \, \mathrm{softmax}_g\!\left(a_g + \tau_{t_i g} + u_i \lambda_{l_i g}
        + \beta_{b_i t_i g}\right), \qquad
        x_{ig} \sim \mathrm{NB}\!\left(\mu_{ig},\ \mu_{ig} + \phi_g \mu_{ig}^2\right),

    .. math::
        \beta_{btg} = \tfrac12 \, \mathrm{strength} \left(\sqrt{1 - f}\, \epsilon_{bg}
        + \sqrt{2 f}\, m_{bt}\, \epsilon_{btg}\right)

    on affected genes, with standard normal :math:`\epsilon`, type-specific share :math:`f` and :math:`m_{bt}` 1 for
    half of the types of each batch. The log-normal gene-wise factors of batches and types follow the idea of
    Splatter (Zappia et al. 2017), the gamma-Poisson counts are common to both; lineages, states and type-specific
    batch effects are added here.

    References
    ----------
    Zappia, L., Phipson, B. and Oshlack, A. (2017). Splatter: simulation of single-cell RNA sequencing data. Genome
    Biology 18, 174.

    Examples
    --------
    >>> adata = simulate_batches(300, 100, n_batches=2, unique_types=1)
    >>> adata.shape, adata.obs["batch"].value_counts().to_dict()
    ((300, 100), {'batch_0': 150, 'batch_1': 150})
    >>> adata.obs.loc[adata.obs["cell_type"] == "type_5", "batch"].nunique()
    1
    """
    _check(
        n_cells=n_cells,
        n_genes=n_genes,
        n_batches=n_batches,
        n_types=n_types,
        unique_types=unique_types,
        batch_strength=batch_strength,
        type_strength=type_strength,
        concentration=concentration,
        affected_genes=affected_genes,
        type_specific=type_specific,
        counts_per_gene=counts_per_gene,
        state_shift=state_shift,
    )
    rng = np.random.default_rng(seed)
    batches = [f"batch_{b}" for b in range(n_batches)]
    types = [f"type_{t}" for t in range(n_types)]
    lineage_of = np.arange(n_types) // 2

    shares = draw_composition(composition, n_batches, n_types, unique_types, concentration, rng)
    batch: NDArray[np.int64] = rng.permutation(np.arange(n_cells) % n_batches)
    # Invert the cumulative proportions of each cell's batch; the last edge, 1 up to rounding, is not needed.
    edges = shares.cumsum(axis=1)[batch, :-1]
    cell_type = np.count_nonzero(rng.random(n_cells)[:, None] > edges, axis=1)
    state = rng.standard_normal(n_cells) + state_shift * (batch - (n_batches - 1) / 2)

    base = rng.normal(0.0, 2.0, n_genes)
    dispersion = rng.lognormal(np.log(0.2), 0.4, n_genes)
    type_effect, loading, marker_of = draw_type_effects(n_genes, types, lineage_of, type_strength, rng)
    shared, batch_effect, affected = draw_batch_effects(
        n_genes, n_batches, n_types, batch_strength, affected_genes, type_specific, rng
    )
    # Drawn even if unused, so that equal_depth changes the depth and nothing else; centred to keep the median.
    depth = rng.normal(0.0, 0.3, n_batches)
    depth = (depth - depth.mean()) * (not equal_depth)
    library_size = counts_per_gene * n_genes * np.exp(depth[batch] + rng.normal(0.0, 0.35, n_cells))

    def log_profile(cells: slice) -> NDArray[np.float64]:
        b, t = batch[cells], cell_type[cells]
        return base + type_effect[t] + state[cells, None] * loading[lineage_of[t]] + batch_effect[b, t]

    counts = draw_negative_binomial(log_profile, library_size, dispersion, rng)
    obs = pd.DataFrame(
        {
            "batch": pd.Categorical(np.array(batches)[batch], batches),
            "cell_type": pd.Categorical(np.array(types)[cell_type], types).remove_unused_categories(),
            "lineage": pd.Categorical([f"lineage_{k}" for k in lineage_of[cell_type]]),
            "state": state,
            "library_size": library_size,
        },
        index=[f"cell_{i}" for i in range(n_cells)],
    )
    var = pd.DataFrame(
        {
            "base_log_expression": base,
            "dispersion": dispersion,
            "marker_of": pd.Categorical(marker_of),
            "batch_affected": affected,
        },
        index=[f"gene_{g}" for g in range(n_genes)],
    )
    varm = {
        "type_log_fold_change": pd.DataFrame(type_effect.T, index=var.index, columns=types),
        "batch_log_fold_change": pd.DataFrame(shared.T, index=var.index, columns=batches),
        "batch_type_log_fold_change": batch_effect.transpose(2, 0, 1).copy(),
    }
    record = {
        "batch_strength": float(batch_strength),
        "type_strength": float(type_strength),
        "unique_types": int(unique_types),
        "affected_genes": float(affected_genes),
        "type_specific": float(type_specific),
        "state_shift": float(state_shift),
        "counts_per_gene": float(counts_per_gene),
        "equal_depth": bool(equal_depth),
        "seed": int(seed),
        "composition": shares,
    }
    return AnnData(counts, obs=obs, var=var, varm=varm, uns={"simulation": record})


def _check(**arguments: float) -> None:
    """Raise an error for arguments out of range."""
    positive = {"n_batches": 1, "n_types": 1, "n_cells": arguments["n_batches"], "n_genes": 2 * arguments["n_types"]}
    for name, minimum in positive.items():
        if int(arguments[name]) != arguments[name] or arguments[name] < minimum:
            raise ValueError(f"`{name}` is {arguments[name]}; give an integer of at least {minimum}.")
    last = arguments["n_types"] - 1
    if int(arguments["unique_types"]) != arguments["unique_types"] or not 0 <= arguments["unique_types"] <= last:
        raise ValueError(
            f"`unique_types` is {arguments['unique_types']}; give an integer from 0 to {last}, "
            "so that at least one type is shared."
        )
    for name in ("affected_genes", "type_specific"):
        if not 0 <= arguments[name] <= 1:
            raise ValueError(f"`{name}` is {arguments[name]}; give a share between 0 and 1.")
    for name in ("batch_strength", "type_strength", "state_shift"):
        if not 0 <= arguments[name] < np.inf:
            raise ValueError(f"`{name}` is {arguments[name]}; give a finite number of at least 0.")
    for name in ("concentration", "counts_per_gene"):
        if not 0 < arguments[name] < np.inf:
            raise ValueError(f"`{name}` is {arguments[name]}; give a finite number above 0.")
