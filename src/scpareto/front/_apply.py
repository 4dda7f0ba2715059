"""Load a point of a front, or a place between its points, into a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scvi.model.base import BaseModelClass

    from scpareto.pareto import Front, Place, Selection, Which


def apply_point(
    model: BaseModelClass,
    front: Front,
    which: Which | None = None,
    *,
    batch_left: float | None = None,
    preference: Place | None = None,
    allow_alarm: bool = False,
) -> int:
    """Load a point of a front into a model, in place.

    Parameters
    ----------
    model
        The model that the front was learnt with.
    front
        The front.
    which
        A point: its number, a rule, or limits on columns, see :meth:`scpareto.pareto.Front.find`.
    batch_left
        Instead of a point, a place with this much of the batch left, in %, see :meth:`scpareto.pareto.Front.resolve`.
    preference
        Instead of a point, a place: a float in [0, 1], or one number per objective. It is exact if all preferences
        were trained at once; otherwise the nearest point is taken, see :meth:`scpareto.pareto.Front.resolve`.
    allow_alarm
        Whether limits may choose a point whose over-correction alarm is on.

    Returns
    -------
    Number of the point, or of the nearest one for a place between points.

    Raises
    ------
    TypeError, ValueError
        If there is no such point or place.

    Examples
    --------
    A point by its number, and the exact weights of a preference, to which point 1 is the nearest:

    >>> import scpareto as sp
    >>> import scvi
    >>> adata = sp.datasets.simulate_batches(n_cells=100, n_genes=20, seed=0)
    >>> scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    >>> model = scvi.model.SCVI(adata, n_latent=5)
    >>> front = sp.fit_front(model, "mmd", n_points=4, max_epochs=2, max_epochs_pretrain=1, progress=False)
    >>> sp.apply_point(model, front, 1)
    1
    >>> sp.apply_point(model, front, preference=0.4)
    1
    """
    selection = front.resolve(which, batch_left=batch_left, preference=preference, allow_alarm=allow_alarm)
    return load_selection(model, selection)


def load_selection(model: BaseModelClass, selection: Selection) -> int:
    """Load the result of :meth:`scpareto.pareto.Front.resolve`, and return the number of the point."""
    model.module.load_state_dict(selection.state)
    model.module.eval()
    model.is_trained_ = True
    return selection.number
