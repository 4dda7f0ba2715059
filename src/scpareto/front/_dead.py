"""What the user is told of critics that never left their start."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from scpareto._constants import DEAD

if TYPE_CHECKING:
    from scpareto.pareto import Front


def warn_of_warmup(label: str) -> None:
    """Warn, before any point is trained, that an objective's critic knows nothing of the codes yet."""
    warnings.warn(
        f"After its warm-up the critic of {label!r} is still the constant that it started as: until it leaves that, "
        f"the model learns nothing from it. {_ways_out('critic_warmup')}",
        stacklevel=2,
    )


def warn_of_dead_critics(front: Front) -> None:
    """Warn, once for each objective, of points at which its critic never left its start."""
    for label in front.objectives[1:]:
        mark = f"{label}{DEAD}"
        if mark not in front.table or not front.table[mark].any():
            continue
        points = ", ".join(map(str, front.table.loc[front.table[mark], "point"]))
        warnings.warn(
            f"At points {points} ({mark} in the table) a critic of {label!r} is still the constant that it started "
            "as. Where the loss is NaN, it is the critic that judges: a constant reads 0 whatever the codes hold, and "
            "that is no measurement. Elsewhere it is the critic of the training, from which the model learned nothing. "
            f"{_ways_out('de_novo', 'critic_warmup')}",
            stacklevel=2,
        )


def _ways_out(*schedules: str) -> str:
    named = " and ".join(f"plan_kwargs[{schedule!r}]" for schedule in schedules)
    return (
        f"Set more max_epochs, a larger lr and patience=None in {named}, or use a critic of fewer layers: "
        "objective_kwargs={'n_layers': 3}."
    )
