"""Methods of a model with a front: show it, audit it, record it in AnnData, map query data."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._cells import read_records, write_codes, write_record
from scpareto.front import audit_front
from scpareto.model._history import build_history
from scpareto.model._hub import HubMixin
from scpareto.model._minified import refuse_minified
from scpareto.model._plain_saving import INDICES, PlainSavingMixin
from scpareto.model._query_mixin import QueryMixin
from scpareto.model._selection_mixin import SelectionMixin
from scpareto.model._summary import summarize_model
from scpareto.model._without_cells import refuse_without_cells
from scpareto.pareto import Front, front_record, place_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray


class FrontMixin(SelectionMixin, QueryMixin, HubMixin, PlainSavingMixin):
    """Front, selection and safe saving for scvi-tools models.

    Comes before the scvi-tools class among the bases.
    """

    _output_adata: AnnData | None = None
    """AnnData of the same cells that receives records and embeddings, if it is not that of the model."""
    _output_facts: Mapping[str, Any] = MappingProxyType({})

    def __repr__(self) -> str:
        return summarize_model(self)

    @property
    def front(self) -> Front | None:
        """The learnt :class:`~scpareto.pareto.Front`; None before training."""
        if self._front is not None:
            self._front.selected = self.selected_
        return self._front

    @property
    def front_(self) -> dict[str, Any] | None:
        """The front as tensors and plain types, as it is saved."""
        return None if self._front is None else self._front.to_plain()

    @front_.setter
    def front_(self, plain: dict[str, Any] | None) -> None:
        self._front = None if plain is None else Front.from_plain(plain)

    @property
    def selected(self) -> int | None:
        """Number of the selected point, or of the point nearest to the selected place; None before training."""
        return self.selected_

    @property
    def preference(self) -> NDArray[np.float64] | None:
        """Importance of each objective in the present weights, shape ``(p,)``; None before training."""
        return None if self.preference_ is None else np.array(self.preference_)

    @property
    def history(self) -> dict[str, pd.DataFrame] | None:
        """Losses and weights of each epoch of the selected point's training, one frame per quantity, losses in nats.

        The epochs of the shared start come first; they minimize the generative loss only. Its columns are also given
        under scvi-tools' names (``elbo_train``, ``elbo_validation``). Points that were trained together share one
        history.
        """
        if self._front is None or self.selected_ is None:
            return None
        return build_history(self._front, self.selected_)

    def _get_trained_front(self) -> Front:
        """Return the front; raise RuntimeError if there is none."""
        if self._front is None or not len(self._front):
            raise RuntimeError("The model has no front yet. Call train() first.")
        return self._front

    def audit(
        self,
        labels_key: str | None = None,
        *,
        control_genes: Sequence[str] = (),
        scib: bool = True,
        n_bootstrap: int = 200,
        seed: int = 0,
        progress: bool = True,
    ) -> pd.DataFrame:
        """Judge every point of the front on test cells again, also by labels and positive controls.

        Training has already measured how much of the batch is left, how much of the structure is kept, and the
        over-correction alarm. The audit measures them again; the same seed gives the same values. It adds the
        information about the batch in samples of the posterior, the mixing of batches among neighbours, and the share
        of neighbours kept; labels add clustering scores and those of scib-metrics. Models saved by earlier versions
        get the columns that they lack. Results go into :attr:`front` and into ``adata.uns["scpareto"]``; the selected
        point stays.

        Parameters
        ----------
        labels_key
            Column of ``adata.obs`` with annotated types; scores that need labels leave out cells without one.
        control_genes
            Genes whose pattern across cells a correction must not erase, for example XIST and Y-linked genes where
            donors are batches.
        scib
            With labels, whether to add the scores of scib-metrics.
        n_bootstrap
            Bootstrap samples of the intervals.
        seed
            Seed of probes and clusterings. Differences between seeds show how precise the results are.
        progress
            Whether to show a bar.

        Returns
        -------
        Table of the front, one row per point. New columns: ``leakage_sample`` (nats, with ``_low`` and ``_high``),
        ``nn_mean`` and ``nn_sample`` (the same by nearest neighbours), ``batch_entropy`` (nats) and ``retention``
        (share of within-batch neighbours kept); with labels ``nmi``, ``ari``, ``uca``, ``silhouette``, ``scib_bio``,
        ``scib_batch``, ``scib_total``, ``scib_<metric>``.

        Raises
        ------
        RuntimeError
            If the model has no front yet.
        KeyError
            If the column or a gene does not exist.
        ValueError
            If the model holds no cells or minified ones, too few test cells have a label, or a control gene does not
            vary.
        ImportError
            If scib-metrics is wanted and not installed.
        """
        front = self._get_trained_front()
        refuse_without_cells(self, "judge")
        refuse_minified(self, "judge")
        obs = self.adata.obs
        if labels_key is not None and labels_key not in obs:
            raise KeyError(f"labels_key={labels_key!r} is not in adata.obs; its columns are {', '.join(obs)}.")
        audit_front(
            self,
            front,
            labels=None if labels_key is None else obs[labels_key],
            control_genes=[control_genes] if isinstance(control_genes, str) else control_genes,
            scib=scib,
            n_bootstrap=n_bootstrap,
            seed=seed,
            progress=progress,
        )
        self._record()
        return front.to_dataframe()

    def _get_record(self) -> dict[str, Any] | None:
        """Return the record that :meth:`_record` wrote last."""
        adata = getattr(self, "_adata", None)
        return None if adata is None else read_records(adata).get(type(self).__name__.lower())

    def _record(self) -> None:
        """Write front and selection to ``adata.uns``, in types that h5ad can hold."""
        if self._front is None:
            return
        record = front_record(self._front, self._front.method, self.selected_, self.preference_)
        name, adata = type(self).__name__.lower(), getattr(self, "_adata", None)
        if adata is not None:
            write_record(adata, name, record)
        if self._output_adata is not None and self._output_adata is not adata:
            write_record(self._output_adata, name, {**record, **self._output_facts})

    def _write_codes(self, key: str) -> None:
        """Write the embedding of the selected place to ``obsm``, and note in ``uns`` which place it is."""
        front, number = self._get_trained_front(), self.selected_
        target = self.adata if self._output_adata is None else self._output_adata
        if target is None:
            raise ValueError(f"key_added={key!r}: the model was loaded without data, there is nowhere to write to.")
        if target is not self.adata and not target.obs_names.equals(self.adata.obs_names):
            raise ValueError(
                f"key_added={key!r}: the AnnData that was integrated holds other cells by now. Select without "
                "key_added, and take the codes of the model's own cells, model.get_latent_representation()."
            )
        assert number is not None  # select() was called just before
        facts = {"model": type(self).__name__.lower()} | place_record(front, number, self.preference_)
        write_codes(target, key, self.get_latent_representation(), facts)

    def write_to(self, adata: AnnData, facts: Mapping[str, Any] | None = None) -> None:
        """Write records, and embeddings of ``select(key_added=...)``, to another AnnData of the same cells.

        Parameters
        ----------
        adata
            The cells of the model in the same order, for example with all genes. It is not registered with the model.
        facts
            Further entries of the record in that AnnData.

        Raises
        ------
        ValueError
            If it holds other cells, or the cells in another order.
        """
        refuse_without_cells(self, "compare others with")
        if not adata.obs_names.equals(self.adata.obs_names):
            raise ValueError("adata must hold the cells of the model, in its order.")
        self._output_adata, self._output_facts = adata, dict(facts or {})
        self._record()

    def _after_loading(self) -> None:
        self._record()

    @classmethod
    def load_query_data(cls, adata: AnnData, reference_model: Any, *args: Any, **kwargs: Any) -> Self:
        """Map a reference model to query data; the front of the reference is not carried over.

        Parameters
        ----------
        adata, reference_model, *args, **kwargs
            As for :meth:`scvi.model.base.ArchesMixin.load_query_data`. A folder is checked as by :meth:`load`.

        Returns
        -------
        An untrained model for the query data, without a front.
        """
        model = super().load_query_data(adata, reference_model, *args, **kwargs)
        model._front, model.selected_, model.preference_ = None, None, None
        for name in INDICES:
            setattr(model, name, None)
        model.trained_cells_ = None
        return model

    def _get_training_cells(self) -> tuple[Sequence[str], Mapping[str, Any]] | None:
        if self._front is not None and "cell_names" in self._front.metadata:
            return self._front.metadata["cell_names"], self._front.metadata["indices"]
        return super()._get_training_cells()
