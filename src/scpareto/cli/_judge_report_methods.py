"""Write a paragraph for a methods section, and its references."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("scpareto", "anndata", "scanpy", "numpy", "scipy", "scikit-learn", "scib-metrics")
_BASE = (
    "Embeddings of {n_cells:,} cells were judged with scpareto {version}. Populations that batches share were found by "
    "clustering the cells of each batch and matching clusters reciprocally across batches. The share of the batch that "
    "is left is the information about the batch within these populations, estimated by cross-fitted classifiers with "
    "common random numbers for all embeddings [1], as a share of what {reference} hold [2]."
)
_STRUCTURE = (
    " The structure kept is how much nearer the neighbours of a cell are than random cells in genes, or in halves of "
    "the counts split binomially [3], that the embedding has not used, relative to neighbours in the other half. "
    "Losses of differences between groups of cells were tested against the uncorrected data with max-T adjustment over "
    "all differences and embeddings [4]."
)
_CONDITION = {
    "within batches": (
        " What is kept of {key} is the information about it within each population of each batch, as a share of what "
        "the uncorrected data hold."
    ),
    "across batches": (
        " What is kept of {key} is the information about it within populations that classifiers find in batches left "
        "out of their training, as a share of what the uncorrected data hold."
    ),
}
_GENES = (
    " For control genes ({genes}) we give the covariance of a cell with its neighbours in the embedding, as a share of "
    "that in the uncorrected data."
)
_LABELS = " Scores by annotated types ({key}) are those of scib-metrics [5]."
_INTERVALS = " Intervals are 95 % bootstrap intervals over {interval_of}."
_REFERENCES = (
    "Barber, D. & Agakov, F. The IM algorithm: a variational approach to information maximization. Advances in Neural "
    "Information Processing Systems 16 (2003).",
    "Wolf, F. A., Angerer, P. & Theis, F. J. SCANPY: large-scale single-cell gene expression data analysis. Genome "
    "Biology 19, 15 (2018). doi:10.1186/s13059-017-1382-0",
    "Neufeld, A., Gao, L. L., Popp, J., Battle, A. & Witten, D. Inference after latent variable estimation for "
    "single-cell RNA sequencing data. Biostatistics 25, 270-287 (2024). doi:10.1093/biostatistics/kxac047",
    "Westfall, P. H. & Young, S. S. Resampling-based multiple testing. Wiley (1993).",
    "Luecken, M. D. et al. Benchmarking atlas-level data integration in single-cell genomics. Nature Methods 19, 41-50 "
    "(2022). doi:10.1038/s41592-021-01336-8",
)


def write_methods(record: dict[str, Any]) -> str:
    """Return the paragraph for a methods section."""
    arguments = record["arguments"]
    reference = arguments["reference"]
    default_reference = "uncorrected principal components of log-normalised counts"
    text = _BASE.format(
        n_cells=int(arguments["n_cells"]),
        version=record["version"],
        reference=default_reference
        if reference == "components"
        else f"the dimensions of the uncorrected embedding {reference}",
    )
    if "lost" in record:
        text += _STRUCTURE
    if "protected" in record:
        design = _CONDITION.get(record["protected"]["design"], "")
        text += design.format(key=record["protected"]["key"])
    if "control_genes" in record:
        text += _GENES.format(genes=arguments["control_genes"])
    if arguments["labels_key"]:
        text += _LABELS.format(key=arguments["labels_key"])
    over_samples = record["interval_of"] == "samples"
    return text + _INTERVALS.format(interval_of="the samples" if over_samples else "the cells that were judged")


def list_references(record: dict[str, Any]) -> list[str]:
    """Return the references of the paragraph, in its numbering, and the package."""
    cited = list(_REFERENCES if record["arguments"]["labels_key"] else _REFERENCES[:4])
    return [*cited, f"scpareto, version {record['version']}."]


def describe_versions() -> str:
    """Return the versions of Python and of the packages used."""
    texts = [f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            texts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(texts)
