"""A front of embeddings that were made elsewhere, one for each value of some option."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import key_of
from scpareto._runtime import keep_torch_threads
from scpareto.tl._followed import BadCodesError, check_followed
from scpareto.tl._judge_options import check_options
from scpareto.tl._judge_ready import JudgeOptions, frame_of_ready, make_ready
from scpareto.tl._judged_cells import MOST_SWEPT
from scpareto.tl._judged_front import judged_front, plain_value, warn_of_order
from scpareto.tl._modalities import source_of
from scpareto.tl._turned import several

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from mudata import MuData
    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto import Front
    from scpareto.tl._judge_ready import Ready


@keep_torch_threads()
def front_of(
    adata: AnnData | MuData,
    embeddings: Mapping[Any, str],
    *,
    batch_key: str,
    name: str = "embeddings",
    knob: str = "value",
    layer: str | None = None,
    used_genes: str | ArrayLike | None = None,
    sample_key: str | None = None,
    labels_key: str | None = None,
    protect_key: str | None = None,
    control_genes: str | Sequence[str] = (),
    n_bootstrap: int = 300,
    max_cells: int = MOST_SWEPT,
    seed: int = 0,
) -> Front:
    """Judge embeddings that were made elsewhere, one for each strength of correction, and return a front.

    For example those of Seurat at several numbers of anchors, exported to ``adata.obsm``. Nothing is written.

    Parameters
    ----------
    adata
        Cells with raw counts and embeddings in ``obsm``. Or a MuData, whose keys are those of
        :func:`scpareto.tl.judge`.
    embeddings
        Key of ``adata.obsm`` for each value, from the least to the strongest correcting, for example
        ``{5: "X_seurat_5", 20: "X_seurat_20"}``.
    batch_key
        Column of ``adata.obs`` with the batches; each has at least 20 cells.
    name, knob
        What made them, and what the values are of: for words and pictures.
    layer
        Layer of the counts; None for ``adata.X``.
    used_genes
        Genes that the embeddings have used, as for :func:`scpareto.tl.judge`.
    sample_key, labels_key, protect_key, control_genes, n_bootstrap, max_cells, seed
        As for :func:`scpareto.tl.judge`.

    Returns
    -------
    A :class:`scpareto.pareto.Front` with one point per value, as :func:`sweep` returns.

    Raises
    ------
    KeyError
        If a key does not exist; the message names those that do.
    ValueError
        If there are fewer than two embeddings, a key is named twice, codes are not finite or follow the cells at no
        value, or the cells cannot be judged.
    TypeError
        If ``embeddings`` is no dict, or a key is no text.

    Warns
    -----
    UserWarning
        If codes do not follow the cells: they are no point of the front, see :func:`sweep`. If the last value leaves
        more of the batch than the first.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=300, n_genes=80, n_batches=2, n_types=3, seed=0)
    >>> for strength in (0, 1):
    ...     sp.bench.integrate(adata, "combat", batch_key="batch", strength=strength, key_added=f"X_{strength}")
    >>> front = sp.tl.front_of(adata, {0: "X_0", 1: "X_1"}, batch_key="batch", name="ComBat", n_bootstrap=20)
    >>> front.to_dataframe()[["value", "use_rep"]].to_numpy().tolist()
    [[0, 'X_0'], [1, 'X_1']]
    """
    check_options(n_bootstrap=n_bootstrap, seed=seed, max_cells=max_cells, key_added="front", groups_key=None, taken=())
    if not isinstance(embeddings, Mapping):
        raise TypeError(f"embeddings={embeddings!r} must be a dict of keys of adata.obsm by value: {{0.5: 'X_weak'}}.")
    several(list(embeddings))
    keys = [key_of(key, "embeddings") or "" for key in embeddings.values()]
    if repeated := [key for key in keys if keys.count(key) > 1]:
        raise ValueError(f"embeddings name {repeated[0]!r} for {keys.count(repeated[0])} values.")
    source, used_genes = source_of(adata, keys, layer=layer, neighbors_key=[], used_genes=used_genes)
    ready = make_ready(
        source,
        keys,
        [],
        JudgeOptions(
            batch_key=key_of(batch_key, "batch_key") or "",
            sample_key=key_of(sample_key, "sample_key"),
            labels_key=key_of(labels_key, "labels_key"),
            protect_key=protect_key,
            control_genes=control_genes,
            used_genes=used_genes,
            n_bootstrap=n_bootstrap,
            max_cells=max_cells,
            seed=seed,
        ),
    )
    framed = frame_of_ready(ready)
    judged, reasons = _followed(ready, dict(zip(embeddings, keys, strict=True)), framed[0].components)
    runs = pd.DataFrame(
        {"value": [plain_value(value) for value in embeddings], "use_rep": keys, "reason": list(reasons.values())}
    )
    front = judged_front(
        ready,
        judged,
        knob=knob,
        sweep={
            "method": name,
            "library": "",
            "failed": {str(value): reason for value, reason in reasons.items() if reason},
            "key": "",
        },
        columns={"use_rep": [key for key, reason in zip(keys, reasons.values(), strict=True) if not reason]},
        runs=runs,
        cell_names=source.adata.obs_names,
        framed=framed,
        whole={value: np.asarray(source.adata.obsm[embeddings[value]], dtype=np.float32) for value in judged},
    )
    warn_of_order(front)
    return front


def _followed(
    ready: Ready, embeddings: Mapping[Any, str], components: NDArray[np.float64]
) -> tuple[dict[Any, NDArray[np.float64]], dict[Any, str]]:
    """Codes of judged cells that follow them, by value, and why others do not."""
    judged, reasons = {}, {}
    for value, key in embeddings.items():
        codes, reasons[value] = ready.inputs.codes[key], ""
        try:
            check_followed(codes, components, ready.inputs.batch, f"adata.obsm[{key!r}]", seed=ready.options.seed)
            judged[value] = codes
        except BadCodesError as error:
            reasons[value] = str(error)
            warnings.warn(f"{error} It is no point of the front.", UserWarning, stacklevel=4)
    if not judged:
        raise ValueError(next(iter(reasons.values())))
    return judged, reasons
