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


def effects_parameter(model: Any) -> torch.nn.Parameter | None:
    """Log factors of the decoder, shape ``(n_genes, n_batches)``; None where the decoder has none."""
    decoder = getattr(model.module, "decoder", None)
    return decoder.log_batch_effect if isinstance(decoder, MultiplicativeDecoder) else None


def start_batch_effects(model: Any, adata: AnnData) -> None:
    """Start the factors of the decoder from ``adata.varm``, where it has effects of all genes and batches.

    Parameters
    ----------
    model
        A model whose decoder may have factors.
    adata
        Its data. Without such effects factors stay 1; a model that is loaded has its own.
    """
    parameter, effect = effects_parameter(model), getattr(adata, "varm", {}).get(BATCH_EFFECT_KEY)
    if parameter is None or not isinstance(effect, pd.DataFrame):
        return
    batches = _batches(model)
    if set(batches) != set(effect.columns) or len(effect) != len(parameter):
        return
    with torch.no_grad():
        parameter.copy_(torch.as_tensor(np.log(effect[batches].to_numpy()), dtype=parameter.dtype))


def batch_effects_of(model: Any) -> pd.DataFrame:
    """Return the factors of the decoder; see :meth:`scpareto.model.ParetoVI.get_batch_effects`."""
    parameter = effects_parameter(model)
    if parameter is None:
        raise ValueError("The model has no batch effects of genes; make it with gene_batch_effect='multiplicative'.")
    log_effect = parameter.detach().cpu().numpy().astype(float)
    names = model.get_var_names()
    names = next(iter(names.values())) if isinstance(names, dict) else names
    centred = log_effect - log_effect.mean(axis=1, keepdims=True)
    return pd.DataFrame(np.exp(centred), index=np.asarray(names), columns=_batches(model))


def _batches(model: Any) -> list[str]:
    state = model.registry_["field_registries"][REGISTRY_KEYS.BATCH_KEY]["state_registry"]
    return [str(name) for name in state["categorical_mapping"]]
