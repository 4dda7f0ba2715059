"""Simulate cell types under drugs whose effects partly depend on the type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from scpareto.datasets._counts import draw_negative_binomial
from scpareto.datasets._simulator_arguments import check_counts, check_not_negative, check_positive, check_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray


def simulate_perturbations(
    n_cells: int = 3000,
    n_genes: int = 500,
    *,
    n_types: int = 3,
    n_drugs: int = 18,
    interaction: float = 0.3,
    type_strength: float = 1.0,
    drug_strength: float = 0.5,
    affected_genes: float = 0.2,
    state_strength: float = 0.3,
    counts_per_gene: float = 2.0,
    library_scale: float = 0.3,
    seed: int = 0,
) -> AnnData:
    r"""Simulate every combination of cell type and drug; leave out the cells of a combination to hold it out.

    Parameters
    ----------
    n_cells, n_genes
        Size of the data. The sizes of combinations differ by one cell at most.
    n_types, n_drugs
        Cell types and drugs; ``drug_0`` is the vehicle, without effect.
    interaction
        Share of the variance of the drug effects, in [0, 1], that is specific to each type. With 0 latent arithmetic
        can be exact; with 1 other types carry no information about a type.
    type_strength
        Standard deviation of the log fold changes between types, on a third of the genes.
    drug_strength
        Mean over drugs of the standard deviation of their log fold changes; it rises from a third of this to
        five thirds from the first to the last drug.
    affected_genes
        Share of genes that a drug acts on, in [0, 1], drawn for each drug.
    state_strength
        Standard deviation of the loadings of a continuous state that all types share.
    counts_per_gene
        Median library size divided by ``n_genes``.
    library_scale
        Standard deviation of the log library size.
    seed
        Seed. Equal arguments give equal data; ``interaction`` changes only the weights of shared and specific effects.

    Returns
    -------
    AnnData
        Annotated counts:

        ============================================  ==================================================================
        ``X``                                         integer counts, float32 CSR, no empty cell
        ``obs["cell_type"]``, ``obs["drug"]``         categories ``type_0``, ..., ``drug_0``, ...
        ``obs["state"]``, ``obs["library_size"]``     continuous state, expected counts
        ``varm["type_log_fold_change"]``              one column per type
        ``varm["drug_log_fold_change"]``              whole effect, shape ``(n_genes, n_types, n_drugs)``
        ``uns["simulation"]``                         arguments
        ============================================  ==================================================================

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    With type effect :math:`\tau`, state :math:`u` with loadings :math:`\lambda`, and drug effect

    .. math:: \delta_{tdg} = s_d m_{dg} \left(\sqrt{1 - \rho}\, \epsilon_{dg} + \sqrt{\rho}\, \epsilon_{tdg}\right)

    for interaction :math:`\rho`, affected genes :math:`m` and standard normal :math:`\epsilon`, counts are negative
    binomial around :math:`\ell_i \, \mathrm{softmax}_g(a_g + \tau_{tg} + u_i \lambda_g + \delta_{tdg})`.

    References
    ----------
    The experiment on unseen combinations is that of :cite:p:`YuWelch2021`, on data that cannot be shipped.

    Examples
    --------
    >>> adata = simulate_perturbations(540, 50)
    >>> adata.obs.groupby(["cell_type", "drug"], observed=True).size().unique().tolist()
    [10]
    """
    check_counts(
        n_types=(n_types, 2), n_drugs=(n_drugs, 2), n_cells=(n_cells, n_types * n_drugs), n_genes=(n_genes, 10)
    )
    check_shares(interaction=interaction, affected_genes=affected_genes)
    check_not_negative(
        type_strength=type_strength,
        drug_strength=drug_strength,
        state_strength=state_strength,
        library_scale=library_scale,
    )
    check_positive(counts_per_gene=counts_per_gene)
    rng = np.random.default_rng(seed)
    base = rng.normal(0.0, 1.0, n_genes)
    dispersion = rng.lognormal(np.log(0.2), 0.4, n_genes)
    type_effect = type_strength * rng.standard_normal((n_types, n_genes)) * (rng.random((n_types, n_genes)) < 1 / 3)
    loading = state_strength * rng.standard_normal(n_genes)
    strength = drug_strength * np.linspace(1 / 3, 5 / 3, n_drugs - 1)
    affected = rng.random((n_drugs - 1, n_genes)) < affected_genes
    shared = rng.standard_normal((n_drugs - 1, n_genes))
    type_specific = rng.standard_normal((n_types, n_drugs - 1, n_genes))
    response = np.sqrt(1 - interaction) * shared + np.sqrt(interaction) * type_specific
    drug_effect = np.zeros((n_types, n_drugs, n_genes))
    drug_effect[:, 1:] = strength[:, None] * affected * response

    combination: NDArray[np.int64] = rng.permutation(np.arange(n_cells) % (n_types * n_drugs))
    cell_type, drug = combination // n_drugs, combination % n_drugs
    state = rng.standard_normal(n_cells)
    library_size = counts_per_gene * n_genes * rng.lognormal(0.0, library_scale, n_cells)

    def log_profile(cells: slice) -> NDArray[np.float64]:
        t, d = cell_type[cells], drug[cells]
        return base + type_effect[t] + state[cells, None] * loading + drug_effect[t, d]

    counts = draw_negative_binomial(log_profile, library_size, dispersion, rng)
    types, drugs = [f"type_{t}" for t in range(n_types)], [f"drug_{d}" for d in range(n_drugs)]
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical(np.array(types)[cell_type], types),
            "drug": pd.Categorical(np.array(drugs)[drug], drugs),
            "state": state,
            "library_size": library_size,
        },
        index=[f"cell_{i}" for i in range(n_cells)],
    )
    var = pd.DataFrame(
        {"base_log_expression": base, "dispersion": dispersion}, index=[f"gene_{g}" for g in range(n_genes)]
    )
    varm = {
        "type_log_fold_change": pd.DataFrame(type_effect.T, index=var.index, columns=types),
        "drug_log_fold_change": drug_effect.transpose(2, 0, 1).copy(),
    }
    record = {
        "interaction": float(interaction),
        "type_strength": float(type_strength),
        "drug_strength": float(drug_strength),
        "affected_genes": float(affected_genes),
        "counts_per_gene": float(counts_per_gene),
        "seed": int(seed),
    }
    return AnnData(counts, obs=obs, var=var, varm=varm, uns={"simulation": record})
