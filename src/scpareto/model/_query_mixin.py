"""Map a reference model to query data; opening the reference runs no code."""

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


LEAST_SHARED, _WARN_SHARED = 0.3, 0.8
"""Shares of the reference's genes in the query data below which these are refused, or a warning is given."""


class QueryMixin:
    """Methods of :class:`scvi.model.base.ArchesMixin` that first check a folder as ``load`` does.

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
            If its file holds more than tensors and plain types.
        """
        reference = _check_reference(reference_model)
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
        """Reorder query data to the genes of the reference; missing genes become 0.

        Parameters
        ----------
        adata
            Query data, changed in place unless ``inplace`` is False.
        reference_model
            A model, or the folder of one, which is checked as :meth:`load` does.
        return_reference_var_names
            Whether to only return the names of the reference's genes.
        inplace
            Whether to change ``adata`` instead of returning new data.
        least_shared
            Share of the reference's genes that the data must have. Codes are unreliable if more than a fifth of the
            genes are missing; a warning says so.

        Returns
        -------
        None, new data, or names of genes.

        Raises
        ------
        ValueError
            If the data hold a smaller share of the reference's genes than ``least_shared``, or the folder holds no
            model, a file that could run code, or a model that a newer version saved.

        Warns
        -----
        UserWarning
            If fewer than 80 % of the reference's genes are in the data.
        """
        reference = _check_reference(reference_model)
        prepare = super().prepare_query_anndata  # type: ignore[misc]
        names = prepare(adata, reference, return_reference_var_names=True)
        if return_reference_var_names:
            return names
        _check_share(adata.var_names, names, least_shared)
        varm_arrays = {key: (adata.var_names, adata.varm[key]) for key in adata.varm if np.ndim(adata.varm[key]) > 2}
        if not varm_arrays:
            return prepare(adata, reference, inplace=inplace)
        # anndata cannot join arrays of more than two dimensions to missing genes, so they are reordered here.
        reduced = adata.copy()
        for key in varm_arrays:
            del reduced.varm[key]
        prepared = prepare(reduced, reference, inplace=False)
        for key, (genes, values) in varm_arrays.items():
            prepared.varm[key] = _reorder_rows(values, genes, prepared.var_names)
        if not inplace:
            return prepared
        adata._init_as_actual(prepared)
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
        _check_reference(reference_model)
        raise ValueError(
            f"{cls.__name__} takes AnnData, not MuData: give the modality of the reference, for example mdata['rna'], "
            "to prepare_query_anndata."
        )


def _check_share(genes: pd.Index[Any], reference: pd.Index[Any], least: float) -> None:
    """Raise ValueError if query data have too few of the reference's genes; warn if they lack some."""
    if not 0 <= least <= 1:
        raise ValueError(f"least_shared={least!r} must be in [0, 1].")
    n_shared = int(reference.isin(genes).sum())
    share = n_shared / len(reference)
    message = f"{n_shared:,} of the {len(reference):,} genes of the reference ({share:.0%}) are in the data"
    if share < least or not n_shared:
        raise ValueError(
            f"Only {message}, least_shared={least:g} asks for more. Are gene names of the same kind "
            f"({genes[0]!r}, {reference[0]!r})? To go on all the same, lower least_shared."
        )
    if share < _WARN_SHARED:
        warnings.warn(f"{message}; the others are taken as 0, and the codes are doubtful.", UserWarning, stacklevel=3)


def _reorder_rows(values: NDArray[Any], genes: pd.Index[Any], reference: pd.Index[Any]) -> NDArray[np.float64]:
    """Return the rows of the reference's genes; NaN for missing genes."""
    rows = genes.get_indexer(reference)
    ordered = np.full((len(reference), *np.shape(values)[1:]), np.nan)
    ordered[rows >= 0] = np.asarray(values)[rows[rows >= 0]]
    return ordered


def _check_reference(reference_model: Any) -> Any:
    """Return a model unchanged; return a folder as text after checking that its file holds no code."""
    with contextlib.suppress(TypeError):
        reference_model = Path(reference_model)
    if isinstance(reference_model, Path):
        check_saved(reference_model)
        return str(reference_model)
    return reference_model
