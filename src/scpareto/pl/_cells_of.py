"""Find the embeddings and colours of cells in arrays, an AnnData, a model or a front with codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import read_records
from scpareto._constants import EMBEDDINGS_KEY, UNS_KEY
from scpareto.pareto import Front
from scpareto.pl._palette import Palette, read_colors
from scpareto.pl._recommendation import get_recommendation
from scpareto.pl._sources import WithFront, is_cells

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import ArrayLike

Colors = Mapping[str, "ArrayLike | pd.Series"] | pd.DataFrame | Sequence[str] | str
"""Values by name, a table, or names of columns of ``obs``."""


@dataclass(frozen=True)
class CellData:
    """Embeddings and colourings of the same cells."""

    embeddings: Mapping[Any, ArrayLike]
    """Codes or coordinates by the name of the panel or the number of the point."""
    colors: Mapping[str, Any] | pd.DataFrame
    """Values by name."""
    titles: dict[Any, str] = field(default_factory=dict)
    palettes: dict[str, Palette] = field(default_factory=dict)
    """Colours that the AnnData stores, by the name of the colouring."""


def find_cells(
    source: object, colors: Colors, *, use_rep: str | Sequence[str] | None, points: Sequence[int] | None
) -> CellData:
    """Find embeddings and colourings.

    Parameters
    ----------
    source
        Arrays by point number, an AnnData, a model with a front, or a front that keeps codes.
    colors
        Values by name, a table, or names of columns of ``obs`` of an AnnData or of a model's.
    use_rep
        Keys of ``obsm`` of an AnnData.
    points
        Numbers of points of a model or front.

    Returns
    -------
    Embeddings and colourings.

    Raises
    ------
    TypeError
        If ``source`` has another type, or ``colors`` are names of columns without an AnnData.
    KeyError
        If an embedding or column does not exist.
    ValueError
        If ``use_rep`` or ``points`` do not fit, or a model has no front.
    """
    adata = source if is_cells(source) else getattr(source, "adata", None)
    if use_rep is not None and not is_cells(source):
        raise ValueError(f"use_rep={use_rep!r} names keys of adata.obsm: give an AnnData, got {_kind(source)}.")
    if points is not None and not isinstance(source, Front | WithFront):
        raise ValueError(f"points={points!r} are of a model or a front, got {_kind(source)}.")
    values, palettes = _read_colors(adata, colors, _kind(source))
    if is_cells(source):
        return CellData(_read_obsm(source, use_rep), values, palettes=palettes)
    if isinstance(source, Mapping):
        return CellData(source, values)
    if isinstance(source, Front | WithFront):
        codes, titles = _encode_points(source, points)
        return CellData(codes, values, titles, palettes)
    raise TypeError(
        "embeddings must be a dict of arrays by point number, an AnnData, a model with a front, or a Front that keeps "
        f"codes; got {type(source).__name__}."
    )


def _kind(source: object) -> str:
    return type(source).__name__


def _read_colors(
    adata: AnnData | None, colors: Colors, kind: str
) -> tuple[Mapping[str, Any] | pd.DataFrame, dict[str, Palette]]:
    if isinstance(colors, Mapping | pd.DataFrame):
        return colors, {}
    names = [colors] if isinstance(colors, str) else list(colors)
    if adata is None:
        raise TypeError(
            f"colors={names!r} name columns of adata.obs, and a {kind} holds no cells: give adata.obs[colors]."
        )
    if missing := [name for name in names if name not in adata.obs]:
        raise KeyError(f"colors: {missing[0]!r} is not in adata.obs; its columns are {', '.join(adata.obs.columns)}.")
    palettes: dict[str, Palette] = {}
    for name in names:
        if adata.obs[name].dtype == "category":
            used = [str(category) for category in adata.obs[name].cat.remove_unused_categories().cat.categories]
            stored = read_colors(adata, name, used)
            if stored is not None:
                palettes[name] = stored
    return {name: adata.obs[name] for name in names}, palettes


def _read_obsm(adata: Any, use_rep: str | Sequence[str] | None) -> dict[str, np.ndarray]:
    """Return embeddings of an AnnData by key; by default those that have a record, in the order of their points."""
    if use_rep is None:
        stored = {key: place for key, place in read_records(adata).get(EMBEDDINGS_KEY, {}).items() if key in adata.obsm}
        keys = sorted(stored, key=lambda key: int(stored[key].get("point", 0)))
        if not keys:
            raise KeyError(
                f"adata.uns[{UNS_KEY!r}] stores no embeddings: give use_rep, keys of adata.obsm "
                f"({', '.join(map(repr, adata.obsm)) or 'which is empty'}), or call sp.tl.integrate(adata, ...) first."
            )
    else:
        keys = [use_rep] if isinstance(use_rep, str) else list(use_rep)
    if missing := [key for key in keys if key not in adata.obsm]:
        raise KeyError(f"use_rep: {missing[0]!r} is not in adata.obsm; there are {', '.join(map(repr, adata.obsm))}.")
    return {key: np.asarray(adata.obsm[key]) for key in keys}


def _encode_points(source: Any, points: Sequence[int] | None) -> tuple[dict[int, np.ndarray], dict[int, str]]:
    """Return codes and titles of points, by default of the first, last, recommended and selected one."""
    front = source if isinstance(source, Front) else source.front
    if front is None or not len(front):
        raise ValueError(f"The {_kind(source)} has no front yet. Call train() first.")
    if isinstance(source, Front) and not source.codes:
        raise TypeError("The front keeps no codes: give the model that it was learnt with, or a front of sp.tl.sweep.")
    recommendation, numbers = get_recommendation(front), front.numbers
    roles = {numbers[0]: "", numbers[-1]: ""}
    if recommendation.recommended is not None:
        roles[recommendation.recommended] = ", recommended"
    if recommendation.selected is not None:
        roles[recommendation.selected] = ", selected"
    chosen = sorted(roles) if points is None else list(points)
    if unknown := [point for point in chosen if point not in numbers]:
        raise ValueError(f"points: {unknown[0]!r} is not a point of this front; points: {numbers}.")
    titles = {n: f"{recommendation.values.get(n, f'point {n}')}{roles.get(n, '')}" for n in chosen}
    if isinstance(source, Front):
        return {n: source.codes[n] for n in chosen}, titles
    codes = {}
    for number in chosen:
        with source.at(number):
            codes[number] = np.asarray(source.get_latent_representation())
    return codes, titles
