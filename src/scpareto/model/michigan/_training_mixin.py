"""Training of a generator on all registered cells, and the record of it."""

from __future__ import annotations

import logging
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from scvi import REGISTRY_KEYS

from scpareto._cells import write_record
from scpareto._constants import CODE_KEY, CODE_SCALE_KEY
from scpareto._runtime import child_seed, seeded
from scpareto._scvi_compat import parse_device_args
from scpareto.model.michigan._coded_cells import COLLAPSED, CodedCells, relative_variance
from scpareto.model.michigan._wasserstein import train_wasserstein

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData
    from scvi.data import AnnDataManager

    from scpareto.model.michigan._networks import MichiGANModule
    from scpareto.model.michigan._recipe import WassersteinRecipe

logger = logging.getLogger("scpareto")

_TRAINING = 1
"""Seed index."""


class TrainingMixin:
    """Training of :class:`MichiGAN` after :meth:`MichiGAN.train` has checked its arguments."""

    seed: int
    module: MichiGANModule
    adata: AnnData
    adata_manager: AnnDataManager
    to_device: Callable[..., None]
    collapsed_: bool | None
    is_trained_: bool
    _history: pd.DataFrame

    def _train_wasserstein(
        self,
        recipe: WassersteinRecipe,
        max_epochs: int,
        accelerator: str,
        on_epoch: Callable[[int, dict[str, float]], None] | None,
    ) -> float:
        """Train, write the record, and return the variance of generated cells relative to that of real ones."""
        _, _, device = parse_device_args(accelerator, "auto", return_device="torch")
        self.to_device(device)
        cells = self._load_cells(device)
        interruption = None
        with seeded(child_seed(self.seed, _TRAINING)):
            try:
                history = train_wasserstein(self.module, cells, recipe, max_epochs, on_epoch)
            except KeyboardInterrupt as error:
                interruption, history = error, getattr(error, "history", [])
                if not history:
                    raise
                logger.warning("Interrupted. The generator of %d of %d epochs is kept.", len(history), max_epochs)
            share = relative_variance(self.module, cells)
        self._history = pd.DataFrame(history, index=pd.RangeIndex(1, len(history) + 1, name="epoch"))
        self._history.loc[len(history), "relative_variance"] = share
        self.collapsed_, self.is_trained_ = bool(share < COLLAPSED), True
        write_record(
            self.adata,
            "michigan",
            {
                "max_epochs": len(history),
                "collapsed": self.collapsed_,
                "relative_variance": share,
                "seed": self.seed,
                "version": version("scpareto"),
                **asdict(recipe),
            },
        )
        if interruption is not None:
            raise interruption
        return share

    def _load_cells(self, device: torch.device) -> CodedCells:
        """Return all registered cells, dense, on the device; set the library moments of the generator."""
        values = self.adata_manager.get_from_registry(REGISTRY_KEYS.X_KEY)
        dense = values.toarray() if sparse.issparse(values) else np.asarray(values)
        x = torch.from_numpy(np.ascontiguousarray(dense, dtype=np.float32)).to(device)
        library = None
        if self.module.output != "linear":
            library = x.sum(1, keepdim=True)
            logs = torch.log(library)
            self.module.generator.get_buffer("library_moments").copy_(
                torch.stack([logs.mean(), logs.std().clamp(min=1e-3)])
            )
        codes = {
            name: torch.from_numpy(np.asarray(self.adata_manager.get_from_registry(name), dtype=np.float32)).to(device)
            for name in (CODE_KEY, CODE_SCALE_KEY)
            if name in self.adata_manager.data_registry
        }
        return CodedCells(self.module.to_critic_scale(x), codes.get(CODE_KEY), codes.get(CODE_SCALE_KEY), library)
