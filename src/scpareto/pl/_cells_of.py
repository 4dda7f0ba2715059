"""Cells to draw: their embeddings and what colours them, from arrays, an AnnData, a model or a front with codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import read_records
from scpareto._constants import EMBEDDINGS_KEY, UNS_KEY
from scpareto.pareto import Front
from scpareto.pl._palette import Palette, colors_in_uns
from scpareto.pl._sources import WithFront, is_cells
from scpareto.pl._told import told_of

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import ArrayLike

Colors = Mapping[str, "ArrayLike | pd.Series"] | pd.DataFrame | Sequence[str] | str
"""Values by name, a table, or names of columns of ``obs``."""


@dataclass(frozen=True)
class Drawn:
    """Embeddings of the same cells, and colourings of these."""

    embeddings: Mapping[Any, ArrayLike]
    """Codes or coordinates by the name of the panel or the number of the point."""
    colors: Mapping[str, Any] | pd.DataFrame
    """Values by name."""
    titles: dict[Any, str] = field(default_factory=dict)
    palettes: dict[str, Palette] = field(default_factory=dict)
    """Colours that were stored with the cells, by the name of the colouring."""


def cells_of(
    source: object, colors: Colors, *, use_rep: str | Sequence[str] | None, points: Sequence[int] | None
) -> Drawn:
    """Find embeddings and colourings.

    Parameters
    ----------
    source
        Arrays by point number, an AnnData, a model with a front, or a front that keeps codes.
    colors
        Values by name, a table, or names of columns of ``obs`` of an AnnData or of a model's.
    use_rep
        Of an AnnData, keys of ``obsm``.
    points
        Of a model or front, numbers of points.

    Returns
    -------
    What to draw.

    Raises
    ------
    TypeError
        If ``source`` is none of these, or ``colors`` are names where there are no cells.
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
    values, palettes = _colorings(adata, colors, _kind(source))
    if is_cells(source):
        return Drawn(_in_obsm(source, use_rep), values, palettes=palettes)
    if isinstance(source, Mapping):
        return Drawn(source, values)
    if isinstance(source, Front | WithFront):
        codes, titles = _along(source, points)
        return Drawn(codes, values, titles, palettes)
    raise TypeError(
        "embeddings must be a dict of arrays by point number, an AnnData, a model with a front, or a Front that keeps "
        f"codes; got {type(source).__name__}."
    )


def _kind(source: object) -> str:
    return type(source).__name__


def _colorings(
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
            stored = colors_in_uns(adata, name, used)
            if stored is not None:
                palettes[name] = stored
    return {name: adata.obs[name] for name in names}, palettes


def _in_obsm(adata: Any, use_rep: str | Sequence[str] | None) -> dict[str, np.ndarray]:
    """Embeddings of an AnnData by key; by default those that were noted, from the least corrected point on."""
    if use_rep is None:
        noted = {key: facts for key, facts in read_records(adata).get(EMBEDDINGS_KEY, {}).items() if key in adata.obsm}
        keys = sorted(noted, key=lambda key: int(noted[key].get("point", 0)))
        if not keys:
            raise KeyError(
                f"adata.uns[{UNS_KEY!r}] notes no embeddings: give use_rep, keys of adata.obsm "
                f"({', '.join(map(repr, adata.obsm)) or 'which is empty'}), or call sp.tl.integrate(adata, ...) first."
            )
    else:
        keys = [use_rep] if isinstance(use_rep, str) else list(use_rep)
    if missing := [key for key in keys if key not in adata.obsm]:
        raise KeyError(f"use_rep: {missing[0]!r} is not in adata.obsm; there are {', '.join(map(repr, adata.obsm))}.")
    return {key: np.asarray(adata.obsm[key]) for key in keys}


def _along(source: Any, points: Sequence[int] | None) -> tuple[dict[int, np.ndarray], dict[int, str]]:
    """Codes at points, by default at the ends, the recommended and the selected one; and what these are called."""
    front = source if isinstance(source, Front) else source.front
    if front is None or not len(front):
        raise ValueError(f"The {_kind(source)} has no front yet. Call train() first.")
    if isinstance(source, Front) and not source.codes:
        raise TypeError("The front keeps no codes: give the model that it was learnt with, or a front of sp.tl.sweep.")
    told, numbers = told_of(front), front.numbers
    roles = {numbers[0]: "", numbers[-1]: ""}
    if told.recommended is not None:
        roles[told.recommended] = ", recommended"
    if told.selected is not None:
        roles[told.selected] = ", selected"
    wanted = sorted(roles) if points is None else list(points)
    if unknown := [point for point in wanted if point not in numbers]:
        raise ValueError(f"points: {unknown[0]!r} is not a point of this front; points: {numbers}.")
    titles = {n: f"{told.values.get(n, f'point {n}')}{roles.get(n, '')}" for n in wanted}
    if isinstance(source, Front):
        return {n: source.codes[n] for n in wanted}, titles
    codes = {}
    for number in wanted:
        with source.at(number):
            codes[number] = np.asarray(source.get_latent_representation())
    return codes, titles
