"""Error of a random forest that separates generated from real cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from scpareto.metrics._checks import check_count, check_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def random_forest_error(
    real: ArrayLike,
    generated: ArrayLike,
    *,
    reference: ArrayLike | None = None,
    n_components: int | None = None,
    n_trees: int = 1000,
    n_splits: int = 5,
    seed: int = 0,
) -> float:
    r"""Cross-validated error of a random forest that tells generated cells from real ones.

    Parameters
    ----------
    real, generated
        Expression on the same scale, shapes ``(n_real, n_genes)`` and ``(n_generated, n_genes)``. Give equally many
        cells of both kinds, and real cells that the generator has not seen.
    reference
        Cells that principal components are fitted to, usually the training cells; None for both kinds together.
        Components fitted to the scored real cells alone would make them recognisable.
    n_components
        Principal components; None for 50, at most a tenth of the real cells and fewer than there are genes or reference
        cells.
    n_trees, n_splits
        Trees of each forest, and parts of the cross-validation.
    seed
        Seed of parts and forests.

    Returns
    -------
    float
        Share of cells that are classified as the other kind: about 0.5 if the kinds cannot be distinguished, 0 if they
        are always recognised. Larger is better. Compare it with the error of real against real cells of the same
        number, which is the highest error to expect.

    Raises
    ------
    ValueError
        If numbers of genes differ, values are not finite, or there are fewer cells of a kind than parts.

    References
    ----------
    :cite:p:`YuWelch2021`.

    Examples
    --------
    >>> import numpy as np
    >>> cells = np.random.default_rng(0).normal(size=(200, 5))
    >>> random_forest_error(cells[:100], cells[100:] + 10, n_trees=20)
    0.0
    """
    x, y = check_matrix(real, "real"), check_matrix(generated, "generated")
    fitted_cells = None if reference is None else check_matrix(reference, "reference")
    genes = x.shape[1] if fitted_cells is None else fitted_cells.shape[1]
    if not x.shape[1] == y.shape[1] == genes:
        raise ValueError(f"numbers of genes differ: real {x.shape[1]}, generated {y.shape[1]}, reference {genes}.")
    base = np.concatenate([x, y]) if fitted_cells is None else fitted_cells
    check_count(n_trees, "n_trees", minimum=1)
    check_count(n_splits, "n_splits", minimum=2)
    if min(len(x), len(y)) < n_splits:
        raise ValueError(f"there are {len(x)} real and {len(y)} generated cells; {n_splits} parts need as many.")
    most = min(base.shape[1], len(base))
    n_wanted = min(50, max(2, len(x) // 10)) if n_components is None else n_components
    pca = PCA(min(check_count(n_wanted, "n_components", minimum=1), most), random_state=seed).fit(base)
    components = pca.transform(np.concatenate([x, y]))
    kind = np.repeat([0, 1], [len(x), len(y)])
    forest = RandomForestClassifier(n_trees, random_state=seed, n_jobs=1)
    parts = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    return float((cross_val_predict(forest, components, kind, cv=parts) != kind).mean())
