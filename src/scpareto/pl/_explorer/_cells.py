"""Choose cells, encode them at every place of the slider, and embed their codes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from scpareto._cells import rows_by_name
from scpareto.pl._embed import embed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from anndata import AnnData
    from numpy.typing import ArrayLike

    from scpareto.pareto import Front


class ModelWithFront(Protocol):
    """The methods of a model that the explorer uses."""

    @property
    def front(self) -> Front | None:
        """The learnt front; None before training."""
        ...

    @property
    def selected(self) -> int | None:
        """Number of the selected point."""
        ...

    def at(self, which: Any = None, *, preference: Any = None) -> AbstractContextManager[Any]:
        """Load a point, or a place between points, for a block."""
        ...

    def get_latent_representation(self) -> np.ndarray:
        """Codes of the model's cells, shape `(n, d)`."""
        ...


@dataclass
class StoredCodes:
    """A front that stores the codes of its points, with the methods of a model."""

    front: Front
    selected: int | None = None

    @property
    def adata(self) -> SimpleNamespace:
        """Names of the cells of the codes."""
        return SimpleNamespace(obs_names=self.front.metadata["cell_names"])

    @contextmanager
    def at(self, which: Any = None, *, preference: Any = None) -> Iterator[StoredCodes]:
        """Select a point for a block."""
        previous, self.selected = self.selected, self.front.find(which)
        try:
            yield self
        finally:
            self.selected = previous

    def get_latent_representation(self) -> np.ndarray:
        """Codes of the selected point, shape `(n, d)`."""
        return self.front.codes[0 if self.selected is None else self.selected]


def get_front(model: ModelWithFront) -> Front:
    """Return the front of a model.

    Parameters
    ----------
    model
        A model with a front.

    Returns
    -------
    The front, with at least one point.

    Raises
    ------
    TypeError
        If the model cannot have a front.
    ValueError
        If the model has no front yet.
    """
    if isinstance(model, StoredCodes) and not model.front.codes:
        raise TypeError("The front keeps no codes: give the model that it was learnt with, or a front of sp.tl.sweep.")
    if not hasattr(model, "front") or not hasattr(model, "at"):
        raise TypeError(f"model must have a front and at(), such as ParetoVI; got {type(model).__name__}.")
    if model.front is None or not len(model.front):
        raise ValueError("The model has no front yet. Call train() first.")
    return model.front


def sample_stratified(strata: np.ndarray | None, n: int, max_cells: int, seed: int) -> np.ndarray:
    """Sample cells such that every stratum keeps its share, in random order.

    Parameters
    ----------
    strata
        Stratum of each cell, shape `(n,)`; None for a single stratum.
    n
        Number of cells.
    max_cells
        Largest number of cells; each stratum keeps at least one cell if there are not more strata than this.
    seed
        Equal seeds choose equal cells.

    Returns
    -------
    Indices, shape `(min(n, max_cells),)`, shuffled, because cells are drawn in this order and no batch should cover
    another.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    if n <= max_cells:
        return order
    if strata is None:
        return order[:max_cells]
    counts = np.unique(strata, return_counts=True)[1]
    # rank of each cell within its stratum, as a share: the cells with the smallest shares are proportional to strata
    shuffled = strata[order]
    by_stratum = np.argsort(shuffled, kind="stable")
    within = np.concatenate([np.arange(count) for count in counts])
    share = np.empty(n)
    share[by_stratum] = (within + 0.5) / np.repeat(counts, counts)
    if len(counts) <= max_cells:
        share[by_stratum[within == 0]] = 0.0
    return order[np.sort(np.argsort(share, kind="stable")[:max_cells])]


def encode_along_front(
    model: ModelWithFront, places: Sequence[int | float], adata: AnnData, cells: np.ndarray
) -> dict[int | float, np.ndarray]:
    """Encode cells at every place on the front; the model keeps its selected point.

    Parameters
    ----------
    model
        A model with a front.
    places
        Numbers of points, and preferences between them.
    adata
        Cells of the model, in any order.
    cells
        Indices of the cells wanted, shape `(m,)`.

    Returns
    -------
    Codes by place, each of shape `(m, d)`.

    Raises
    ------
    ValueError
        If the model encodes other cells.
    """
    codes: dict[int | float, np.ndarray] = {}
    rows = _match_rows(model, adata)
    for place in places:
        with model.at(place) if isinstance(place, int) else model.at(preference=place):
            latent = np.asarray(model.get_latent_representation())
        latent = latent if rows is None else latent[rows]
        if len(latent) != adata.n_obs:
            raise ValueError(f"adata has {adata.n_obs} cells, the model encodes {len(latent)}: they must agree.")
        codes[place] = latent[cells]
    return codes


def _match_rows(model: ModelWithFront, adata: AnnData) -> np.ndarray | None:
    """Return the row of each cell in the model's data, by its name; None if they are the same or have no names."""
    model_adata = getattr(model, "adata", None)
    if model_adata is None or model_adata is adata:
        return None
    obs_names = list(adata.obs_names), list(model_adata.obs_names)
    return rows_by_name(
        *obs_names, of="adata", within="the data of the model", some=True, old_names="model.adata.obs_names"
    )


def embed_codes(
    codes: Mapping[int | float, np.ndarray], *, basis: Any = "umap", n_epochs: int = 200, seed: int = 0
) -> dict[int | float, np.ndarray]:
    """Embed codes with :func:`scpareto.pl.embed`, with smaller neighbourhoods if there are few cells.

    Parameters
    ----------
    codes
        Codes by place, each of shape `(m, d)`, from uncorrected to strongest.
    basis, n_epochs, seed
        As for :func:`scpareto.pl.embed`.

    Returns
    -------
    Aligned coordinates by place, each of shape `(m, 2)`.
    """
    n_cells = len(next(iter(codes.values())))
    codes_by_index = dict(enumerate(codes.values()))
    embedded = embed(codes_by_index, basis=basis, seed=seed, n_epochs=n_epochs, n_neighbors=min(15, n_cells - 1))
    return dict(zip(codes, embedded.values(), strict=True))


def check_coordinates(
    embeddings: Mapping[Any, ArrayLike], places: Sequence[int | float], n: int, cells: np.ndarray
) -> dict[int | float, np.ndarray]:
    """Check coordinates that the user computed.

    Parameters
    ----------
    embeddings
        Coordinates of all cells by place, each of shape `(n, 2)`.
    places
        Numbers of the points of the front, and preferences between them.
    n
        Number of cells.
    cells
        Indices of the cells wanted, shape `(m,)`.

    Returns
    -------
    Coordinates by place, each of shape `(m, 2)`.

    Raises
    ------
    ValueError
        If points are missing, unknown, or have coordinates that are not finite or of another shape.
    """
    if sorted(embeddings) != sorted(places):
        raise ValueError(f"embeddings has points {sorted(embeddings)}; the front has {sorted(places)}.")
    checked = {}
    for point in places:
        xy = np.asarray(embeddings[point], dtype=float)
        if xy.shape != (n, 2) or not np.isfinite(xy).all():
            raise ValueError(f"embeddings[{point}] must be finite and of shape ({n}, 2), got shape {xy.shape}.")
        checked[point] = xy[cells]
    return checked
