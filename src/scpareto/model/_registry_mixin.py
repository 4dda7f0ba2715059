"""What scvi-tools 1.4 offers about the set-up of a model and does not do."""

from __future__ import annotations

import warnings
from typing import Any

# scvi-tools prints set-ups with it and does not import it.
import rich.pretty  # noqa: F401
from anndata import AnnData

from scpareto._cells import check_counts
from scpareto._scvi_compat import minify_type_of
from scpareto.model._expression import check_finite
from scpareto.model._without_cells import refuse_without_cells


class RegistryMixin:
    """Methods that look for the registry where scvi-tools 1.4 does not keep it.

    Comes before the scvi-tools class among the bases.
    """

    adata_manager: Any
    registry_: dict[str, Any]
    _takes_counts = False
    """Whether negative values and cells without counts are refused, or only what is not finite."""

    def view_registry(self, hide_state_registries: bool = False) -> None:
        """Print the set-up and what is registered.

        Parameters
        ----------
        hide_state_registries
            Whether to leave out what is registered of each key.

        Raises
        ------
        ValueError
            If the model was loaded without data.
        """
        if not self.adata_manager:
            raise ValueError("The model was loaded without data. Its set-up is in model.registry.")
        self.adata_manager.view_registry(hide_state_registries)

    def _validate_anndata(self, adata: Any = None, copy_if_view: bool = True) -> Any:
        """Take other data than the model's own as :meth:`setup_anndata` does: what cannot be read is refused."""
        if adata is None:
            refuse_without_cells(self, "read")
        if self._is_new(adata):
            layer = self.registry_["setup_args"].get("layer")
            if layer is None or layer in adata.layers:
                with warnings.catch_warnings():
                    # Of fractions was warned when the model's own data were registered.
                    warnings.simplefilter("ignore", UserWarning)
                    check = check_counts if self._takes_counts else check_finite
                    check(adata, layer)
        return super()._validate_anndata(adata, copy_if_view=copy_if_view)  # type: ignore[misc]

    def _is_new(self, adata: Any) -> bool:
        """Whether these are counts in memory or a file that this model has not seen."""
        if not isinstance(adata, AnnData) or adata is getattr(self, "_adata", None):
            return False
        known = not adata.is_view and self.get_anndata_manager(adata) is not None  # type: ignore[attr-defined]
        return not known and minify_type_of(adata) is None

    def update_setup_method_args(self, setup_method_args: dict[str, Any]) -> None:
        """Change arguments of the set-up in the registry of this model.

        Parameters
        ----------
        setup_method_args
            Arguments of ``setup_anndata`` by name.
        """
        self.registry_["setup_args"].update(setup_method_args)
