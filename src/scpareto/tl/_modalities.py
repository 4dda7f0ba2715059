"""Several modalities of the same cells, taken as one AnnData that is not copied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from scpareto._cells import check_annotated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mudata import MuData
    from numpy.typing import NDArray

_WHOLE = "X"
"""Name after the modality, as in ``"rna:X"``, of the matrix that is no layer."""


@dataclass(frozen=True)
class Source:
    """Where cells and what is judged of them are found.

    Parameters
    ----------
    adata
        Cells with all that is judged: what was given, or references to what modalities hold.
    layer
        Layer of the counts in it; None for ``X``.
    place
        What the user calls that matrix.
    """

    adata: AnnData
    layer: str | None
    place: str


def source_of(
    data: AnnData | MuData,
    use_rep: Sequence[str],
    *,
    layer: str | None,
    neighbors_key: Sequence[str],
    used_genes: Any = None,
) -> tuple[Source, Any]:
    """Find cells, counts and embeddings in an AnnData or in the modalities of a MuData.

    Parameters
    ----------
    data
        Either. Keys of a MuData are ``"<modality>:<key>"``, or keys of what it holds itself.
    use_rep, layer, neighbors_key, used_genes
        As :func:`scpareto.tl.judge` takes them.

    Returns
    -------
    The source, and ``used_genes`` as a key of its ``var``, where it is one.

    Raises
    ------
    KeyError
        If a modality or key does not exist; the message names those that do.
    ValueError
        If the modalities do not hold the same cells, or none is named as that of the counts.
    """
    if isinstance(data, AnnData):
        return Source(data, layer, "adata.X" if layer is None else f"adata.layers[{layer!r}]"), used_genes
    check_annotated(data)
    modalities = _Modalities(data)
    for key in use_rep:
        if modalities.split(key)[0] is None:
            modalities.held(data.obsm, None, key, "obsm", f"use_rep={key!r}")
    home, name = modalities.of_counts(layer, [*use_rep, *neighbors_key])
    base = data.mod[home]
    if not base.obs_names.is_unique:
        raise ValueError(
            f"Cells of modality {home!r} share names, so that they cannot be found in others: "
            f"mdata[{home!r}].obs_names_make_unique()."
        )
    cells = base.obs_names
    orders: dict[str | None, NDArray[np.int64] | None] = {
        modality: modalities.order(modality, home) for modality in modalities.used([*use_rep, *neighbors_key])
    }
    orders[None] = modalities.rows_of(cells)
    with_names = AnnData(base.X, obs=_columns(data, cells, base), var=base.var)
    for key in base.layers:
        if key is not None:
            with_names.layers[f"{home}:{key}"] = base.layers[key]
    for key in dict.fromkeys(use_rep):
        modality, own = modalities.split(key)
        holder = data if modality is None else data.mod[modality]
        codes = modalities.held(holder.obsm, modality, own, "obsm", f"use_rep={key!r}")
        with_names.obsm[key] = _taken(codes, orders[modality])
    for key in dict.fromkeys(neighbors_key):
        modality, own = modalities.split(key)
        holder, rows = data if modality is None else data.mod[modality], orders[modality]
        graph = holder.uns.get(own, {}).get("connectivities_key", own) if own not in holder.obsp else own
        found = modalities.held(holder.obsp, modality, graph, "obsp", f"neighbors_key={key!r}")
        with_names.obsp[key] = found if rows is None else sparse.csr_matrix(found)[rows][:, rows]
    if isinstance(used_genes, str) and modalities.split(used_genes)[0] == home:
        used_genes = modalities.split(used_genes)[1]
    place = f"mdata[{home!r}].X" if name is None else f"mdata[{home!r}].layers[{name!r}]"
    return Source(with_names, None if name is None else f"{home}:{name}", place), used_genes


def home_of(data: AnnData | MuData, modality: str | None, layer: str | None) -> tuple[Source, AnnData]:
    """Find the counts that are integrated, and the AnnData that results are written to.

    Parameters
    ----------
    data
        Cells, or several modalities of them.
    modality
        Modality of the counts in a MuData; not needed where ``layer`` names it, as ``"rna:counts"``.
    layer
        Layer of the counts; None for ``X``.

    Returns
    -------
    The source, and what was given, or its modality.

    Raises
    ------
    KeyError
        If a modality or layer does not exist; the message names those that do.
    ValueError
        If a modality is named where there are none, or none where there are.
    """
    if isinstance(data, AnnData):
        if modality is not None:
            raise ValueError(f"modality={modality!r}: adata is an AnnData, which has no modalities. Leave it out.")
        return source_of(data, [], layer=layer, neighbors_key=[])[0], data
    check_annotated(data)
    known = _Modalities(data)
    named, own = (None, None) if layer is None else known.split(layer)
    own = layer if named is None else own
    modality = named if modality is None else modality
    if modality is None:
        raise ValueError(f"modality= names the modality of the counts; the MuData has {_listed(known.names)}.")
    if modality not in known.names or named not in (None, modality):
        raise KeyError(f"modality={modality!r} is not that of layer={layer!r}, or not one of {_listed(known.names)}.")
    source = source_of(data, [], layer=f"{modality}:{_WHOLE if own is None else own}", neighbors_key=[])[0]
    return source, data.mod[modality]


class _Modalities:
    """Keys of a MuData, split and looked up."""

    def __init__(self, mdata: MuData) -> None:
        self.mdata = mdata
        self.names = list(mdata.mod)

    def split(self, key: str) -> tuple[str | None, str]:
        """Modality and key in it; None for what the MuData holds itself."""
        modality, colon, own = key.partition(":")
        return (modality, own) if colon and modality in self.names else (None, key)

    def used(self, keys: Sequence[str]) -> list[str]:
        """Modalities that are named by keys."""
        named = (self.split(key)[0] for key in keys)
        return [name for name in dict.fromkeys(named) if name is not None]

    def of_counts(self, layer: str | None, keys: Sequence[str]) -> tuple[str, str | None]:
        """Modality and layer of the counts."""
        modality, own = (None, None) if layer is None else self.split(layer)
        if modality is None:
            used = self.used(keys)
            if not used:
                raise ValueError(
                    f"No key names the modality of the counts: give layer='{self.names[0]}:counts', or "
                    f"layer='{self.names[0]}:{_WHOLE}' for its X. Modalities are {_listed(self.names)}."
                )
            modality = used[0]
        layers = self.mdata.mod[modality].layers
        if own == _WHOLE and own not in layers:
            own = None
        if own is not None:
            self.held(layers, modality, own, "layers", f"layer={layer!r}")
        return modality, own

    def order(self, modality: str, home: str) -> NDArray[np.int64] | None:
        """Rows of a modality in the order of the cells of the counts; None where it is the same."""
        cells, own = self.mdata.mod[home].obs_names, self.mdata.mod[modality].obs_names
        if own.equals(cells):
            return None
        shared = cells.intersection(own)
        if not own.is_unique or len(shared) != len(cells) or len(shared) != len(own):
            raise ValueError(
                f"Modalities {home!r} and {modality!r} do not hold the same cells ({len(cells)} and {len(own)}, "
                f"{len(shared)} of them in both). Keep those that both hold: "
                f"mdata = mdata[mdata[{home!r}].obs_names.intersection(mdata[{modality!r}].obs_names)].copy()."
            )
        return np.asarray(own.get_indexer(cells), dtype=np.int64)

    def rows_of(self, cells: pd.Index) -> NDArray[np.int64] | None:
        """Rows of the MuData itself in the order of some cells; None where it is the same."""
        names = self.mdata.obs_names
        return None if names.equals(cells) else np.asarray(names.get_indexer(cells), dtype=np.int64)

    def held(self, mapping: Any, modality: str | None, key: str, what: str, argument: str) -> Any:
        """Value of a key, or the keys that there are."""
        if key in mapping:
            return mapping[key]
        if modality is not None:
            raise KeyError(f"{argument} is not in mdata[{modality!r}].{what}; it holds {_listed(mapping)}.")
        # A MuData notes in obsm which modality has which cells, under the names of the modalities.
        known = [name for name in mapping if name not in self.names]
        raise KeyError(
            f"{argument} is not in mdata.{what}; it holds {_listed(known)}. Keys of a modality are named by it: "
            f"'{self.names[0]}:{key}'. Modalities are {_listed(self.names)}."
        )


def _columns(mdata: MuData, cells: pd.Index, base: AnnData) -> pd.DataFrame:
    """Columns of all modalities under their own names, of the MuData, and of the modality of the counts."""
    columns = {str(name): base.obs[name] for name in base.obs}
    whole = mdata.obs.reindex(cells)
    columns |= {str(name): whole[name] for name in whole}
    for modality, adata in mdata.mod.items():
        own = adata.obs if adata.obs_names.equals(cells) else None
        if own is None and adata.obs_names.is_unique:
            own = adata.obs.reindex(cells)
        if own is not None:
            # Not those that the MuData has copied: the modality may have changed since.
            columns |= {f"{modality}:{name}": own[name] for name in own}
    return pd.DataFrame(columns, index=cells)


def _taken(values: Any, rows: NDArray[np.int64] | None) -> Any:
    if rows is None:
        return values
    return values.iloc[rows] if isinstance(values, pd.DataFrame) else np.asarray(values)[rows]


def _listed(mapping: Any) -> str:
    return ", ".join(repr(name) for name in mapping if name is not None) or "nothing"
