"""Methods of a model with cluster centres: predict clusters, map query cells, select a point of a front."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from scpareto._cells import write_record
from scpareto._runtime import child_seed, seeded
from scpareto.metrics import cluster_codes
from scpareto.model._front_mixin import FrontMixin
from scpareto.objectives import kmeans_centres

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from scpareto.model.scinfovae._network import InfoVAE
    from scpareto.model.scinfovae._weights import InfoVAEWeights
    from scpareto.pareto import Front, Selection

_RECLUSTER = 12
"""Seed index of the clusters of a selected point."""
_FROM_CENTRES = "centres"


class ClusterMixin(FrontMixin):
    """Clusters of a model whose module has centres; selecting a point finds new centres by K-means of its codes.

    Comes before the scvi-tools classes among the bases.
    """

    seed: int
    adata: AnnData
    module: InfoVAE
    minified_data_type: str | None
    get_latent_representation: Callable[..., NDArray[np.float32]]
    maps_query_: bool
    scores_: dict[str, dict[str, float]] | None
    n_clusters_choice_: dict[str, Any] | None
    finetuning_end_: str | None
    _weights: InfoVAEWeights
    _divergence_options: dict[str, Any]

    @property
    def n_clusters(self) -> int | None:
        """Number of clusters; None until it is given or estimated."""
        return self.module.n_clusters

    def predict(
        self,
        adata: AnnData | None = None,
        *,
        soft: bool = False,
        method: str = _FROM_CENTRES,
        batch_size: int | None = None,
        **options: float,
    ) -> pd.Categorical | pd.DataFrame:
        """Return clusters of cells.

        Parameters
        ----------
        adata
            Cells with all registered genes; None for those of the model.
        soft
            Whether to return the probabilities of the assignments to the learned centres instead.
        method
            ``"centres"`` assigns cells to the learned centres, new cells too. ``"kmeans"``, ``"spectral"``,
            ``"robust_spectral"`` and ``"leiden"`` cluster the codes of the given cells again, see
            :func:`scpareto.metrics.cluster_codes`; the numbers of these clusters differ from those of the centres.
        batch_size
            Number of cells that are encoded at a time.
        **options
            Options of the method, e.g. ``resolution`` of ``"leiden"``.

        Returns
        -------
        Clusters as categories ``"0"``, ``"1"`` ..., shape ``(n_cells,)``, or a frame of probabilities, shape
        ``(n_cells, n_clusters)``.

        Raises
        ------
        RuntimeError
            If the model has no clusters yet.
        ValueError
            If the method is unknown, or ``soft`` is set with another method than ``"centres"``.
        """
        if soft and method != _FROM_CENTRES:
            raise ValueError(f"soft=True goes with method={_FROM_CENTRES!r}, not {method!r}.")
        if self.module.clustering is None or not self.is_trained_:
            raise RuntimeError("The model has no clusters yet. Call train() first.")
        codes = self.get_latent_representation(adata, batch_size=batch_size)
        if method != _FROM_CENTRES:
            return _to_categorical(cluster_codes(codes, method, self.n_clusters, seed=self.seed, **options))
        clustering = self.module.clustering
        with torch.no_grad():
            probabilities = clustering.assign(torch.from_numpy(codes).to(clustering.centres)).cpu().numpy()
        if not soft:
            return _to_categorical(probabilities.argmax(1), clustering.n_clusters)
        index = (self.adata if adata is None else adata).obs_names
        return pd.DataFrame(probabilities, index=index, columns=[str(k) for k in range(clustering.n_clusters)])

    def store_front(self, front: Any) -> None:
        """Keep a front that :func:`scpareto.fit_front` learned with this model, for :meth:`select` and :meth:`save`."""
        self._front, self.selected_, self.preference_ = front, None, None
        self.is_trained_ = True

    def _get_trained_front(self) -> Front:
        """Return the front; raise RuntimeError if there is none."""
        if self._front is None:
            raise RuntimeError("The model has no front. Learn one with scpareto.fit_front(model, ...) first.")
        return super()._get_trained_front()

    def _apply_selection(self, selection: Selection) -> None:
        """Load a selection into the model, and find its cluster centres by K-means of its codes."""
        super()._apply_selection(selection)
        if (clustering := self.module.clustering) is not None and self.minified_data_type is None:
            codes = torch.from_numpy(self.get_latent_representation())
            with seeded(child_seed(self.seed, _RECLUSTER)):
                centres, _ = kmeans_centres(codes, clustering.n_clusters)
            clustering.centres.data.copy_(centres)

    @classmethod
    def load_query_data(cls, adata: AnnData, reference_model: Any, *args: Any, **kwargs: Any) -> Self:
        """Map a reference model to query data; it keeps the clusters of the reference.

        Parameters
        ----------
        adata, reference_model, *args, **kwargs
            As for :meth:`scvi.model.base.ArchesMixin.load_query_data`.

        Returns
        -------
        A model for the query data. The encoder does not see batches, so that :meth:`predict` and
        :meth:`get_latent_representation` need no training; :meth:`train` adapts the decoder to new batches.
        """
        model = super().load_query_data(adata, reference_model, *args, **kwargs)
        model.maps_query_ = True
        model.is_trained_ = True
        for name in ("phases_", "clusters_", "pretrained_clusters_", "scores_", "finetuning_end_"):
            setattr(model, name, None)
        return model

    def _record(self) -> None:
        """Write objective, clusters and scores to ``adata.uns``, in types that h5ad can hold."""
        if self._front is not None:
            super()._record()
            return
        adata = getattr(self, "_adata", None)
        if adata is None or self.scores_ is None:
            return
        choice = self.n_clusters_choice_ or {}
        write_record(
            adata,
            "scinfovae",
            {
                "alpha": float(self._weights.alpha),
                "lambda": float(self._weights.lambda_),
                "gamma": float(self._weights.gamma),
                "divergence": self._divergence_options["divergence"],
                "n_clusters": int(self.n_clusters or 0),
                "n_clusters_reason": choice.get("reason", "given"),
                "finetuning_end": self.finetuning_end_ or "",
                "scores_before": dict(self.scores_["before"]),
                "scores_after": dict(self.scores_["after"]),
                "seed": int(self.seed),
                "version": version("scpareto"),
            },
        )


def _to_categorical(labels: NDArray[np.int64], n_clusters: int | None = None) -> pd.Categorical[Any]:
    count = int(labels.max()) + 1 if n_clusters is None else n_clusters
    return pd.Categorical.from_codes(labels, categories=pd.Index([str(k) for k in range(count)]))
