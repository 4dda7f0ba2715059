"""Mapping a reference model to query data, where opening the reference runs no code."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from scpareto.model._saving import check_saved

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray


LEAST_SHARED, _FEW_SHARED = 0.3, 0.8
"""Shares of the reference's genes below which query data are refused, or warned of."""


class QueryMixin:
    """The doors of :class:`scvi.model.base.ArchesMixin`, with a folder checked as by ``load``.

    Comes before the scvi-tools class among the bases.
    """

    @classmethod
    def load_query_data(cls, adata: AnnData, reference_model: Any, *args: Any, **kwargs: Any) -> Self:
        """Map a reference model to query data.

        Parameters
        ----------
        adata, reference_model, *args, **kwargs
            As for :meth:`scvi.model.base.ArchesMixin.load_query_data`. A folder is checked as by :meth:`load`.

        Returns
        -------
        An untrained model for the query data.

        Raises
        ------
        ValueError
            If the folder holds no saved model.
        UnsafeModelError
            If its file holds anything but tensors and plain types.
        """
        reference = _checked(reference_model)
        return super().load_query_data(adata, reference, *args, **kwargs)  # type: ignore[misc]

    @classmethod
    def prepare_query_anndata(
        cls,
        adata: AnnData,
        reference_model: Any,
        return_reference_var_names: bool = False,
        inplace: bool = True,
        least_shared: float = LEAST_SHARED,
    ) -> AnnData | pd.Index[Any] | None:
        """Bring query data to the genes of the reference, in its order; genes that are missing are 0.

        Parameters
        ----------
        adata
            Query data, changed in place unless ``inplace`` says otherwise.
        reference_model
            A model or the folder of one, which is checked as by :meth:`load`.
        return_reference_var_names
            Whether to return the names of the reference's genes only.
        inplace
            Whether to change ``adata`` instead of returning new data.
        least_shared
            Share of the reference's genes that the data must have. Codes of cells that lack more than a fifth of the
            genes are doubtful, and a warning says so.

        Returns
        -------
        None, new data, or names of genes.

        Raises
        ------
        ValueError
            If fewer genes of the reference are in the data than ``least_shared`` asks for, or the folder holds no
            model, or one that could run code or was saved by a newer version.

        Warns
        -----
        UserWarning
            If fewer than 80 % of the reference's genes are in the data.
        """
        reference = _checked(reference_model)
        prepare = super().prepare_query_anndata  # type: ignore[misc]
        names = prepare(adata, reference, return_reference_var_names=True)
        if return_reference_var_names:
            return names
        _check_share(adata.var_names, names, least_shared)
        deep = {key: (adata.var_names, adata.varm[key]) for key in adata.varm if np.ndim(adata.varm[key]) > 2}
        if not deep:
            return prepare(adata, reference, inplace=inplace)
        # What has more than two dimensions cannot be joined to missing genes by anndata: it is put in order here.
        flat = adata.copy()
        for key in deep:
            del flat.varm[key]
        found = prepare(flat, reference, inplace=False)
        for key, (genes, values) in deep.items():
            found.varm[key] = _in_order(values, genes, found.var_names)
        if not inplace:
            return found
        adata._init_as_actual(found)
        return None

    @classmethod
    def prepare_query_mudata(cls, mdata: Any, reference_model: Any, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: models of this class take AnnData.

        Parameters
        ----------
        mdata, reference_model, *args, **kwargs
            As for :meth:`scvi.model.base.ArchesMixin.prepare_query_mudata`. A folder is checked as by :meth:`load`.

        Raises
        ------
        ValueError
            Always.
        """
        _checked(reference_model)
        raise ValueError(
            f"{cls.__name__} takes AnnData, not MuData: give the modality of the reference, for example mdata['rna'], "
            "to prepare_query_anndata."
        )


def _check_share(genes: pd.Index[Any], reference: pd.Index[Any], least: float) -> None:
    """Refuse query data with too few of the genes of a reference, and warn of few."""
    if not 0 <= least <= 1:
        raise ValueError(f"least_shared={least!r} must be in [0, 1].")
    n_shared = int(reference.isin(genes).sum())
    share = n_shared / len(reference)
    told = f"{n_shared:,} of the {len(reference):,} genes of the reference ({share:.0%}) are in the data"
    if share < least or not n_shared:
        raise ValueError(
            f"Only {told}, least_shared={least:g} asks for more. Are gene names of the same kind "
            f"({genes[0]!r}, {reference[0]!r})? To go on all the same, lower least_shared."
        )
    if share < _FEW_SHARED:
        warnings.warn(f"{told}; the others are taken as 0, and the codes are doubtful.", UserWarning, stacklevel=3)


def _in_order(values: NDArray[Any], genes: pd.Index[Any], wanted: pd.Index[Any]) -> NDArray[np.float64]:
    """Rows of the wanted genes; NaN for those that are not there."""
    rows = genes.get_indexer(wanted)
    ordered = np.full((len(wanted), *np.shape(values)[1:]), np.nan)
    ordered[rows >= 0] = np.asarray(values)[rows[rows >= 0]]
    return ordered


def _checked(reference_model: Any) -> Any:
    """Return a model as it is, and a folder as text once it is known to hold no code."""
    with contextlib.suppress(TypeError):
        reference_model = Path(reference_model)
    if isinstance(reference_model, Path):
        check_saved(reference_model)
        return str(reference_model)
    return reference_model
