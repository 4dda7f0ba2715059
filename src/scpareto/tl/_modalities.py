"""View several modalities of the same cells as one AnnData, without copying them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from scpareto._cells import check_annotated
from scpareto.tl._judge_options import list_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mudata import MuData
    from numpy.typing import NDArray

_WHOLE = "X"
"""Key of ``X`` of a modality, as in ``"rna:X"``."""


@dataclass(frozen=True)
class Source:
    """Cells, counts and embeddings in one AnnData.

    Parameters
    ----------
    adata
        The user's AnnData, or one that refers to the matrices of the modalities.
    layer
        Layer of the counts in it; None for ``X``.
    place
        Name of the count matrix in messages, as the user would write it.
    """

    adata: AnnData
    layer: str | None
    place: str


def find_source(
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
        Either. Keys of a MuData are ``"<modality>:<key>"``, or keys of its own ``obsm`` and ``obsp``.
    use_rep, layer, neighbors_key, used_genes
        As :func:`scpareto.tl.judge` takes them.

    Returns
    -------
    The source, and ``used_genes``; a key of a modality becomes a key of ``source.adata.var``.

    Raises
    ------
    KeyError
        If a modality or key does not exist; the message names those that do.
    ValueError
        If the modalities do not hold the same cells, or no key names the modality of the counts.
    """
    if isinstance(data, AnnData):
        return Source(data, layer, "adata.X" if layer is None else f"adata.layers[{layer!r}]"), used_genes
    check_annotated(data)
    modalities = _Modalities(data)
    for key in use_rep:
        if modalities.split(key)[0] is None:
            modalities.lookup(data.obsm, None, key, "obsm", f"use_rep={key!r}")
    counts_modality, name = modalities.find_counts(layer, [*use_rep, *neighbors_key])
    counts_adata = data.mod[counts_modality]
    if not counts_adata.obs_names.is_unique:
        raise ValueError(
            f"Cells of modality {counts_modality!r} share names, so that they cannot be found in others: "
            f"mdata[{counts_modality!r}].obs_names_make_unique()."
        )
    cells = counts_adata.obs_names
    orders: dict[str | None, NDArray[np.int64] | None] = {
        modality: modalities.order(modality, counts_modality)
        for modality in modalities.named_by([*use_rep, *neighbors_key])
    }
    orders[None] = modalities.rows_of(cells)
    with_names = AnnData(counts_adata.X, obs=_columns(data, cells, counts_adata), var=counts_adata.var)
    for key in counts_adata.layers:
        if key is not None:
            with_names.layers[f"{counts_modality}:{key}"] = counts_adata.layers[key]
    for key in dict.fromkeys(use_rep):
        modality, name_in_modality = modalities.split(key)
        holder = data if modality is None else data.mod[modality]
        codes = modalities.lookup(holder.obsm, modality, name_in_modality, "obsm", f"use_rep={key!r}")
        with_names.obsm[key] = _select_rows(codes, orders[modality])
    for key in dict.fromkeys(neighbors_key):
        modality, name_in_modality = modalities.split(key)
        holder, rows = data if modality is None else data.mod[modality], orders[modality]
        graph = (
            holder.uns.get(name_in_modality, {}).get("connectivities_key", name_in_modality)
            if name_in_modality not in holder.obsp
            else name_in_modality
        )
        connectivities = modalities.lookup(holder.obsp, modality, graph, "obsp", f"neighbors_key={key!r}")
        with_names.obsp[key] = connectivities if rows is None else sparse.csr_matrix(connectivities)[rows][:, rows]
    if isinstance(used_genes, str) and modalities.split(used_genes)[0] == counts_modality:
        used_genes = modalities.split(used_genes)[1]
    place = f"mdata[{counts_modality!r}].X" if name is None else f"mdata[{counts_modality!r}].layers[{name!r}]"
    return Source(with_names, None if name is None else f"{counts_modality}:{name}", place), used_genes


def find_source_and_target(data: AnnData | MuData, modality: str | None, layer: str | None) -> tuple[Source, AnnData]:
    """Find the counts that are integrated, and the AnnData that gets the results.

    Parameters
    ----------
    data
        Cells, in an AnnData or a MuData.
    modality
        Modality of the counts in a MuData; not needed where ``layer`` names it, as ``"rna:counts"``.
    layer
        Layer of the counts; None for ``X``.

    Returns
    -------
    The source, and the AnnData that was given, or the modality of the MuData.

    Raises
    ------
    KeyError
        If a modality or layer does not exist; the message names those that do.
    ValueError
        If a modality is named for an AnnData, or none is named for a MuData.
    """
    if isinstance(data, AnnData):
        if modality is not None:
            raise ValueError(f"modality={modality!r}: adata is an AnnData, which has no modalities. Leave it out.")
        return find_source(data, [], layer=layer, neighbors_key=[])[0], data
    check_annotated(data)
    modalities = _Modalities(data)
    named, layer_name = (None, None) if layer is None else modalities.split(layer)
    layer_name = layer if named is None else layer_name
    modality = named if modality is None else modality
    if modality is None:
        raise ValueError(f"modality= names the modality of the counts; the MuData has {list_keys(modalities.names)}.")
    if modality not in modalities.names or named not in (None, modality):
        raise KeyError(
            f"modality={modality!r} is not that of layer={layer!r}, or not one of {list_keys(modalities.names)}."
        )
    source = find_source(
        data, [], layer=f"{modality}:{_WHOLE if layer_name is None else layer_name}", neighbors_key=[]
    )[0]
    return source, data.mod[modality]


class _Modalities:
    """Split and look up the keys of a MuData."""

    def __init__(self, mdata: MuData) -> None:
        self.mdata = mdata
        self.names = list(mdata.mod)

    def split(self, key: str) -> tuple[str | None, str]:
        """Split a key into the modality and the key within it; the modality is None for a key of the MuData itself."""
        modality, colon, rest = key.partition(":")
        return (modality, rest) if colon and modality in self.names else (None, key)

    def named_by(self, keys: Sequence[str]) -> list[str]:
        """Return the modalities that keys name."""
        named = (self.split(key)[0] for key in keys)
        return [name for name in dict.fromkeys(named) if name is not None]

    def find_counts(self, layer: str | None, keys: Sequence[str]) -> tuple[str, str | None]:
        """Return modality and layer of the counts."""
        modality, layer_name = (None, None) if layer is None else self.split(layer)
        if modality is None:
            named_by = self.named_by(keys)
            if not named_by:
                raise ValueError(
                    f"No key names the modality of the counts: give layer='{self.names[0]}:counts', or "
                    f"layer='{self.names[0]}:{_WHOLE}' for its X. Modalities are {list_keys(self.names)}."
                )
            modality = named_by[0]
        layers = self.mdata.mod[modality].layers
        if layer_name == _WHOLE and layer_name not in layers:
            layer_name = None
        if layer_name is not None:
            self.lookup(layers, modality, layer_name, "layers", f"layer={layer!r}")
        return modality, layer_name

    def order(self, modality: str, home: str) -> NDArray[np.int64] | None:
        """Return the rows of a modality in the order of the cells of the counts; None if the order is the same."""
        cells, names = self.mdata.mod[home].obs_names, self.mdata.mod[modality].obs_names
        if names.equals(cells):
            return None
        shared = cells.intersection(names)
        if not names.is_unique or len(shared) != len(cells) or len(shared) != len(names):
            raise ValueError(
                f"Modalities {home!r} and {modality!r} do not hold the same cells ({len(cells)} and {len(names)}, "
                f"{len(shared)} of them in both). Keep those that both hold: "
                f"mdata = mdata[mdata[{home!r}].obs_names.intersection(mdata[{modality!r}].obs_names)].copy()."
            )
        return np.asarray(names.get_indexer(cells), dtype=np.int64)

    def rows_of(self, cells: pd.Index) -> NDArray[np.int64] | None:
        """Return the rows of the MuData in the order of some cells; None if the order is the same."""
        names = self.mdata.obs_names
        return None if names.equals(cells) else np.asarray(names.get_indexer(cells), dtype=np.int64)

    def lookup(self, mapping: Any, modality: str | None, key: str, attribute: str, argument: str) -> Any:
        """Return the value of a key; raise a KeyError that lists the keys if it does not exist."""
        if key in mapping:
            return mapping[key]
        if modality is not None:
            raise KeyError(f"{argument} is not in mdata[{modality!r}].{attribute}; it holds {list_keys(mapping)}.")
        # A MuData also keeps in obsm, under the name of each modality, a mask of the cells of that modality.
        keys = [name for name in mapping if name not in self.names]
        raise KeyError(
            f"{argument} is not in mdata.{attribute}; it holds {list_keys(keys)}. Keys of a modality are named by it: "
            f"'{self.names[0]}:{key}'. Modalities are {list_keys(self.names)}."
        )


def _columns(mdata: MuData, cells: pd.Index, counts_adata: AnnData) -> pd.DataFrame:
    """Return columns of the counts' modality, of the MuData, and of all modalities as ``"<modality>:<name>"``."""
    columns = {str(name): counts_adata.obs[name] for name in counts_adata.obs}
    mdata_obs = mdata.obs.reindex(cells)
    columns |= {str(name): mdata_obs[name] for name in mdata_obs}
    for modality, adata in mdata.mod.items():
        obs = adata.obs if adata.obs_names.equals(cells) else None
        if obs is None and adata.obs_names.is_unique:
            obs = adata.obs.reindex(cells)
        if obs is not None:
            # The MuData holds copies of these columns; the modality may have changed since.
            columns |= {f"{modality}:{name}": obs[name] for name in obs}
    return pd.DataFrame(columns, index=cells)


def _select_rows(values: Any, rows: NDArray[np.int64] | None) -> Any:
    if rows is None:
        return values
    return values.iloc[rows] if isinstance(values, pd.DataFrame) else np.asarray(values)[rows]
