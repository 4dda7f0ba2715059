"""How well clusters of training cells describe held-out cells, for several numbers of clusters."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from scpareto._cells import make_batches
from scpareto.model.scinfovae._two_phases import TwoPhases
from scpareto.objectives import clustering_divergence, target_distribution

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from scvi.data import AnnDataManager

    from scpareto.model.scinfovae._network import InfoVAE


def generalisability(
    module: InfoVAE,
    manager: AnnDataManager,
    counts: Sequence[int],
    *,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    max_epochs: int,
    lr: float,
    objective: str,
    **options: Any,
) -> list[float]:
    """Compute the clustering loss of training cells relative to held-out cells, for each number of clusters.

    Parameters
    ----------
    module
        A pre-trained network, which is copied for each number.
    manager
        Registered data.
    counts
        Numbers of clusters.
    train, validation
        Rows of the cells that are clustered, and of the held-out cells; the two do not overlap.
    max_epochs, lr, objective
        Fine-tuning for each number, see :meth:`TwoPhases.finetune`.
    **options
        Further arguments of :class:`TwoPhases`.

    Returns
    -------
    One ratio for each number; smaller where clusters describe the training cells only.

    References
    ----------
    :cite:p:`Tian2019`, whose held-out cells overlap the others; here they do not.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto as sp
    >>> from scpareto.objectives import PriorDivergence
    >>> from scpareto.model.scinfovae import InfoVAEWeights, generalisability
    >>> adata = sp.datasets.simulate_batches(n_cells=60, n_genes=20, n_batches=1, seed=0)
    >>> sp.model.ScInfoVAE.setup_anndata(adata)
    >>> model = sp.model.ScInfoVAE(adata, n_clusters=3, n_hidden=[16], n_latent=2, seed=0)
    >>> ratios = generalisability(
    ...     model.module,
    ...     model.adata_manager,
    ...     [2, 10],
    ...     train=np.arange(40),
    ...     validation=np.arange(40, 60),
    ...     max_epochs=2,
    ...     lr=1e-3,
    ...     objective="full",
    ...     weights=InfoVAEWeights(),
    ...     divergence=PriorDivergence(2),
    ...     batch_size=20,
    ...     seed=0,
    ...     trainer_kwargs={"accelerator": "cpu", "devices": 1},
    ... )
    >>> len(ratios), all(0.2 < ratio < 5 for ratio in ratios)
    (2, True)
    """
    ratios = []
    for n_clusters in counts:
        network = copy.deepcopy(module)
        network.add_clusters(n_clusters)
        phases = TwoPhases(network, manager, train=train, validation=validation[:0], clustered=train, **options)
        phases.finetune(max_epochs, lr=lr, objective=objective, update_interval=1, tol=0, restore_best=None)
        held_out = make_batches(manager, validation, 1024, shuffle=False)
        losses = []
        for codes in (phases.codes(), phases.encode(held_out)):
            assignments = phases.assign(codes)
            losses.append(float(clustering_divergence(target_distribution(assignments), assignments)))
        ratios.append(losses[0] / max(losses[1], 1e-12))
    return ratios
