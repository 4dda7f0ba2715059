"""Technical covariates of cells, and the share of a difference between groups that they explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.metrics._log_components import group_means

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scpareto.metrics._batch_groups import BatchGroups, Contrasts

S_PHASE = frozenset(
    "ATAD2 BLM BRIP1 CCNE2 CDC45 CDC6 CDCA7 CHAF1B CLSPN DSCC1 DTL E2F8 EXO1 FEN1 GINS2 GMNN HELLS MCM2 MCM4 MCM5 MCM6 "
    "MSH2 NASP PCNA POLA1 POLD3 PRIM1 RAD51 RAD51AP1 RFC2 RRM1 RRM2 SLBP TIPIN TYMS UBR7 UHRF1 UNG USP1 WDR76".split()
)
G2M_PHASE = frozenset(
    "ANLN ANP32E AURKA AURKB BIRC5 BUB1 CCNB2 CDC20 CDC25C CDCA2 CDCA3 CDCA8 CDK1 CENPA CENPE CENPF CKAP2L CKAP5 CKS1B "
    "CKS2 DLGAP5 ECT2 GTSE1 HJURP HMGB2 HMMR KIF11 KIF20B KIF23 KIF2C LBR MKI67 NCAPD2 NDC80 NEK2 NUF2 NUSAP1 PSRC1 "
    "RANGAP1 SMC4 TACC3 TMPO TOP2A TPX2 TTK TUBB4B UBE2C".split()
)
"""Genes of the phases after Tirosh et al. (2016), Science 352:189; upper case, as of human and mouse."""
_MIN_GENES = 5
_DEEP_QUANTILE = 0.9


def technical_covariates(
    counts: Any, gene_names: Sequence[str] | None, batch: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return the technical covariates of each cell, by name.

    These are log depth, log number of detected genes, the excess of log depth over its .9 quantile in the batch (high
    for doublets), and, with gene names, the share of mitochondrial counts and the scores of the phases S and G2/M.
    """
    total = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    depth = np.log1p(total)
    deep = np.zeros_like(depth)
    for total_of_genes in np.unique(batch):
        cells = batch == total_of_genes
        deep[cells] = np.maximum(depth[cells] - np.quantile(depth[cells], _DEEP_QUANTILE), 0)
    covariates = {"depth": depth, "detected genes": np.log1p(np.asarray((counts > 0).sum(axis=1)).ravel())}
    covariates["doublet-like depth"] = deep
    names = [str(name).upper() for name in ([] if gene_names is None else gene_names)]
    mitochondrial = [i for i, name in enumerate(names) if name.startswith("MT-")]
    if mitochondrial:
        total_of_genes = np.asarray(counts[:, mitochondrial].sum(axis=1), dtype=np.float64).ravel()
        covariates["mitochondrial share"] = total_of_genes / np.maximum(total, 1)
    for phase, genes in (("cell cycle S", S_PHASE), ("cell cycle G2/M", G2M_PHASE)):
        columns = [i for i, name in enumerate(names) if name in genes]
        if len(columns) >= _MIN_GENES:
            factor = np.median(total) / np.maximum(total, 1)
            total_of_genes = np.asarray(counts[:, columns].sum(axis=1), dtype=np.float64).ravel()
            covariates[phase] = np.log1p(total_of_genes * factor)
    return covariates


def explained_differences(
    scores: NDArray[np.float64],
    covariates: NDArray[np.float64],
    groups: BatchGroups,
    contrasts: Contrasts,
    axes: NDArray[np.float64],
) -> NDArray[np.float64]:
    r"""Return the share of each contrast, along its axis, that covariates explain jointly and one by one.

    Returns
    -------
    Shape ``(1 + n_covariates, n_contrasts)``, in [0, 1]; the first row is the joint share.

    Notes
    -----
    Slopes :math:`\beta` of the scores on covariates :math:`u` are estimated within groups, over all groups of a batch,
    so that a difference between types of different depth is not attributed to depth. The share of a contrast with axis
    :math:`a` is
    :math:`(\bar u_2 - \bar u_1)^\top \beta a / (\bar y_2 - \bar y_1)^\top a`.
    """
    group, n_groups = groups.of_cell, len(groups.size)
    means, levels = group_means(scores, group, n_groups), group_means(covariates, group, n_groups)
    inside = group >= 0
    y, u = scores[inside] - means[group[inside]], covariates[inside] - levels[group[inside]]
    batch = groups.batch[group[inside]]
    rise = contrasts.differences(levels)
    difference = (contrasts.differences(means) * axes).sum(axis=1)
    explained = np.zeros((1 + covariates.shape[1], len(axes)))
    for b in np.unique(groups.batch):
        cells, columns = batch == b, np.flatnonzero(contrasts.batch == b)
        slopes = np.linalg.lstsq(u[cells], y[cells], rcond=1e-6)[0]
        explained[0, columns] = ((rise[columns] @ slopes) * axes[columns]).sum(axis=1)
        for c in range(covariates.shape[1]):
            power = float(u[cells, c] @ u[cells, c])
            if power > 0:
                slope = u[cells, c] @ y[cells] / power
                explained[1 + c, columns] = rise[columns, c] * (axes[columns] @ slope)
    return np.clip(np.divide(explained, difference, out=np.zeros_like(explained), where=difference > 0), 0, 1)
