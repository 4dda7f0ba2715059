"""Take a point of a front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scvi.model.base import BaseModelClass

    from scpareto.pareto import Front


def apply_point(model: BaseModelClass, front: Front, which: Any) -> int:
    """Load a point of a front into a model, in place.

    Parameters
    ----------
    model
        The model that the front was learnt with.
    front
        The front.
    which
        See :meth:`scpareto.pareto.Front.find`. A preference is taken exactly where all were trained at once.

    Returns
    -------
    Number of the point, of the nearest one where the preference lies between points.

    Examples
    --------
    A point by its number, and the exact weights of a preference, to which point 1 is the nearest:

    >>> import scpareto as sp
    >>> import scvi
    >>> adata = sp.datasets.simulate_batches(n_cells=100, n_genes=20, seed=0)
    >>> scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    >>> model = scvi.model.SCVI(adata, n_latent=5)
    >>> front = sp.fit_front(model, "mmd", n_points=2, max_epochs=1, max_epochs_pretrain=1, progress=False)
    >>> sp.apply_point(model, front, 1)
    1
    >>> sp.apply_point(model, front, [0.6, 0.4])
    1
    """
    number = front.find(which)
    model.module.load_state_dict(front.state(which))
    model.module.eval()
    model.is_trained_ = True
    return number
