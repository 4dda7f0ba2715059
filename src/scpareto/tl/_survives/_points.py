"""Codes at every point of a front, and the points whose alarm is silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._cells import rows_by_name
from scpareto._constants import ALARM_FROM
from scpareto.pareto import Front

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class FrontPoints:
    """Points of a front, from the least to the strongest correcting.

    Attributes
    ----------
    codes
        Codes of all cells by number of the point, shape ``(n_cells, n_latent)``.
    batch_left
        Batch left at each point, in %; NaN if it was not judged.
    admissible
        Points whose over-correction alarm is silent.
    reference
        The recommended point if it is admissible, otherwise the last admissible one.
    """

    codes: dict[int, NDArray[np.float32]]
    batch_left: dict[int, float]
    admissible: list[int]
    reference: int

    @property
    def numbers(self) -> list[int]:
        """Numbers of all points."""
        return list(self.codes)


def read_points(data: Any, adata: AnnData) -> FrontPoints:
    """Return codes of the cells of ``adata`` at every point of a model's front, or of a sweep.

    Raises
    ------
    TypeError
        If ``data`` is neither a model with a front nor a front.
    ValueError
        If the front has no codes, was not judged, has fewer than two points without alarm, or is of other cells.
    """
    front, model = _front_and_model(data)
    table = front.to_dataframe().set_index("point")
    if "alarm" not in table or table["alarm"].isna().all():
        raise ValueError(
            "The front has no over-correction alarm, which says how far one may correct. Judge it first: model.audit()."
        )
    silent = [number for number in front.numbers if table["alarm"][number] < ALARM_FROM]
    if len(silent) < 2:
        n_ring = len(front) - len(silent)
        raise ValueError(
            f"The over-correction alarm is silent at {len(silent)} of {len(front)} points ({n_ring} ring): there is no "
            "range of strengths over which a finding could hold. See front.explain() and front.lost()."
        )
    batch_left = table["batch_left"] if "batch_left" in table else table["alarm"] * np.nan
    recommended = front.recommended
    return FrontPoints(
        codes=_codes(front, model, adata),
        batch_left={number: float(batch_left[number]) for number in front.numbers},
        admissible=silent,
        reference=recommended if recommended in silent else silent[-1],
    )


def _front_and_model(data: Any) -> tuple[Front, Any]:
    if isinstance(data, Front):
        if not data.codes:
            raise ValueError(
                "The front holds weights and no codes: give the model instead, or a front of sp.tl.sweep or "
                "sp.tl.front_of."
            )
        return data, None
    front = getattr(data, "front", None)
    if isinstance(front, Front) and hasattr(data, "at"):
        return front, data
    if hasattr(data, "at"):
        raise ValueError("The model has no front yet: call model.train() first.")
    raise TypeError(f"data is a {type(data).__name__}: give a model with a front, or a front of sp.tl.sweep.")


def _codes(front: Front, model: Any, adata: AnnData) -> dict[int, NDArray[np.float32]]:
    if model is None:
        names, cells_of = front.metadata["cell_names"], "the front"
        codes = dict(front.codes)
    elif model.adata is None:
        raise ValueError("The model holds no cells, since a data module has trained it: its points cannot be analysed.")
    else:
        names, cells_of, codes = model.adata.obs_names, "the data of the model", {}
        for number in front.numbers:
            with model.at(number):
                codes[number] = np.asarray(model.get_latent_representation())
    rows = rows_by_name(adata.obs_names, names, of="adata", within=cells_of)
    return codes if rows is None else {number: z[rows] for number, z in codes.items()}
