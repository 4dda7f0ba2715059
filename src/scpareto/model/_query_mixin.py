"""Mapping a reference model to query data, where opening the reference runs no code."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from scpareto.model._saving import check_saved

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd
    from anndata import AnnData


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
        cls, adata: AnnData, reference_model: Any, return_reference_var_names: bool = False, inplace: bool = True
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

        Returns
        -------
        None, new data, or names of genes.

        Raises
        ------
        ValueError
            If no gene of the reference is in the data, or the folder holds no model, or one that could run code or
            was saved by a newer version.
        """
        reference = _checked(reference_model)
        return super().prepare_query_anndata(  # type: ignore[misc]
            adata, reference, return_reference_var_names=return_reference_var_names, inplace=inplace
        )

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


def _checked(reference_model: Any) -> Any:
    """Return a model as it is, and a folder as text once it is known to hold no code."""
    with contextlib.suppress(TypeError):
        reference_model = Path(reference_model)
    if isinstance(reference_model, Path):
        check_saved(reference_model)
        return str(reference_model)
    return reference_model
