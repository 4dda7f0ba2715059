"""Architectures that belong to a preset."""

from __future__ import annotations

from typing import Any

PAPER_ARCHITECTURE: dict[str, Any] = {
    "n_hidden": 128,
    "n_latent": 10,
    "n_layers": 2,
    "n_layers_library": 2,
    "dropout_rate": 0.1,
    "var_eps": 0.0,
    "dispersion": "gene",
    "gene_likelihood": "zinb",
    "use_observed_lib_size": False,
}
"""scVI as in the published front: learned library size, two hidden layers in every network, no variance floor."""

PRESETS: tuple[str | None, ...] = (None, "paper")
