"""What pictures are drawn of: a front itself, the model that holds it, or the cells that it was noted in."""

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
    """A front, its table, a model with a front, or cells in which a front was noted."""

_HOW = (
    "sp.tl.integrate(adata, batch_key=...), sp.tl.sweep(adata, ...) and the training of a model with a front on adata "
    "note one; model.write_to(adata) notes it in another AnnData of the same cells"
)


def is_cells(source: object) -> TypeGuard[AnnData]:
    """Say whether something is an AnnData or a MuData."""
    return hasattr(source, "uns") and hasattr(source, "obs")


def front_in(source: FrontSource, *, key: str | None = None, name: str = "front") -> FrontLike | pd.DataFrame:
    """Find the one front of a source.

    Parameters
    ----------
    source
        A front, its table, a model, or cells.
    key
        Of cells, where in ``uns["scpareto"]`` the front is; by default the only one.
    name
        What to call the source in messages.

    Returns
    -------
    A front, or a table.

    Raises
    ------
    TypeError
        If it is none of them.
    ValueError
        If a model has no front yet, or cells note several fronts and no ``key`` is given.
    KeyError
        If cells note no front, or none of this name.
    """
    if not is_cells(source):
        return _without_cells(source, key, name)
    noted = fronts_noted(source)
    if key is None and len(noted) > 1:
        raise ValueError(f"{name} notes {len(noted)} fronts; choose one by key: {', '.join(map(repr, noted))}.")
    return noted[_known_key(noted, key)]


def fronts_noted(adata: AnnData) -> dict[str, FrontLike | pd.DataFrame]:
    """Read the fronts that cells note, by their keys in ``uns["scpareto"]``.

    Raises
    ------
    KeyError
        If there is none.
    """
    # A record written by an earlier version has no tables, and its front recommends nothing.
    noted = {
        name: front_from_record(record) if "tables" in record else record["front"]
        for name, record in _records(adata)
        if isinstance(record, Mapping) and isinstance(record.get("front"), pd.DataFrame)
    }
    if not noted:
        raise KeyError(f"adata.uns[{UNS_KEY!r}] holds no front. {_HOW}.")
    return noted


def _records(adata: AnnData) -> Iterator[tuple[str, Any]]:
    yield from read_records(adata).items()
    for modality in getattr(adata, "mod", {}).values():
        yield from read_records(modality).items()


def _known_key(noted: Mapping[str, Any], key: str | None) -> str:
    if key is None:
        return next(iter(noted))
    if key not in noted:
        raise KeyError(f"key={key!r} is no front in adata.uns[{UNS_KEY!r}]; there are {', '.join(map(repr, noted))}.")
    return key


def _without_cells(source: FrontSource, key: str | None, name: str) -> FrontLike | pd.DataFrame:
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
        f"AnnData that notes one; got {type(source).__name__}."
    )
