"""What scvi-tools 1.4 offers about the set-up of a model and does not do."""

from __future__ import annotations

from typing import Any

# scvi-tools prints set-ups with it and does not import it.
import rich.pretty  # noqa: F401


class RegistryMixin:
    """Methods that look for the registry where scvi-tools 1.4 does not keep it.

    Comes before the scvi-tools class among the bases.
    """

    adata_manager: Any
    registry_: dict[str, Any]

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

    def update_setup_method_args(self, setup_method_args: dict[str, Any]) -> None:
        """Change arguments of the set-up in the registry of this model.

        Parameters
        ----------
        setup_method_args
            Arguments of ``setup_anndata`` by name.
        """
        self.registry_["setup_args"].update(setup_method_args)
