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
from scpareto.model._without_cells import as_data_module, is_of_data_module

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
    """Names of the cells of the training, and rows of its parts among them; a front holds its own."""

    @property
    def adata(self) -> Any:
        """Data of the model; None where it was loaded without."""
        return self._adata

    @adata.setter
    def adata(self, adata: Any) -> None:
        BaseModelClass.adata.fset(self, adata)
        self._follow_cells()

    def save(self, dir_path: str | os.PathLike[str], prefix: str | None = None, **kwargs: Any) -> None:
        """Save the model, with its front where it has one, as tensors and plain types only.

        Files are written beside the folder and put into it once they are whole: where saving fails, as on a full disk,
        the model that was there before stays.

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
            If it cannot be written.
        """
        folder = Path(dir_path)
        if folder.exists() and not kwargs.pop("overwrite", False):
            raise ValueError(f"{folder} already exists. Give another folder, or overwrite=True.")
        if is_of_data_module(self.registry_):
            kwargs["datamodule"] = as_data_module(self.registry_)
        kwargs["overwrite"] = True  # the folder that is written to was just made
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
        """Load a saved model, with its front and in its selected point where it has one; no code of the file is run.

        Parameters
        ----------
        dir_path, adata
            Folder of the model, and data organised as those it was trained on (None: those saved with it;
            False: none).
        accelerator, device, prefix, backup_url, **kwargs
            As for :meth:`scvi.model.base.BaseModelClass.load`.

        Returns
        -------
        The model.

        Raises
        ------
        ValueError
            If the folder holds no model, or one that could run code or was saved by a newer version.
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
        model._follow_cells()
        model._after_loading()
        return model

    def _known_cells(self) -> tuple[Sequence[str], Mapping[str, Any]] | None:
        """Names of the cells of the training, and rows of its parts; None where they were not kept."""
        if self.trained_cells_ is None:
            return None
        return self.trained_cells_["names"], self.trained_cells_["indices"]

    def _keep_cells(self) -> None:
        """Keep who the cells of the training are."""
        indices = {name: getattr(self, name, None) for name in INDICES}
        self.trained_cells_ = {
            "names": [str(name) for name in self.adata_manager.adata.obs_names],
            "indices": {name.removesuffix("_indices_"): rows for name, rows in indices.items() if rows is not None},
        }

    def _follow_cells(self) -> None:
        """Let the rows of training and held-out cells follow the names of cells, where data are others or reordered.

        Warns
        -----
        UserWarning
            If cells of the training are missing.
        """
        adata, known = getattr(self, "_adata", None), self._known_cells()
        if adata is None or known is None:
            return
        names, parts = known
        here = pd.Index(adata.obs_names)
        rows = np.arange(len(names))
        if len(here) != len(names) or not bool((here == pd.Index(names)).all()):
            unique = here.is_unique and pd.Index(names).is_unique
            rows = here.get_indexer(names) if unique else np.full(len(names), -1)
        for part, own in parts.items():
            found = rows[np.asarray(own, dtype=np.int64)]
            setattr(self, f"{part}_indices_", np.sort(found[found >= 0]))
        n_there = int((rows >= 0).sum())
        if n_there < len(names):
            warnings.warn(
                f"adata holds {n_there} of the {len(names)} cells that the model was trained on, by their obs_names. "
                "Rows of training and held-out cells are those of these; judging or refining points needs all of them.",
                UserWarning,
                stacklevel=3,
            )

    def _after_loading(self) -> None:
        """Do what is left once a model has its data and attributes."""
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
