"""Designs: which cells, which batches, which population is taken out of one of them, and how strong the effect is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from shared import data_folder

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

SETTINGS = {
    "small": {"n_cells": 1200, "n_genes": 500},
    "full": {"n_cells": 4000, "n_genes": 2000},
}
GENE_WISE, OF_POPULATIONS = 0.5, 0.2
"""Standard deviation of log effects at strength 1, of a gene and of a gene in one population."""


@dataclass(frozen=True)
class Design:
    """One planted loss.

    Parameters
    ----------
    dataset
        File of real cells.
    population
        The planted population, by the truth.
    depleted
        Batch that it is taken out of.
    share
        Share of its cells there that are taken out.
    batches
        Levels of ``obs["batch"]`` that are used; None for pseudo-batches, ``a`` and ``b``.
    within
        One batch whose cells are dealt to the pseudo-batches; None for all.
    strength
        Strength of the effect on counts of pseudo-batches; None for real batches.
    truth
        Column that says what a cell is.
    """

    dataset: str
    population: str
    depleted: str
    share: float
    batches: tuple[str, ...] | None = None
    within: str | None = None
    strength: float | None = None
    truth: str = "cell_type"

    @property
    def name(self) -> str:
        """Name in tables."""
        effect = "real" if self.strength is None else f"{self.strength:g}"
        return f"{self.dataset}: {self.population} -{100 * self.share:.0f} % in {self.depleted}, effect {effect}"

    @property
    def is_null(self) -> bool:
        """Whether batches differ in nothing but what was taken out."""
        return self.strength == 0


def designs() -> list[Design]:
    """All designs, those of the data sets in turn, so that a run that ends early has some of each."""
    sorted_cells = [("NK cell", 0, 0.0), ("NK cell", 1, 1.0), ("NK cell", 2, 1.0), ("NK cell", 0, 1.0)]
    sorted_cells += [("B cell", 1, 1.0), ("NK cell", 1, 0.9), ("NK cell", 2, 0.9), ("B cell", 2, 1.0)]
    sorted_cells += [("NK cell", 1, 0.5), ("NK cell", 1, 0.0)]
    facs = [Design("pbmc_facs", p, "b", share, strength=strength) for p, strength, share in sorted_cells]
    protocols = {"batches": ("10x", "CEL-seq2", "Drop-seq")}
    lines = [Design("celllines_3protocols", "H2228", "10x", share, **protocols) for share in (1.0, 0.9, 0.0)]
    lines += [Design("celllines_3protocols", "HCC827", "10x", 1.0, **protocols)]
    lines += [Design("celllines_3protocols", "H2228", "b", 1.0, within="10x", strength=s) for s in (0, 1)]
    progenitors = {"population": "Blood progenitors 2", "depleted": "3", "batches": ("3", "4")}
    chimera = [Design("tal1_chimera", share=share, **progenitors) for share in (1.0, 0.9, 0.0)]
    chimera += [Design("tal1_chimera", "Blood progenitors 2", "1", 1.0, batches=("1", "3"))]
    chimera += [Design("tal1_chimera", "Blood progenitors 2", "b", 0.0, within="3", strength=0)]
    species = {"batches": ("human", "mouse")}
    pancreas = [
        Design("pancreas_baron_orthologues", "acinar", "mouse", 1.0, **species),
        Design("pancreas_baron_orthologues", "ductal", "mouse", 1.0, **species),
        Design("pancreas_baron_orthologues", "delta", "human", 1.0, **species),
        Design("pancreas_baron_orthologues", "ductal", "b", 0.0, within="human", strength=0),
    ]
    regions = {"batches": ("fovea", "peripheral"), "truth": "cell_type_fine"}
    retina = [
        Design("retina_fovea_periphery", "c15", "peripheral", 1.0, **regions),
        Design("retina_fovea_periphery", "c13", "fovea", 1.0, **regions),
        Design("retina_fovea_periphery", "c11", "peripheral", 1.0, **regions),
        Design("retina_fovea_periphery", "c6", "b", 0.0, within="peripheral", strength=0, truth="cell_type_fine"),
    ]
    protein = [Design("pbmc_citeseq_2batches", "CD14", "PBMC10k", 1.0, batches=("PBMC10k", "PBMC5k"), truth="protein")]
    sets = [facs, lines, chimera, pancreas, retina, protein]
    first = [own[i] for i in range(max(map(len, sets))) for own in sets if i < len(own)]
    # Added when 13 of the designs above had shown that populations that stand apart are lost by hardly anyone.
    relatives = [("CD8+ Cytotoxic T", 1), ("CD8+/CD45RA+ Naive Cytotoxic", 1)]
    relatives += [("CD8+ Cytotoxic T", 2), ("CD8+/CD45RA+ Naive Cytotoxic", 2)]
    options: dict[str, Any] = {"depleted": "b", "share": 1.0, "truth": "cell_type_fine"}
    return first + [Design("pbmc_facs", name, strength=strength, **options) for name, strength in relatives]


def cells_of(design: Design, setting: str, seed: int) -> AnnData:
    """Cells of a design, with ``obs["batch"]``, the withheld ``obs["truth"]`` and the most variable genes."""
    import scanpy as sc

    rng = np.random.default_rng([seed, 7])
    adata = sc.read_h5ad(data_folder() / f"{design.dataset}.h5ad")
    adata.obs["truth"] = truth_of(adata, design.truth)
    if "batch" in adata.obs:
        used = [design.within] if design.within else design.batches
        adata = adata[adata.obs["batch"].astype(str).isin(used or [])].copy()
    limit = SETTINGS[setting]["n_cells"]
    adata = adata[np.sort(rng.permutation(adata.n_obs)[:limit])].copy()
    if design.strength is not None:
        adata.obs["batch"] = np.where(rng.permutation(adata.n_obs) % 2 == 0, "a", "b")
        adata.X = with_effect(adata, design.strength, rng)
    batch, truth = (adata.obs[column].astype(str).to_numpy() for column in ("batch", "truth"))
    candidates = np.flatnonzero((truth == design.population) & (batch == design.depleted))
    taken = rng.permutation(candidates)[: round(design.share * len(candidates))]
    adata = adata[np.setdiff1d(np.arange(adata.n_obs), taken)].copy()
    return with_variable_genes(adata, SETTINGS[setting]["n_genes"])


def truth_of(adata: AnnData, column: str) -> NDArray[np.str_]:
    """What cells are: a column, or for measured proteins the marker by which a cell stands out most."""
    if column != "protein":
        return adata.obs[column].astype(str).to_numpy()
    counts = np.log1p(np.asarray(adata.obsm["protein_counts"], dtype=np.float64))
    scores = counts - counts.mean(axis=1, keepdims=True)
    batch = adata.obs["batch"].astype(str).to_numpy()
    for level in np.unique(batch):
        own = batch == level
        scores[own] = (scores[own] - scores[own].mean(axis=0)) / scores[own].std(axis=0)
    names = [str(name).split("_")[0] for name in adata.uns["protein_names"]]
    markers = ["CD4", "CD8a", "CD14", "CD16", "CD19", "CD56"]
    return np.array(markers)[scores[:, [names.index(marker) for marker in markers]].argmax(axis=1)]


def with_effect(adata: AnnData, strength: float, rng: np.random.Generator) -> Any:
    """Counts whose rates differ between the pseudo-batches by a factor of each gene, and of each gene and population.

    Counts are thinned only: in one batch those of genes whose factor is above 1, in the other one the rest, so that
    ratios are exact and nothing is invented.
    """
    from scipy import sparse

    counts = sparse.csr_matrix(adata.X).astype(np.int64)
    populations, number = np.unique(adata.obs["truth"].astype(str), return_inverse=True)
    factors = GENE_WISE * rng.normal(size=counts.shape[1])
    factors = factors + OF_POPULATIONS * rng.normal(size=(len(populations), counts.shape[1]))
    sign = np.where(adata.obs["batch"].to_numpy() == "a", 1.0, -1.0)
    row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    log_factor = strength * sign[row] * factors[number[row], counts.indices]
    counts.data = rng.binomial(counts.data, np.exp(np.minimum(log_factor, 0.0)))
    counts.eliminate_zeros()
    return counts.astype(np.float32)


def with_variable_genes(adata: AnnData, n_genes: int) -> AnnData:
    """Cells with the most variable genes, and only cells that have counts of these."""
    import scanpy as sc
    import torch

    adata = adata[:, np.asarray(adata.X.sum(axis=0)).ravel() > 0].copy()
    normalised = adata.copy()
    sc.pp.normalize_total(normalised, target_sum=1e4)
    sc.pp.log1p(normalised)
    sc.pp.highly_variable_genes(normalised, n_top_genes=min(n_genes, adata.n_vars), batch_key="batch")
    # numba in the lines above has raised the number of threads that torch shares.
    torch.set_num_threads(1)
    adata = adata[:, normalised.var["highly_variable"].to_numpy()]
    return adata[np.asarray(adata.X.sum(axis=1)).ravel() > 0].copy()
