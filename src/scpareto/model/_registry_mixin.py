"""Methods for the registry of a model that fail in scvi-tools 1.4."""

from __future__ import annotations

import warnings
from typing import Any

# scvi-tools uses this module to print set-ups, but does not import it.
import rich.pretty  # noqa: F401
from anndata import AnnData

from scpareto._cells import check_counts
from scpareto._scvi_compat import minify_type_of
from scpareto.model._expression import check_finite
from scpareto.model._without_cells import refuse_without_cells


class RegistryMixin:
    """Registry methods that scvi-tools 1.4 defines but that fail there.

    Comes before the scvi-tools class among the bases.
    """

    adata_manager: Any
    registry_: dict[str, Any]
    _takes_counts = False
    """Whether negative values and cells without counts are refused, or only values that are not finite."""

    def view_registry(self, hide_state_registries: bool = False) -> None:
        """Print the set-up and the registered fields.

        Parameters
        ----------
        hide_state_registries
            Whether to leave out the state of each field.

        Raises
        ------
        ValueError
            If the model was loaded without data.
        """
        if not self.adata_manager:
            raise ValueError("The model was loaded without data. Its set-up is in model.registry.")
        self.adata_manager.view_registry(hide_state_registries)

    def _validate_anndata(self, adata: Any = None, copy_if_view: bool = True) -> Any:
        """Check new data as :meth:`setup_anndata` does, then hand them to scvi-tools."""
        if adata is None:
            refuse_without_cells(self, "read")
        if self._is_new_data(adata):
            layer = self.registry_["setup_args"].get("layer")
            if layer is None or layer in adata.layers:
                with warnings.catch_warnings():
                    # Registering the model's data has already warned about fractions.
                    warnings.simplefilter("ignore", UserWarning)
                    check = check_counts if self._takes_counts else check_finite
                    check(adata, layer)
        return super()._validate_anndata(adata, copy_if_view=copy_if_view)  # type: ignore[misc]

    def _is_new_data(self, adata: Any) -> bool:
        """Return whether data, in memory or backed, hold counts that this model has not registered."""
        if not isinstance(adata, AnnData) or adata is getattr(self, "_adata", None):
            return False
        registered = not adata.is_view and self.get_anndata_manager(adata) is not None  # type: ignore[attr-defined]
        return not registered and minify_type_of(adata) is None

    def update_setup_method_args(self, setup_method_args: dict[str, Any]) -> None:
        """Change arguments of the set-up in the registry of this model.

        Parameters
        ----------
        setup_method_args
            Arguments of ``setup_anndata`` by name.
        """
        self.registry_["setup_args"].update(setup_method_args)
