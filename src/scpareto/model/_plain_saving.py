"""Saving and loading that run no code."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scvi.model.base import BaseModelClass

from scpareto._runtime import check_accelerator, write_folder_atomically
from scpareto._scvi_compat import SAVE_KEYS
from scpareto.model._registry_mixin import RegistryMixin
from scpareto.model._saving import check_saved, rewrite_as_plain
from scpareto.model._without_cells import build_data_module_info, is_from_data_module

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from typing import Self

    from anndata import AnnData

INDICES = ("train_indices_", "validation_indices_", "test_indices_")


class PlainSavingMixin(RegistryMixin):
    """Save and load as tensors and plain types; comes before the scvi-tools class among the bases."""

    _adata: Any
    trained_cells_: dict[str, Any] | None = None
    """Names of the training's cells and rows of each part; a front keeps its own."""

    @property
    def adata(self) -> Any:
        """Data of the model; None if it was loaded without data."""
        return self._adata

    @adata.setter
    def adata(self, adata: Any) -> None:
        BaseModelClass.adata.fset(self, adata)
        self._match_training_cells()

    def save(self, dir_path: str | os.PathLike[str], prefix: str | None = None, **kwargs: Any) -> None:
        """Save the model, with its front if it has one, as tensors and plain types only.

        Files are written next to the folder and moved into it once they are complete. If saving fails, for example on a
        full disk, the model that was there before stays.

        Parameters
        ----------
        dir_path, prefix
            Folder, and prefix of the file names.
        **kwargs
            ``overwrite``, ``save_anndata`` and further arguments of :meth:`scvi.model.base.BaseModelClass.save`;
            ``datamodule`` is not needed.

        Raises
        ------
        ValueError
            If the folder exists and ``overwrite`` is not set.
        OSError
            If the folder cannot be written.
        """
        folder = Path(dir_path)
        if folder.exists() and not kwargs.pop("overwrite", False):
            raise ValueError(f"{folder} already exists. Give another folder, or overwrite=True.")
        if is_from_data_module(self.registry_):
            kwargs["datamodule"] = build_data_module_info(self.registry_)
        kwargs["overwrite"] = True  # scvi-tools writes to a new temporary folder
        with write_folder_atomically(folder) as unfinished:
            super().save(str(unfinished), prefix=prefix, **kwargs)  # type: ignore[misc]
            path = unfinished / f"{prefix or ''}{SAVE_KEYS.MODEL_FNAME}"
            rewrite_as_plain(path, {"version": version("scpareto"), "model": type(self).__name__})

    @classmethod
    def load(
        cls,
        dir_path: str | os.PathLike[str],
        adata: AnnData | None = None,
        accelerator: str = "auto",
        device: int | str = "auto",
        prefix: str | None = None,
        backup_url: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Load a saved model, with its front and at its selected point if it has one; run no code of the file.

        Parameters
        ----------
        dir_path, adata
            Folder of the model, and data with the same layout as those it was trained on (None: those saved with it;
            False: none).
        accelerator, device, prefix, backup_url, **kwargs
            As for :meth:`scvi.model.base.BaseModelClass.load`.

        Returns
        -------
        The model.

        Raises
        ------
        ValueError
            If the folder holds no model, the file could run code, or a newer version saved it.
        """
        check_accelerator(accelerator)
        check_saved(dir_path, prefix, backup_url)
        model = super().load(  # type: ignore[misc]
            str(dir_path),
            adata=adata,
            accelerator=accelerator,
            device=device,
            prefix=prefix,
            backup_url=backup_url,
            **kwargs,
        )
        for name in INDICES:
            indices = getattr(model, name, None)
            if indices is not None:
                setattr(model, name, np.asarray(indices))
        model._match_training_cells()
        model._after_loading()
        return model

    def _get_training_cells(self) -> tuple[Sequence[str], Mapping[str, Any]] | None:
        """Return the names of the training's cells, and the rows of each part; None if they were not kept."""
        if self.trained_cells_ is None:
            return None
        return self.trained_cells_["names"], self.trained_cells_["indices"]

    def _store_training_cells(self) -> None:
        """Store the names of the training's cells and the rows of each part."""
        indices = {name: getattr(self, name, None) for name in INDICES}
        self.trained_cells_ = {
            "names": [str(name) for name in self.adata_manager.adata.obs_names],
            "indices": {name.removesuffix("_indices_"): rows for name, rows in indices.items() if rows is not None},
        }

    def _match_training_cells(self) -> None:
        """Find the rows of training and held-out cells by name, since loaded data may be other or reordered cells.

        Warns
        -----
        UserWarning
            If cells of the training are missing.
        """
        adata, training_cells = getattr(self, "_adata", None), self._get_training_cells()
        if adata is None or training_cells is None:
            return
        names, parts = training_cells
        obs_names = pd.Index(adata.obs_names)
        rows = np.arange(len(names))
        if len(obs_names) != len(names) or not bool((obs_names == pd.Index(names)).all()):
            unique = obs_names.is_unique and pd.Index(names).is_unique
            rows = obs_names.get_indexer(names) if unique else np.full(len(names), -1)
        for part, indices in parts.items():
            part_rows = rows[np.asarray(indices, dtype=np.int64)]
            setattr(self, f"{part}_indices_", np.sort(part_rows[part_rows >= 0]))
        n_present = int((rows >= 0).sum())
        if n_present < len(names):
            warnings.warn(
                f"adata holds {n_present} of the {len(names)} cells that the model was trained on, by their obs_names. "
                "Rows of training and held-out cells are those of these; judging or refining points needs all of them.",
                UserWarning,
                stacklevel=3,
            )

    def _after_loading(self) -> None:
        """Complete a loaded model, once it has its data and attributes; subclasses override this."""
        return

    @staticmethod
    def load_registry(dir_path: str | os.PathLike[str], prefix: str | None = None) -> dict[str, Any]:
        """Return the registry of a saved model, after the same check as :meth:`load`."""
        check_saved(dir_path, prefix)
        return BaseModelClass.load_registry(str(dir_path), prefix)

    @staticmethod
    def view_setup_args(dir_path: str | os.PathLike[str], prefix: str | None = None) -> None:
        """Print the set-up of a saved model, after the same check as :meth:`load`."""
        check_saved(dir_path, prefix)
        BaseModelClass.view_setup_args(str(dir_path), prefix)

    @classmethod
    def convert_legacy_save(cls, *args: Any, **kwargs: Any) -> None:
        """Refuse: models of this class were never saved in the old format, and reading it runs code."""
        raise ValueError(f"There are no {cls.__name__} models in the format of scvi-tools before 0.15.")
