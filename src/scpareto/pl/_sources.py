"""Find the front to plot: given directly, in a model, or stored in an AnnData."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard, runtime_checkable

import pandas as pd

from scpareto._cells import read_records
from scpareto._constants import UNS_KEY
from scpareto.pareto import Front, front_from_record


@runtime_checkable
class FrontLike(Protocol):
    """Anything that shows its points as a table, such as :class:`scpareto.pareto.Front`."""

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per point."""
        ...


@runtime_checkable
class WithFront(Protocol):
    """A model that holds a front, such as :class:`scpareto.model.ParetoVI`."""

    @property
    def front(self) -> Front | None:
        """The learnt front; None before training."""
        ...


if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData

    FrontSource: TypeAlias = FrontLike | WithFront | pd.DataFrame | AnnData | MuData
    """A front, its table, a model with a front, or an AnnData or MuData that stores a front."""

_HOW_TO_STORE = (
    "sp.tl.integrate(adata, batch_key=...), sp.tl.sweep(adata, ...) and the training of a model with a front on adata "
    "store one; model.write_to(adata) stores it in another AnnData of the same cells"
)


def is_cells(source: object) -> TypeGuard[AnnData]:
    """Return whether an object is an AnnData or a MuData."""
    return hasattr(source, "uns") and hasattr(source, "obs")


def find_front(source: FrontSource, *, key: str | None = None, name: str = "front") -> FrontLike | pd.DataFrame:
    """Find the one front of a source.

    Parameters
    ----------
    source
        A front, its table, a model, or cells.
    key
        Key of the front in ``uns["scpareto"]`` of an AnnData; optional if it stores only one.
    name
        Name of the source in messages.

    Returns
    -------
    A front, or a table.

    Raises
    ------
    TypeError
        If the source has another type.
    ValueError
        If a model has no front yet, or an AnnData stores several fronts and no ``key`` is given.
    KeyError
        If an AnnData stores no front, or none under this key.
    """
    if not is_cells(source):
        return _find_front_without_cells(source, key, name)
    fronts = find_fronts(source)
    if key is None and len(fronts) > 1:
        raise ValueError(f"{name} stores {len(fronts)} fronts; choose one by key: {', '.join(map(repr, fronts))}.")
    return fronts[_choose_key(fronts, key)]


def find_fronts(adata: AnnData) -> dict[str, FrontLike | pd.DataFrame]:
    """Read the fronts that an AnnData or MuData stores, by their keys in ``uns["scpareto"]``.

    Raises
    ------
    KeyError
        If it stores no front.
    """
    # A record of an earlier version has no tables; its front has no recommendation.
    fronts = {
        name: front_from_record(record) if "tables" in record else record["front"]
        for name, record in _records(adata)
        if isinstance(record, Mapping) and isinstance(record.get("front"), pd.DataFrame)
    }
    if not fronts:
        raise KeyError(f"adata.uns[{UNS_KEY!r}] holds no front. {_HOW_TO_STORE}.")
    return fronts


def _records(adata: AnnData) -> Iterator[tuple[str, Any]]:
    yield from read_records(adata).items()
    for modality in getattr(adata, "mod", {}).values():
        yield from read_records(modality).items()


def _choose_key(fronts: Mapping[str, Any], key: str | None) -> str:
    if key is None:
        return next(iter(fronts))
    if key not in fronts:
        raise KeyError(f"key={key!r} is no front in adata.uns[{UNS_KEY!r}]; there are {', '.join(map(repr, fronts))}.")
    return key


def _find_front_without_cells(source: FrontSource, key: str | None, name: str) -> FrontLike | pd.DataFrame:
    if key is not None:
        raise ValueError(f"key={key!r} chooses among the fronts of an AnnData; {name} is a {type(source).__name__}.")
    if isinstance(source, pd.DataFrame | FrontLike):
        return source
    if isinstance(source, WithFront):
        if source.front is None or not len(source.front):
            raise ValueError(f"{name}: the {type(source).__name__} has no front yet. Call train() first.")
        return source.front
    raise TypeError(
        f"{name} must be a Front (or its table, a pandas DataFrame), a model with a front, such as ParetoVI, or an "
        f"AnnData that stores one; got {type(source).__name__}."
    )
