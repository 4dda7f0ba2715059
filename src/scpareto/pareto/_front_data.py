"""Interface of a front for lookups, rules and selections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    import torch
    from numpy.typing import NDArray

    from scpareto.pareto._path import WeightPath


class FrontData(Protocol):
    """Interface of :class:`scpareto.pareto.Front` for modules that it imports."""

    def __len__(self) -> int: ...

    @property
    def table(self) -> pd.DataFrame:
        """One row per point."""
        ...

    @property
    def objectives(self) -> list[str]:
        """Names of the objectives, the generative loss first."""
        ...

    @property
    def path(self) -> WeightPath | None:
        """Weights of all preferences, if one training learned them."""
        ...

    @property
    def states(self) -> dict[int, dict[str, torch.Tensor]]:
        """Stored weights of points, by number."""
        ...

    @property
    def metadata(self) -> dict[str, Any]:
        """Further information about the front."""
        ...

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables of the judge for all points together."""
        ...

    @property
    def numbers(self) -> list[int]:
        """Numbers of the points, ascending."""
        ...

    @property
    def preferences(self) -> NDArray[np.float64]:
        """Preference of each point, shape ``(n, p)``."""
        ...

    def state(self, number: int) -> dict[str, torch.Tensor]:
        """Weights of a point."""
        ...

    def points(
        self, split: str = "test", points: Sequence[int] | None = None, *, scaled: bool = False
    ) -> NDArray[np.float64]:
        """Losses of the objectives, shape ``(n, p)``."""
        ...

    def to_dataframe(self) -> pd.DataFrame:
        """Copy of the table."""
        ...
