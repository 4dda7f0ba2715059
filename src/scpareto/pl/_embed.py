"""Embed codes of several points in two dimensions, aligned with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike


def embed(
    codes: Mapping[int, ArrayLike],
    *,
    basis: Literal["umap", "tsne"] = "umap",
    seed: int = 0,
    n_neighbors: int = 15,
    n_epochs: int = 200,
) -> dict[int, np.ndarray]:
    """Embed the codes of several points in two dimensions, such that cells move little from point to point.

    The embedding of the first point starts from its principal components, each further one from the preceding
    embedding. Each is then rotated, reflected and shifted (but not scaled) onto the preceding one.

    Parameters
    ----------
    codes
        Codes of the same `n` cells by point number, each of shape `(n, d)`. Points are embedded in order of their
        number.
    basis
        `"umap"` or `"tsne"`.
    seed
        Equal seeds give equal embeddings.
    n_neighbors
        Size of the neighbourhoods; the perplexity of t-SNE is twice as large, as is usual.
    n_epochs
        Optimisation steps for each point; t-SNE uses 550 more for the first point and 250 more for the others.

    Returns
    -------
    Coordinates by point number, each of shape `(n, 2)`, in order of the numbers.

    Raises
    ------
    ValueError
        If there are no codes, the points differ in cells, codes are not finite or `basis`, `n_neighbors` or
        `n_epochs` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto.pl as pl
    >>> cells = np.random.default_rng(0).normal(size=(60, 5))
    >>> embedding = pl.embed({0: cells, 1: cells + 0.1}, n_epochs=20)
    >>> sorted(embedding), embedding[1].shape
    ([0, 1], (60, 2))
    """
    if basis not in _BASES:
        raise ValueError(f"basis={basis!r} is unknown; valid: {', '.join(map(repr, _BASES))}.")
    if not codes:
        raise ValueError("codes is empty: give the codes of at least one point.")
    arrays = {point: _check_codes(point, codes[point]) for point in sorted(codes)}
    sizes = {point: len(array) for point, array in arrays.items()}
    n = next(iter(sizes.values()))
    if len(set(sizes.values())) > 1:
        raise ValueError(f"All points need the same cells, got numbers of cells {sizes}.")
    if not 2 <= n_neighbors < n:
        raise ValueError(f"n_neighbors={n_neighbors} must be at least 2 and less than the number of cells, {n}.")
    if n_epochs < 1:
        raise ValueError(f"n_epochs={n_epochs} must be at least 1.")

    fit = _BASES[basis]
    embeddings: dict[int, np.ndarray] = {}
    previous: np.ndarray | None = None
    for point, array in arrays.items():
        start = _project_on_components(array) if previous is None else previous
        current = fit(_add_jitter(start, seed), array, previous is not None, seed, n_neighbors, n_epochs)
        previous = current - current.mean(axis=0) if previous is None else _align_rigidly(current, previous)
        embeddings[point] = previous
    return embeddings


def _check_codes(point: int, codes: ArrayLike) -> np.ndarray:
    array = np.asarray(codes, dtype=np.float32)
    if array.ndim != 2:
        raise ValueError(f"codes[{point}] must have shape (n, d), got {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"codes[{point}] contains values that are not finite.")
    return array


def _project_on_components(codes: np.ndarray) -> np.ndarray:
    """Project on two principal components with a fixed sign, shape `(n, 2)`."""
    centred = codes - codes.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    plane = np.zeros((len(codes), 2))
    plane[:, : axes.shape[1]] = centred @ axes
    return plane


def _add_jitter(start: np.ndarray, seed: int) -> np.ndarray:
    """Add small noise, because the optimisers cannot separate cells at the same position; shape `(n, 2)`."""
    sd = float(start.std()) or 1.0
    return start + np.random.default_rng(seed).normal(scale=1e-4 * sd, size=start.shape)


def _umap(
    start: np.ndarray, codes: np.ndarray, warm_start: bool, seed: int, n_neighbors: int, n_epochs: int
) -> np.ndarray:
    from umap import UMAP  # compiles for seconds
    from umap.layouts import optimize_layout_euclidean
    from umap.umap_ import find_ab_params, make_epochs_per_sample

    graph = UMAP(n_neighbors=n_neighbors, random_state=seed, n_jobs=1, transform_mode="graph").fit(codes).graph_.tocoo()
    strength = np.where(graph.data < graph.data.max() / n_epochs, 0.0, graph.data)
    is_kept = strength > 0
    if not warm_start:
        start = 10.0 * (start - start.min(axis=0)) / np.ptp(start, axis=0).max()
    # UMAP.fit_transform scales any start to a square of size 10, which would move all cells. These are its optimisation
    # steps without the scaling. Steps are smaller for a warm start; with them equal codes moved a third as far, at
    # equal trustworthiness.
    layout = np.ascontiguousarray(start, dtype=np.float32)
    a, b = find_ab_params(1.0, 0.3)
    embedding = optimize_layout_euclidean(
        layout,
        layout,
        graph.row[is_kept],
        graph.col[is_kept],
        n_epochs,
        len(layout),
        make_epochs_per_sample(strength[is_kept], n_epochs),
        a,
        b,
        np.random.default_rng(seed).integers(-(2**31) + 1, 2**31 - 1, 3, dtype=np.int64),
        1.0,
        0.25 if warm_start else 1.0,
        5,
        move_other=True,
    )
    return np.asarray(embedding, dtype=np.float64)


def _tsne(
    start: np.ndarray, codes: np.ndarray, warm_start: bool, seed: int, n_neighbors: int, n_epochs: int
) -> np.ndarray:
    from sklearn.manifold import TSNE

    reducer = TSNE(
        perplexity=min(2.0 * n_neighbors, (len(codes) - 1) / 3.0),
        init=(start / start[:, 0].std() * 1e-4 if not warm_start else start).astype(np.float32),
        # early exaggeration would contract a warm start
        early_exaggeration=1.0 if warm_start else 12.0,
        learning_rate=max(len(codes) / 48.0, 50.0),
        max_iter=n_epochs + (250 if warm_start else 550),
        random_state=seed,
        n_jobs=1,
    )
    return np.asarray(reducer.fit_transform(codes), dtype=np.float64)


def _align_rigidly(moving: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Rotate, reflect and shift `moving` to lie on `fixed` with least squared distance, shape `(n, 2)`."""
    centre = fixed.mean(axis=0)
    moving = moving - moving.mean(axis=0)
    left, _, right = np.linalg.svd(moving.T @ (fixed - centre))
    return moving @ (left @ right) + centre


_BASES: dict[str, Callable[[np.ndarray, np.ndarray, bool, int, int, int], np.ndarray]] = {"umap": _umap, "tsne": _tsne}
