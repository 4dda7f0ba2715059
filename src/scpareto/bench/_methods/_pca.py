"""No correction: principal components of all cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scpareto.bench._registry import register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells


@register_method(
    "pca",
    title="PCA, uncorrected",
    family="uncorrected",
    library="scanpy",
    reference="Wolf et al. 2018",
    returns="expression",
    reads_batch=False,
)
def pca(cells: Cells) -> NDArray:
    """Return principal components of log-normalised expression.

    Parameters
    ----------
    cells
        The cells.

    Returns
    -------
    Thirty components, or fewer if there are fewer cells or genes, shape ``(n_cells, 30)``.
    """
    return cells.components.copy()
