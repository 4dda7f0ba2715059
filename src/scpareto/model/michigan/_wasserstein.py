"""Training loop of a Wasserstein GAN, on cells in memory."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scpareto._runtime import raise_on_signals
from scpareto.model.michigan._critic import gradient_penalty
from scpareto.train import TrainingDiverged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from scpareto.model.michigan._coded_cells import CodedCells
    from scpareto.model.michigan._networks import MichiGANModule
    from scpareto.model.michigan._recipe import WassersteinRecipe


class WassersteinTrainer:
    r"""Trains critic and generator in turn.

    Parameters
    ----------
    module
        Generator and critic.
    cells
        Training cells.
    recipe
        Training settings.

    Notes
    -----
    Losses are :math:`\ell_D = \bar D(x) - \bar D(G) + \lambda P` and :math:`\ell_G = \bar D(G)`: real cells score
    low. Real and generated cells of a minibatch have the same codes. Every step draws its own minibatch.

    Examples
    --------
    >>> import torch
    >>> from scpareto.model.michigan import CodedCells, MichiGANModule, WassersteinRecipe, WassersteinTrainer
    >>> _ = torch.manual_seed(0)
    >>> module = MichiGANModule(5, n_latent=2, n_noise=2, n_hidden_generator=[8], n_hidden_critic=[8])
    >>> cells = CodedCells(x=torch.randn(64, 5), mean=torch.randn(64, 2))
    >>> trainer = WassersteinTrainer(module, cells, WassersteinRecipe(batch_size=16))
    >>> trainer.steps_per_epoch, sorted(trainer.epoch())
    (4, ['critic_loss', 'generator_loss', 'gradient_penalty'])
    """

    def __init__(self, module: MichiGANModule, cells: CodedCells, recipe: WassersteinRecipe) -> None:
        self.module, self.cells, self.recipe = module, cells, recipe
        device = cells.x.device
        options: dict[str, Any] = {
            "lr": recipe.lr,
            "betas": (recipe.beta1, recipe.beta2),
            "fused": device.type in ("cpu", "cuda"),
        }
        self._critic_optimizer = torch.optim.Adam(module.critic.parameters(), **options)
        self._generator_optimizer = torch.optim.Adam(module.generator.parameters(), **options)
        self._mean = {name: value.clone() for name, value in self._weights().items()} if recipe.average else {}
        self._queue = torch.empty(0, dtype=torch.int64, device=device)
        self.history: list[dict[str, float]] = []

    @property
    def steps_per_epoch(self) -> int:
        """Number of generator steps in an epoch."""
        return max(1, len(self.cells.x) // self.recipe.batch_size)

    def epoch(self) -> dict[str, float]:
        """Train for one epoch, counted in generator steps.

        Returns
        -------
        Mean losses and gradient penalty of the epoch.

        Raises
        ------
        TrainingDiverged
            If a loss is not finite.
        """
        self.module.train()
        records: list[Tensor] = []
        for _ in range(self.steps_per_epoch):
            critic = torch.stack([torch.stack(self.critic_step()) for _ in range(self.recipe.n_critic)]).mean(0)
            records.append(torch.cat([critic, self.generator_step()[None]]))
        values = torch.stack(records).mean(0).tolist()
        record = dict(zip(("critic_loss", "gradient_penalty", "generator_loss"), values, strict=True))
        self.history.append(record)
        if not np.isfinite(values).all():
            raise TrainingDiverged(f"epoch {len(self.history) - 1}: {record} is not finite; lower lr or raise penalty.")
        return record

    def critic_step(self) -> tuple[Tensor, Tensor]:
        """Take one step of the critic; return its loss and the gradient penalty."""
        recipe, critic = self.recipe, self.module.critic
        x, codes, library, cell_codes = self._minibatch()
        with torch.no_grad():
            fake = self.module.to_critic_scale(self.module.generate(codes, library))
        shape = (len(x), 1) if recipe.epsilon == "cell" else (1, 1)
        penalty = gradient_penalty(lambda y: critic(y, codes), x, fake, torch.rand(shape, device=x.device))
        loss = critic(x, codes).mean() - critic(fake, codes).mean() + recipe.penalty * penalty
        loss = loss - self._information(fake, codes, x, cell_codes)
        self._critic_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._critic_optimizer.step()
        return loss.detach(), penalty.detach()

    def generator_step(self) -> Tensor:
        """Take one step of the generator; return its loss."""
        critic = self.module.critic
        critic.requires_grad_(False)
        x, codes, library, cell_codes = self._minibatch()
        fake = self.module.to_critic_scale(self.module.generate(codes, library))
        loss = critic(fake, codes).mean() - self._information(fake, codes, x, cell_codes)
        self._generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._generator_optimizer.step()
        critic.requires_grad_(True)
        for name, value in self._weights().items() if self._mean else ():
            self._mean[name].lerp_(value, 1 - self.recipe.average)
        return loss.detach()

    @contextmanager
    def use_averaged_weights(self) -> Iterator[None]:
        """Use the averaged weights, if there are any, within a block; restore the training weights afterwards."""
        training_weights = {name: value.clone() for name, value in self._weights().items()} if self._mean else {}
        self._set_weights(self._mean)
        try:
            yield
        finally:
            self._set_weights(training_weights)

    def finish(self) -> None:
        """Load the averaged weights into the generator, if there are any, and switch to evaluation mode."""
        self._set_weights(self._mean)
        self.module.eval()

    def _weights(self) -> dict[str, Tensor]:
        """Return weights and running statistics of the generator."""
        state = self.module.generator.state_dict()
        return {name: value for name, value in state.items() if value.is_floating_point()}

    def _set_weights(self, values: dict[str, Tensor]) -> None:
        for name, value in self._weights().items() if values else ():
            value.copy_(values[name])

    def _information(self, fake: Tensor, codes: Tensor, x: Tensor, cell_codes: Tensor | None) -> Tensor:
        """Return the weighted information that generated and real cells hold about their codes."""
        recipe, total = self.recipe, fake.new_zeros(())
        if recipe.information_weight:
            total = total + recipe.information_weight * self.module.critic.information(fake, codes)
        if recipe.supervision_weight and cell_codes is not None:
            total = total + recipe.supervision_weight * self.module.critic.information(x, cell_codes)
        return total

    def _minibatch(self) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Return real cells, the generator's codes, library sizes, and the codes of the real cells."""
        n = min(self.recipe.batch_size, len(self.cells.x))
        if len(self._queue) < n:
            self._queue = torch.randperm(len(self.cells.x), device=self._queue.device)
        rows, self._queue = self._queue[:n], self._queue[n:]
        cell_codes = self._codes(rows)
        if self.module.conditional:
            if cell_codes is None:
                raise ValueError("a conditional generator needs codes of the cells.")
            codes = cell_codes
        else:
            codes = torch.randn(n, self.module.n_latent, device=rows.device)
        library = None if self.cells.library is None else self.cells.library[rows]
        return self.cells.x[rows], codes, library, cell_codes

    def _codes(self, rows: Tensor) -> Tensor | None:
        mean, scale = self.cells.mean, self.cells.scale
        if mean is None:
            return None
        if self.recipe.codes == "mean" or scale is None:
            return mean[rows]
        return mean[rows] + scale[rows] * torch.randn_like(mean[rows])


def train_wasserstein(
    module: MichiGANModule,
    cells: CodedCells,
    recipe: WassersteinRecipe,
    max_epochs: int,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
) -> list[dict[str, float]]:
    """Train generator and critic.

    Parameters
    ----------
    module, cells, recipe
        As in :class:`WassersteinTrainer`.
    max_epochs
        Epochs.
    on_epoch
        Called after each epoch with its number, from 1, and its record.

    Returns
    -------
    One record per epoch.

    Raises
    ------
    TrainingDiverged
        If a loss becomes infinite or NaN.
    KeyboardInterrupt
        If interrupted; records of the finished epochs are then in its attribute ``history``.

    Examples
    --------
    >>> import torch
    >>> from scpareto.model.michigan import CodedCells, MichiGANModule, WassersteinRecipe, train_wasserstein
    >>> _ = torch.manual_seed(0)
    >>> module = MichiGANModule(5, n_latent=2, n_noise=2, n_hidden_generator=[8], n_hidden_critic=[8])
    >>> cells = CodedCells(x=torch.randn(64, 5), mean=torch.randn(64, 2))
    >>> history = train_wasserstein(module, cells, WassersteinRecipe(), max_epochs=3)
    >>> len(history), sorted(history[0])
    (3, ['critic_loss', 'generator_loss', 'gradient_penalty'])
    >>> module.generate(cells.mean[:10]).shape
    torch.Size([10, 5])
    """
    trainer = WassersteinTrainer(module, cells, recipe)
    try:
        with raise_on_signals():
            for number in range(1, max_epochs + 1):
                record = trainer.epoch()
                if on_epoch is not None:
                    module.eval()
                    with trainer.use_averaged_weights():
                        on_epoch(number, record)
    except KeyboardInterrupt as error:
        error.history = trainer.history  # type: ignore[attr-defined]
        raise
    finally:
        # Also after an interruption: the critic may be frozen in the middle of a step.
        module.critic.requires_grad_(True)
        trainer.finish()
    return trainer.history
