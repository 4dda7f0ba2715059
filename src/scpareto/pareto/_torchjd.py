"""The weightings of TorchJD, an optional package, as solvers."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, get_args, get_origin

import numpy as np
import torch
from scipy.optimize import nnls

from scpareto.pareto._registry import register_solver_family
from scpareto.pareto._solver import DEFAULT_SAFEGUARDS, Solver

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto._safeguards import Safeguards

_SUFFIX = "Weighting"


class TorchJD(Solver):
    """Weights from a weighting of TorchJD, without rescaling.

    Use ``get_solver("torchjd:<weighting>", ...)``, for example ``"torchjd:UPGrad"``. The preference becomes the
    ``pref_vector`` of weightings that take one; the others ignore the preference.

    Parameters
    ----------
    preferences
        Grid of preferences of the whole front, shape ``(K, p)``.
    safeguards
        Accepted as by every solver but not used; TorchJD has its own.
    **options
        Arguments of the weighting. A ``projector`` may be given; by default projections are exact and need no further
        package.

    References
    ----------
    :cite:p:`Quinton2024`.
    """

    _weighting_class: ClassVar[Any]

    def __init__(self, preferences: ArrayLike, safeguards: Safeguards = DEFAULT_SAFEGUARDS, **options: Any) -> None:
        super().__init__(preferences, safeguards)
        arguments = inspect.signature(self._weighting_class).parameters
        if "projector" in arguments:
            options = {"projector": project_onto_dual_cone} | options
        self._weighting = self._weighting_class(**options)
        self._takes_preference = "pref_vector" in arguments

    def _weights(
        self, losses: NDArray[np.float64], gramian: NDArray[np.float64] | None, preference: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        assert gramian is not None  # checked by the base class; for the type checker
        if self._takes_preference:
            self._weighting.pref_vector = torch.tensor(preference)
        with torch.no_grad():
            return self._weighting(torch.tensor(gramian)).numpy().astype(np.float64)

    def state_dict(self) -> dict[str, Any]:
        """Phase and running statistics of the weighting, as plain values."""
        buffers = {name: value.tolist() for name, value in self._weighting.named_buffers() if value is not None}
        return {**super().state_dict(), "buffers": buffers}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state of :meth:`state_dict`."""
        super().load_state_dict(state)
        if not state["buffers"]:
            return
        # Weightings create their buffers at the first call, some with random numbers.
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            self._weighting(torch.eye(self.n_objectives, dtype=torch.float64))
        for name, buffer in self._weighting.named_buffers():
            buffer.copy_(torch.tensor(state["buffers"][name], dtype=buffer.dtype))


@register_solver_family("torchjd")
@lru_cache
def torchjd_solver(weighting: str) -> type[Solver]:
    """Class of the solver for a weighting, by its name without ``"Weighting"``.

    Raises
    ------
    ImportError
        If TorchJD is not installed.
    ValueError
        If it has no such weighting that works on a Gramian.
    """
    available = _gramian_weightings()
    if weighting not in available:
        raise ValueError(f"Unknown TorchJD weighting {weighting!r}; choose from {sorted(available)}.")
    cls = available[weighting]
    solver = type(f"TorchJD{weighting}", (TorchJD,), {"name": f"torchjd:{weighting}", "_weighting_class": cls})
    base_parameters = list(inspect.signature(TorchJD).parameters.values())[:-1]
    options = [p for name, p in inspect.signature(cls).parameters.items() if name != "pref_vector"]
    # The registry checks options against the signature.
    solver.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        base_parameters + [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in options]
    )
    return solver


def _gramian_weightings() -> dict[str, Any]:
    try:
        from torchjd import aggregation
        from torchjd.linalg import PSDMatrix
    except ImportError as error:
        raise ImportError("Solvers 'torchjd:...' need TorchJD: pip install 'scpareto[solvers]'.") from error

    def takes_gramian(cls: Any) -> bool:
        bases = [base for parent in cls.__mro__ for base in getattr(parent, "__orig_bases__", ())]
        return any(get_origin(base) is aggregation.Weighting and get_args(base) == (PSDMatrix,) for base in bases)

    classes = {name: getattr(aggregation, name) for name in aggregation.__all__ if name.endswith(_SUFFIX)}
    return {name.removesuffix(_SUFFIX): cls for name, cls in classes.items() if name != _SUFFIX and takes_gramian(cls)}


def project_onto_dual_cone(combinations: torch.Tensor, gramian: torch.Tensor) -> torch.Tensor:
    r"""Nearest combinations of gradients that have no negative product with any of them.

    Parameters
    ----------
    combinations
        Combinations :math:`u` of the gradients, shape ``(..., p)``.
    gramian
        Inner products of the gradients, shape ``(p, p)``.

    Returns
    -------
    Projected combinations, same shape: :math:`\arg\min_{v \ge u} v^\top G v`.

    Notes
    -----
    With :math:`G = R^\top R` and :math:`v = u + s` this is non-negative least squares for :math:`s`. TorchJD's own
    projection needs a package under the GPL.
    """
    values, vectors = np.linalg.eigh(gramian.numpy())
    root = np.sqrt(np.maximum(values, 0) / (values.max() if values.max() > 0 else 1))[:, None] * vectors.T
    rows = combinations.reshape(-1, len(root)).numpy()
    projected = np.stack([row + nnls(root, -root @ row)[0] for row in rows])
    return torch.from_numpy(projected).reshape(combinations.shape)
