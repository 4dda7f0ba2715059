"""Save a model with its model card for the scvi-tools model hub."""

from __future__ import annotations

import json
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from scvi import REGISTRY_KEYS

from scpareto._cells import holds_counts
from scpareto._runtime import write_atomically
from scpareto.model._hub_card import FIGURE, format_card, format_criticism
from scpareto.pl import front as draw_front

if TYPE_CHECKING:
    import os

    from scvi.hub import HubModel

PARENT_MODULE = "scpareto.model"
_CRITICISM_FILE = "metrics.json"
_CRITICISM_NEEDS = ("leidenalg",)


class HubMixin:
    """A model that can be shared as a folder."""

    _hub_use = "model.get_latent_representation()"
    """A line of Python that uses the loaded model, for the card."""

    def save_for_hub(
        self,
        dir_path: str | os.PathLike[str],
        *,
        license_info: str,
        description: str = "",
        save_anndata: bool = False,
        criticism: bool = False,
        overwrite: bool = False,
    ) -> HubModel:
        """Save a folder for the scvi-tools model hub, with a card that shows a front as figure and table.

        Parameters
        ----------
        dir_path
            Folder; gets ``model.pt``, ``README.md`` (the card), the hub's metadata, and ``front.png`` where the model
            has a front.
        license_info
            Licence of the model as the hub names it, for example ``"cc-by-4.0"``.
        description
            What the cells are and what the model is for, in Markdown.
        save_anndata
            Whether to add the data.
        criticism
            Whether to add scvi-tools' criticism report: cells drawn from the model are compared with the real ones, in
            the card and in ``metrics.json``. Takes the time of five draws of all cells, and writes into the data
            ``var["cv_gene_ratio"]``, ``obs["cv_cell_ratio"]``, ``varm["lfc_model"]`` and ``varm["lfc_raw"]``.
        overwrite
            Whether an existing folder may be written into.

        Returns
        -------
        HubModel
            The folder as :class:`scvi.hub.HubModel`, whose ``push_to_huggingface_hub`` and ``push_to_s3`` upload it;
            with ``push_anndata=False`` where the data were not saved.

        Raises
        ------
        RuntimeError
            If the model is not trained.
        ValueError
            If there is no licence, the folder exists and ``overwrite`` is not set, or the model lacks what the report
            needs: draws of counts, or labels.
        ImportError
            If huggingface-hub (extra ``hub``) is not installed, or, for the report, leidenalg.
        """
        try:
            from huggingface_hub import ModelCard
            from scvi.hub import HubMetadata, HubModel
        except ImportError as error:
            raise ImportError("A hub folder needs huggingface-hub: pip install 'scpareto[hub]'.") from error
        model: Any = self
        if not model.is_trained:
            raise RuntimeError("The model is not trained. Call train() first.")
        if not license_info:
            raise ValueError("license_info is empty: name the licence of the model, for example 'cc-by-4.0'.")
        if criticism:
            _check_criticism(model)
        folder, name = Path(dir_path), type(self).__name__
        model.save(folder, overwrite=overwrite, save_anndata=save_anndata)
        front, selected = getattr(self, "front", None), getattr(self, "selected", None)
        if front is not None:
            figure = draw_front(front, selected=selected).get_figure(root=True)
            assert figure is not None
            with write_atomically(folder / FIGURE) as file:
                figure.savefig(file, dpi=150, bbox_inches="tight")
            plt.close(figure)
        stats: Any = model.summary_stats
        n_batches = f", {stats.n_batch} batches" if "n_batch" in stats else ""
        facts = [f"- {stats.n_cells:,} cells, {stats.n_vars:,} genes{n_batches}"]
        facts.append(f"- genes: {', '.join(map(str, model.get_var_names()[:5]))}, ...")
        text = format_card(
            name=name,
            front=front,
            selected=selected,
            use=self._hub_use,
            facts=facts,
            license_info=license_info,
            scvi=version("scvi-tools"),
            anndata=version("anndata"),
            scpareto=version("scpareto"),
            description=description or "No description was given.",
        )
        if criticism:
            text += format_criticism(_criticise(model, folder))
        metadata = HubMetadata(
            scvi_version=version("scvi-tools"),
            anndata_version=version("anndata"),
            model_cls_name=name,
            model_parent_module=PARENT_MODULE,
        )
        hub = HubModel(str(folder), metadata=metadata, model_card=ModelCard(text))
        hub.save(overwrite=True)
        return hub


def _check_criticism(model: Any) -> None:
    """Refuse a criticism report that would fail only after the folder is written."""
    if not hasattr(model, "posterior_predictive_sample"):
        raise ValueError(
            f"criticism=True: {type(model).__name__} draws no counts that could be compared with real ones."
        )
    labels = model.adata_manager.data_registry.get(REGISTRY_KEYS.LABELS_KEY)
    key = None if labels is None else model.adata_manager.get_state_registry(REGISTRY_KEYS.LABELS_KEY).original_key
    if key is None or key == "_scvi_labels":
        raise ValueError(
            "criticism=True compares differential expression between labels, and the model was set up without: give "
            "setup_anndata a labels_key."
        )
    for name in _CRITICISM_NEEDS:
        if find_spec(name) is None:
            raise ImportError(f"criticism=True needs {name}, which scvi-tools' report uses: pip install {name}.")


def _criticise(model: Any, folder: Path) -> dict[str, str]:
    from scvi.criticism import create_criticism_report

    # The report reads counts from X; that of scvi-tools 1.4 fails on sparse floating-point counts.
    adata = model.adata.copy()
    counts = model.adata_manager.get_from_registry(REGISTRY_KEYS.X_KEY)
    adata.X = counts.astype(np.int64) if holds_counts(counts) else counts
    create_criticism_report(model, adata=adata, save_folder=str(folder))
    report: dict[str, str] = json.loads((folder / _CRITICISM_FILE).read_text(encoding="utf-8"))
    return report
