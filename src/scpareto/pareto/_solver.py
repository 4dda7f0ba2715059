"""Base class of solvers: losses, a Gramian and a preference in, weights out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from scpareto.pareto._preferences import check_preferences, preference_vectors
from scpareto.pareto._safeguards import Safeguards

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    Phase = Literal["initial", "main"]

DEFAULT_SAFEGUARDS = Safeguards()


class Solver(ABC):
    """Turn losses and the Gramian of their gradients into the weights of one training step.

    A solver never touches parameters, gradients or optimisers: the step descends on the sum of the weighted losses.
    This class checks the input, subclasses compute in ``_weights``.

    Parameters
    ----------
    preferences
        Grid of preferences of the whole front, shape ``(K, p)``.
    safeguards
        Limits on the steps.

    Examples
    --------
    All weight on the objective that is furthest from its goal:

    >>> import numpy as np
    >>> from scpareto.pareto import Solver
    >>> class Worst(Solver):
    ...     name, needs_gramian = "worst", False
    ...
    ...     def _weights(self, losses, gramian, preference):
    ...         return np.eye(self.n_objectives)[np.argmax(losses * preference)]
    >>> Worst([[0.5, 0.5]]).weights([0.2, 0.4], None, [0.5, 0.5])
    array([0., 1.])
    """

    name: ClassVar[str]
    """Name in the registry."""
    needs_gramian: ClassVar[bool] = True
    """Whether the inner products of the objective gradients are needed."""
    has_initial_phase: ClassVar[bool] = False
    """Whether training starts with a phase that only looks for a feasible point."""
    along_path: ClassVar[bool] = False
    """Whether one training serves all preferences."""
    grid: ClassVar[str] = "equal_angle"
    """Kind of the default grid, see :func:`preference_vectors`."""

    def __init__(self, preferences: ArrayLike, safeguards: Safeguards = DEFAULT_SAFEGUARDS) -> None:
        self.preferences = check_preferences(preferences)
        self.safeguards = safeguards
        self.phase: Phase = "initial" if self.has_initial_phase else "main"

    @property
    def n_objectives(self) -> int:
        """Number of objectives p."""
        return self.preferences.shape[1]

    @classmethod
    def default_preferences(cls, n_points: int, n_objectives: int = 2) -> NDArray[np.float64]:
        """Grid of preferences that suits this solver, shape ``(n_points, n_objectives)``."""
        return preference_vectors(n_points, n_objectives, kind=cls.grid)

    def weights(self, losses: ArrayLike, gramian: ArrayLike | None, preference: ArrayLike) -> NDArray[np.float64]:
        """Weights of the objectives for one step.

        Parameters
        ----------
        losses
            Standardised losses, shape ``(p,)``.
        gramian
            Inner products of the gradients of the standardised losses, shape ``(p, p)``; ignored, and may be ``None``,
            unless ``needs_gramian``.
        preference
            Importance of each objective, shape ``(p,)``.

        Returns
        -------
        Weights of shape ``(p,)``, which may be negative.

        Raises
        ------
        ValueError
            If a shape does not fit, a number is not finite, or the Gramian is missing.
        """
        p = self.n_objectives
        if gramian is None and self.needs_gramian:
            raise ValueError(f"Solver {self.name!r} needs the Gramian of the objective gradients, got None.")
        rows = check_preferences(np.atleast_2d(np.asarray(preference, dtype=np.float64)), p)
        if len(rows) != 1:
            raise ValueError(f"weights takes one preference at a time, got {len(rows)}.")
        products = _check_finite("gramian", gramian, (p, p)) if gramian is not None and self.needs_gramian else None
        return self._weights(_check_finite("losses", losses, (p,)), products, rows[0])

    @abstractmethod
    def _weights(
        self, losses: NDArray[np.float64], gramian: NDArray[np.float64] | None, preference: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Compute weights from checked input."""

    def merit(self, losses: ArrayLike, preference: ArrayLike) -> float:
        """Score losses for a preference in one number, lower is better; used to keep the best state.

        This is the weighted Tchebycheff value, the largest product of importance and standardised loss. Its minimum on
        a front lies on the ray of the preference, at which geometric solvers aim.
        """
        return float(np.max(np.asarray(losses, dtype=np.float64) * np.asarray(preference, dtype=np.float64)))

    def end_initial_phase(self) -> None:
        """Start the main phase, even if the initial phase has not converged."""
        self.phase = "main"

    def state_dict(self) -> dict[str, Any]:
        """Return what changes during training, as plain values."""
        return {"phase": self.phase}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state of :meth:`state_dict`."""
        phase = state["phase"]
        if phase not in ("initial", "main"):
            raise ValueError(f"Unknown phase {phase!r}; choose from ['initial', 'main'].")
        self.phase = phase


def _check_finite(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array.tolist()}.")
    return array
