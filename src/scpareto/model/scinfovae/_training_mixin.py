"""Training of ScInfoVAE in two phases, and its record."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from scpareto._runtime import FrontProgress, child_seed
from scpareto.model._state import copy_state
from scpareto.model.scinfovae._cluster_scores import cluster_scores
from scpareto.model.scinfovae._two_phases import TwoPhases
from scpareto.objectives import PriorDivergence
from scpareto.train import history_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from anndata import AnnData
    from numpy.typing import NDArray
    from scvi.data import AnnDataManager

    from scpareto.model.scinfovae._cluster_choice import ClusterChoice
    from scpareto.model.scinfovae._network import InfoVAE
    from scpareto.model.scinfovae._weights import InfoVAEWeights
    from scpareto.pareto import Front

RestoreBest = Literal["silhouette", "loss"]
logger = logging.getLogger("scpareto")

_SPLIT = 10
"""Seed index besides those of the phases."""


class TrainingMixin:
    """Training of :class:`ScInfoVAE` after :meth:`ScInfoVAE.train` has checked its arguments."""

    seed: int
    adata: AnnData
    adata_manager: AnnDataManager
    module: InfoVAE
    n_clusters: Any
    is_trained_: bool
    maps_query_: bool
    init_params_: dict[str, Any]
    phases_: dict[str, dict[str, list[float]]] | None
    clusters_: NDArray[np.int64] | None
    pretrained_clusters_: NDArray[np.int64] | None
    scores_: dict[str, dict[str, float]] | None
    n_clusters_choice_: dict[str, Any] | None
    finetuning_end_: str | None
    selected_: int | None
    preference_: list[float] | None
    _front: Front | None
    _initial_state: dict[str, torch.Tensor] | None
    _weights: InfoVAEWeights
    _divergence_options: dict[str, Any]
    _record: Callable[[], None]
    _store_training_cells: Callable[[], None]

    def _train_phases(
        self,
        choice: ClusterChoice,
        *,
        pretraining: dict[str, Any],
        finetuning: dict[str, Any],
        validation_size: float,
        progress: bool,
        **options: Any,
    ) -> None:
        """Pre-train, estimate the number of clusters if it is unknown, fine-tune, and write the record.

        Parameters
        ----------
        choice
            Estimates the number of clusters.
        pretraining, finetuning
            Arguments of :meth:`TwoPhases.pretrain` and :meth:`TwoPhases.finetune`.
        validation_size
            Share of held-out cells.
        progress
            Whether to show a progress bar.
        **options
            Further arguments of :class:`TwoPhases`.
        """
        if self._initial_state is None:
            self._initial_state = copy_state(self.module)
        previous_state = copy_state(self.module)
        self.module.load_state_dict(self._initial_state, strict=False)
        interruption: KeyboardInterrupt | None = None
        parts = self._split(validation_size)
        divergence = PriorDivergence(self.module.n_latent, **self._divergence_options)
        with FrontProgress(pretraining["max_epochs"] + finetuning["max_epochs"], show=progress) as bar:
            phases = TwoPhases(
                self.module,
                self.adata_manager,
                weights=self._weights,
                divergence=divergence,
                on_epoch=bar.epoch,
                train=parts["train"],
                validation=parts["validation"],
                **options,
            )
            bar.stage("pre-training", pretraining["max_epochs"])
            try:
                phases.pretrain(**pretraining)
            except KeyboardInterrupt as error:
                if not phases.pretrained:
                    self.module.load_state_dict(previous_state, strict=False)
                    self.module.eval()
                    raise
                interruption = error
            self._front, self.selected_, self.preference_ = None, None, None
            self.phases_ = {"pretraining": history_columns(phases.pretrained)}
            self.is_trained_ = True
            if not self.maps_query_ and interruption is None:
                if self.n_clusters is None:
                    bar.say("estimating the number of clusters")
                    self._choose_n_clusters(choice, phases, parts, finetuning, options)
                bar.stage("fine-tuning", finetuning["max_epochs"])
                codes_before = phases.codes().numpy()
                finetuned = phases.finetune(**finetuning)
                self.phases_["finetuning"] = history_columns(finetuned.history)
                self.pretrained_clusters_, self.clusters_ = finetuned.before, finetuned.after
                self.finetuning_end_, interruption = finetuned.reason, finetuned.interruption
                self.scores_ = {
                    "before": cluster_scores(codes_before, finetuned.before),
                    "after": cluster_scores(phases.codes().numpy(), finetuned.after),
                }
            bar.done()
        self.module.eval()
        self._record()
        if interruption is not None:
            n_epochs = {phase: len(next(iter(record.values()), [])) for phase, record in self.phases_.items()}
            logger.warning(
                "Interrupted. The model of %s is kept.", " and ".join(f"{n} epochs of {p}" for p, n in n_epochs.items())
            )
            raise interruption

    def _split(self, validation_size: float) -> dict[str, NDArray[np.int64]]:
        """Choose held-out cells and set the index attributes that scvi-tools reads."""
        n_cells = self.adata.n_obs
        order = np.random.default_rng(child_seed(self.seed, _SPLIT)).permutation(n_cells)
        n_validation = round(validation_size * n_cells)
        parts = {"validation": np.sort(order[:n_validation]), "train": np.sort(order[n_validation:])}
        for name, rows in parts.items():
            setattr(self, f"{name}_indices_", rows)
        self._store_training_cells()
        return parts

    def _choose_n_clusters(
        self,
        choice: ClusterChoice,
        phases: TwoPhases,
        parts: dict[str, NDArray[np.int64]],
        finetuning: dict[str, Any],
        options: dict[str, Any],
    ) -> None:
        """Estimate the number of clusters, note the reason, and make it an argument of the model for loading."""
        estimate = choice(phases, parts, lr=finetuning["lr"], objective=finetuning["objective"], **options)
        self.n_clusters_choice_ = {
            "value": estimate.value,
            "method": choice.method,
            "reason": estimate.reason,
            "candidates": estimate.candidates.tolist(),
            "scores": estimate.scores.tolist(),
        }
        self.module.add_clusters(estimate.value)
        # Loading builds the model from its arguments, so they must name the number of saved centres.
        self.init_params_["non_kwargs"]["n_clusters"] = estimate.value


def check_restore_best(name: str | None) -> None:
    """Check the choice of ``restore_best``.

    Raises
    ------
    ValueError
        If it is unknown.
    """
    if name is not None and name not in get_args(RestoreBest):
        raise ValueError(f"restore_best={name!r} is not one of None, {', '.join(map(repr, get_args(RestoreBest)))}.")
