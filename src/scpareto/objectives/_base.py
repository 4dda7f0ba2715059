"""Base class of objectives: a differentiable scalar of the codes of a minibatch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import torch
from torch import nn

if TYPE_CHECKING:
    from typing import Self

    from torch import Tensor
    from torch.distributions import Normal

    from scpareto.objectives._context import Context

CodesSeen = Literal["mean", "sample", "both"]


class Objective(nn.Module, ABC):
    """A quantity of the codes that training minimises; information is in nats.

    Parameters
    ----------
    n_latent
        Number of dimensions of a code.
    target
        Name of the nuisance that is measured in the codes; ``"batch"`` is the batch of ``setup_anndata``.
    on
        Codes that are used: the posterior ``"mean"`` that users read, a ``"sample"`` of the posterior as published, or
        ``"both"``, stacked as twice as many cells.

    Raises
    ------
    ValueError
        If ``on`` is none of the three.

    Examples
    --------
    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Context, Objective
    >>> class SquaredLength(Objective):
    ...     name, needs_nuisance = "squared_length", False
    ...
    ...     def forward(self, z, qz, context):
    ...         return self.codes(z, qz).square().sum(1).mean()
    >>> qz = Normal(torch.tensor([[3.0, 4.0]]), torch.ones(1, 2))
    >>> SquaredLength(2, on="mean")(qz.sample(), qz, Context()).item()
    25.0
    """

    name: ClassVar[str]
    has_critic: ClassVar[bool] = False
    critic_effort: ClassVar[int] = 1
    """Factor by which the number of critic steps of a recipe is multiplied."""
    needs_nuisance: ClassVar[bool] = True
    """Whether the value depends on a nuisance; if not, the target has no meaning."""
    kinds: ClassVar[frozenset[str]] = frozenset({"categorical"})
    """Kinds of nuisance that can be the target: ``"categorical"``, ``"continuous"``."""
    minimum: ClassVar[float | None] = None
    """Smallest possible value, if there is one; estimates may lie below."""
    needs_density: ClassVar[bool] = False
    """Whether the value needs the density of the posterior, which codes without noise do not have."""
    is_learned: ClassVar[bool] = False
    """Whether parameters of the objective, such as cluster centres, are minimised together with the model."""

    def __init__(self, n_latent: int, *, target: str = "batch", on: CodesSeen = "sample") -> None:
        super().__init__()
        if on not in get_args(CodesSeen):
            raise ValueError(f"on={on!r} is not one of {', '.join(get_args(CodesSeen))}.")
        self.n_latent = n_latent
        self.target = target
        self.on = on
        self.options: dict[str, Any] = {"n_latent": n_latent, "target": target, "on": on}

    @property
    def label(self) -> str:
        """Name in tables: the name of the objective, followed by its target unless that is the batch."""
        return self.name if self.target == "batch" or not self.needs_nuisance else f"{self.name}_{self.target}"

    @abstractmethod
    def forward(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Value of the objective on a minibatch.

        Parameters
        ----------
        z
            Sampled codes, shape ``(n_cells, n_latent)``.
        qz
            Posterior of the codes, batch shape ``(n_cells, n_latent)``.
        context
            Nuisances of the cells.

        Returns
        -------
        A scalar, differentiable with respect to ``z`` and ``qz``.
        """

    def observe(self, context: Context) -> None:
        """Learn constants of the nuisance, such as its proportions, from all training cells before any training."""

    def start(self, codes: Normal) -> None:
        """Find initial values of the objective's own parameters in the codes of the training cells, before training.

        Parameters
        ----------
        codes
            Posterior of the codes, batch shape ``(n_cells, n_latent)``.
        """

    def critic_loss(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Loss of the objective's critic on detached codes; only objectives with a critic have one."""
        raise TypeError(f"Objective {self.name!r} has no critic.")

    def fresh(self) -> Self:
        """Build an untrained copy with the same options, e.g. to judge a finished point; it has observed nothing."""
        return type(self)(**self.options)

    def along_path(self, n_objectives: int) -> Self:
        """Build an untrained copy for codes of many preferences; see :class:`scpareto.pareto.WeightPath`.

        Parameters
        ----------
        n_objectives
            Number of objectives of the front.
        """
        return self.fresh()

    def codes(self, z: Tensor, qz: Normal) -> Tensor:
        """Return the used codes, shape ``(n_cells, n_latent)``, or ``(2 n_cells, n_latent)`` for ``on="both"``."""
        if self.on == "mean":
            return qz.loc
        if self.on == "sample":
            return z
        return torch.cat([qz.loc, z])

    def labels(self, values: Tensor) -> Tensor:
        """Return the values of the nuisance, repeated for ``on="both"``."""
        return torch.cat([values, values]) if self.on == "both" else values
