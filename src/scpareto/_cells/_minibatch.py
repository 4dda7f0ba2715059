"""Check minibatches of data modules that users bring, before any training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from scvi import REGISTRY_KEYS
from torch import Tensor


@dataclass(frozen=True)
class MinibatchFormat:
    """Keys, shapes and levels of the minibatches that a model reads, from its registry.

    Parameters
    ----------
    n_genes
        Columns of the counts.
    n_batches, n_labels
        Levels of batch and labels.
    n_categories
        Levels of each further categorical covariate.
    n_continuous
        Number of continuous covariates.
    """

    n_genes: int
    n_batches: int
    n_labels: int = 0
    n_categories: tuple[int, ...] = ()
    n_continuous: int = 0

    def __call__(self, minibatch: Any) -> dict[str, Tensor]:
        """Return the tensors of a minibatch that the model reads.

        Raises
        ------
        TypeError
            If the minibatch is not a dictionary.
        KeyError
            If a key is missing.
        ValueError
            If a tensor has the wrong shape, or levels that the model does not know.
        """
        if not isinstance(minibatch, Mapping):
            raise TypeError(
                f"A minibatch of the data module is a {type(minibatch).__name__}; a dictionary with the keys "
                f"{', '.join(map(repr, self._keys))} is needed."
            )
        counts = self._get_tensor(minibatch, REGISTRY_KEYS.X_KEY)
        counts = counts.to_dense() if counts.layout != torch.strided else counts
        if counts.ndim != 2 or counts.shape[1] != self.n_genes:
            raise ValueError(
                f"A minibatch of the data module has counts of shape {tuple(counts.shape)}; (n_cells, {self.n_genes}) "
                "is needed, a column for each gene of the model."
            )
        tensors = {REGISTRY_KEYS.X_KEY: counts.float()}
        for key, sizes in self._levels.items():
            if key == REGISTRY_KEYS.LABELS_KEY and minibatch.get(key) is None:
                tensors[key] = torch.zeros((len(counts), 1), dtype=torch.long)
                continue
            tensors[key] = self._get_codes(minibatch, key, len(counts), sizes)
        if self.n_continuous:
            numbers = self._get_tensor(minibatch, REGISTRY_KEYS.CONT_COVS_KEY).float()
            self._check_shape(REGISTRY_KEYS.CONT_COVS_KEY, numbers, (len(counts), self.n_continuous))
            tensors[REGISTRY_KEYS.CONT_COVS_KEY] = numbers
        return tensors

    @property
    def _levels(self) -> dict[str, tuple[int, ...]]:
        """Number of levels of each column, by key of categories."""
        levels = {REGISTRY_KEYS.BATCH_KEY: (self.n_batches,), REGISTRY_KEYS.LABELS_KEY: (max(self.n_labels, 1),)}
        return levels | ({REGISTRY_KEYS.CAT_COVS_KEY: self.n_categories} if self.n_categories else {})

    @property
    def _keys(self) -> list[str]:
        continuous = [REGISTRY_KEYS.CONT_COVS_KEY] if self.n_continuous else []
        return [REGISTRY_KEYS.X_KEY, *(k for k in self._levels if k != REGISTRY_KEYS.LABELS_KEY), *continuous]

    def _get_tensor(self, minibatch: Mapping[str, Any], key: str) -> Tensor:
        value = minibatch.get(key)
        if value is None:
            present, needed = (", ".join(map(repr, keys)) for keys in (minibatch, self._keys))
            raise KeyError(f"A minibatch of the data module has no {key!r}: it holds {present}; {needed} are needed.")
        return torch.as_tensor(value)

    def _get_codes(self, minibatch: Mapping[str, Any], key: str, n_cells: int, sizes: tuple[int, ...]) -> Tensor:
        codes = self._get_tensor(minibatch, key).long().cpu()
        codes = codes[:, None] if codes.ndim == 1 else codes
        self._check_shape(key, codes, (n_cells, len(sizes)))
        if n_cells and (int(codes.min()) < 0 or bool((codes.amax(0) >= torch.tensor(sizes)).any())):
            raise ValueError(
                f"A minibatch of the data module has levels {int(codes.min())} to {int(codes.max())} in {key!r}; the "
                f"registry of the model knows {', '.join(f'0 to {size - 1}' for size in sizes)}."
            )
        return codes

    @staticmethod
    def _check_shape(key: str, values: Tensor, expected: tuple[int, int]) -> None:
        if tuple(values.shape) != expected:
            raise ValueError(
                f"A minibatch of the data module has {key!r} of shape {tuple(values.shape)}, not {expected}."
            )
