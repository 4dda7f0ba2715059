"""Multiplicative batch effects of genes between AnnData and the decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from scvi import REGISTRY_KEYS

from scpareto._constants import BATCH_EFFECT_KEY
from scpareto.module import MultiplicativeDecoder

if TYPE_CHECKING:
    from anndata import AnnData


def get_log_effects(model: Any) -> torch.nn.Parameter | None:
    """Return the log factors of the decoder, shape ``(n_genes, n_batches)``; None if the decoder has no factors."""
    decoder = getattr(model.module, "decoder", None)
    return decoder.log_batch_effect if isinstance(decoder, MultiplicativeDecoder) else None


def init_batch_effects(model: Any, adata: AnnData) -> None:
    """Initialize the factors of the decoder from ``adata.varm``, if it holds effects of all genes and batches.

    Parameters
    ----------
    model
        A model whose decoder may have factors.
    adata
        Its data. Without such effects the factors stay 1; a loaded model gets its saved factors.
    """
    parameter, effect = get_log_effects(model), getattr(adata, "varm", {}).get(BATCH_EFFECT_KEY)
    if parameter is None or not isinstance(effect, pd.DataFrame):
        return
    batches = _get_batches(model)
    if set(batches) != set(effect.columns) or len(effect) != len(parameter):
        return
    with torch.no_grad():
        parameter.copy_(torch.as_tensor(np.log(effect[batches].to_numpy()), dtype=parameter.dtype))


def compute_batch_effects(model: Any) -> pd.DataFrame:
    """Return the factors of the decoder; see :meth:`scpareto.model.ParetoVI.get_batch_effects`."""
    parameter = get_log_effects(model)
    if parameter is None:
        raise ValueError("The model has no batch effects of genes; make it with gene_batch_effect='multiplicative'.")
    log_effect = parameter.detach().cpu().numpy().astype(float)
    names = model.get_var_names()
    names = next(iter(names.values())) if isinstance(names, dict) else names
    centred = log_effect - log_effect.mean(axis=1, keepdims=True)
    return pd.DataFrame(np.exp(centred), index=np.asarray(names), columns=_get_batches(model))


def _get_batches(model: Any) -> list[str]:
    state = model.registry_["field_registries"][REGISTRY_KEYS.BATCH_KEY]["state_registry"]
    return [str(name) for name in state["categorical_mapping"]]
