"""What several rooms must write alike: keys in AnnData, names of columns, limits."""

from __future__ import annotations

from typing import Final

UNS_KEY: Final = "scpareto"
GENERATIVE_LOSS: Final = "generative_loss"
BATCH: Final = "batch"
BATCH_LEFT, STRUCTURE_KEPT = "batch_left", "structure_kept"
DEAD: Final = "_dead"
"""Ending of the column that marks points where the critic of an objective never left its start; only where some did."""

ALARM_FROM: Final = 0.5
"""Value of the over-correction alarm from which on it rings."""

# Multiplicative batch effects of genes, in ``varm``, and the record of their estimation, in ``uns``.
BATCH_EFFECT_KEY: Final = "batch_effect"
ADJUST_COUNTS_KEY: Final = "adjust_counts"

# The record of judged embeddings, in ``uns["scpareto"]``.
JUDGE_KEY: Final = "judge"
# How clusters in ``obs`` were found, by their column, in ``uns["scpareto"]``.
CLUSTERS_KEY: Final = "clusters"
# What embeddings in ``obsm`` are of, by their key, in ``uns["scpareto"]``.
EMBEDDINGS_KEY: Final = "embeddings"

# Size factors that ``prepare_scinfovae`` writes into ``obs``.
SCINFOVAE_SIZE_FACTOR_KEY: Final = "scinfovae_size_factor"
# Registry keys of codes that a generator is conditioned on.
CODE_KEY: Final = "code"
CODE_SCALE_KEY: Final = "code_scale"

# Registry keys of traded nuisances: registered with the data, never given to the decoder.
NUISANCE_CATEGORICAL_KEY: Final = "nuisance_categorical"
NUISANCE_CONTINUOUS_KEY: Final = "nuisance_continuous"


def latent_key(model_name: str) -> str:
    """Key of a model's codes in ``obsm``, e.g. ``X_paretovi``."""
    return f"X_{model_name.lower()}"


def latent_scale_key(model_name: str) -> str:
    """Key of the standard deviations of a model's codes in ``obsm``, e.g. ``X_betatcvae_scale``."""
    return f"{latent_key(model_name)}_scale"
