"""Codes of all methods, and of the whole front of ParetoVI."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from shared import plain_scvi

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

METHODS: dict[str, list[dict[str, Any]]] = {
    "pca": [{}],
    "combat": [{}],
    "harmony": [{"theta": theta} for theta in (0.5, 1.0, 2.0, 4.0, 8.0)],
    "scanorama": [{}],
    "fastmnn": [{}],
    "seurat_cca": [{}],
    "scvi": [{}],
    "scanvi": [{}],
}
"""Every method with the values of its knob; all else, lengths of trainings included, as its authors set it."""
SWEPT_IN_FULL = {"sysvi": [{"cycle_weight": weight} for weight in (2.0, 5.0, 10.0, 50.0)]}


def codes_of(
    adata: AnnData, setting: str, seed: int, only: tuple[str, ...] | None = None
) -> Iterator[tuple[dict[str, Any], NDArray[np.floating] | None]]:
    """Each method's codes with what they are; None where a method fails, with the reason."""
    import scpareto as sp

    for method, values in (METHODS | (SWEPT_IN_FULL if setting == "full" else {})).items():
        if only is not None and method not in only:
            continue
        for options in values:
            told: dict[str, Any] = {"method": method, "value": next(iter(options.values()), np.nan)}
            begun = time.process_time()
            try:
                if method == "scvi":
                    found = plain_scvi(adata, seed)
                else:
                    labels = "truth" if method == "scanvi" else None
                    sp.bench.integrate(adata, method, batch_key="batch", labels_key=labels, seed=seed, **options)
                    found = adata.obsm.pop(f"X_{method}")
            except Exception as error:  # noqa: BLE001 - the others are worth as much; the row says why
                yield told | {"failed": f"{type(error).__name__}: {error}"}, None
                continue
            yield told | {"seconds": time.process_time() - begun}, np.asarray(found, dtype=np.float64)


def front_of(
    adata: AnnData, seed: int, **options: Any
) -> tuple[pd.DataFrame, dict[int, NDArray[np.floating]], dict[str, Any]]:
    """Table of a front with default arguments but for ``options``, codes of its points, and what holds for all."""
    import scpareto as sp

    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, seed=seed)
    begun = time.process_time()
    model.train(progress=False, **options)
    seconds, codes = time.process_time() - begun, {}
    for number in model.front.numbers:
        with model.at(number):
            codes[number] = np.asarray(model.get_latent_representation(), dtype=np.float64)
    facts = {"recommended": model.front.recommended, "seconds": seconds}
    judged = model.front.metadata["judged"]
    facts |= {"no_batch_effect": bool(judged.get("no_batch_effect", False)), "margin": judged.get("margin", np.nan)}
    return model.front.to_dataframe(), codes, facts


def without_batches(adata: AnnData, seed: int) -> NDArray[np.floating]:
    """Codes of SCVI that is told nothing about batches."""
    import scvi
    import torch

    scvi.settings.seed = seed
    torch.set_num_threads(1)
    plain = adata.copy()
    scvi.model.SCVI.setup_anndata(plain)
    model = scvi.model.SCVI(plain)
    model.train(accelerator="cpu", enable_progress_bar=False, logger=False)
    return np.asarray(model.get_latent_representation(), dtype=np.float64)
