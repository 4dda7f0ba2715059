"""Make a front of existing embeddings, one for each value of an option."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import parse_key
from scpareto._runtime import keep_torch_threads
from scpareto.tl._judge_options import check_options
from scpareto.tl._judge_task import JudgeOptions, compute_frame, make_judge_task
from scpareto.tl._judged_cells import MAX_SWEPT_CELLS
from scpareto.tl._judged_front import make_judged_front, plain_value, warn_if_order_reversed
from scpareto.tl._modalities import find_source
from scpareto.tl._returned_codes import BadCodesError, check_codes_match_cells
from scpareto.tl._swept_method import check_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from mudata import MuData
    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto import Front
    from scpareto.tl._judge_task import JudgeTask


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
    max_cells: int = MAX_SWEPT_CELLS,
    seed: int = 0,
) -> Front:
    """Judge existing embeddings, one for each strength of correction, and return a front.

    The embeddings can come from any program, for example from Seurat at several numbers of anchors, exported to
    ``adata.obsm``. Nothing is written to ``adata``.

    Parameters
    ----------
    adata
        Cells with raw counts and embeddings in ``obsm``. Or a MuData, with keys as in :func:`scpareto.tl.judge`.
    embeddings
        Key of ``adata.obsm`` for each value, from the least to the strongest correcting, for example
        ``{5: "X_seurat_5", 20: "X_seurat_20"}``.
    batch_key
        Column of ``adata.obs`` with the batches; each has at least 20 cells.
    name, knob
        Names of the method and of its option, for texts and plots.
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
        If there are fewer than two embeddings, a key is named twice, codes are not finite, no embedding belongs to the
        cells, or the cells cannot be judged.
    TypeError
        If ``embeddings`` is not a dict, or a key is not a string.

    Warns
    -----
    UserWarning
        If an embedding does not belong to the cells: it is left out of the front, see :func:`sweep`. If the last value
        leaves more of the batch than the first.

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
    check_options(
        n_bootstrap=n_bootstrap, seed=seed, max_cells=max_cells, key_added="front", groups_key=None, read_columns=()
    )
    if not isinstance(embeddings, Mapping):
        raise TypeError(f"embeddings={embeddings!r} must be a dict of keys of adata.obsm by value: {{0.5: 'X_weak'}}.")
    check_values(list(embeddings))
    keys = [parse_key(key, "embeddings") or "" for key in embeddings.values()]
    if repeated := [key for key in keys if keys.count(key) > 1]:
        raise ValueError(f"embeddings name {repeated[0]!r} for {keys.count(repeated[0])} values.")
    source, used_genes = find_source(adata, keys, layer=layer, neighbors_key=[], used_genes=used_genes)
    task = make_judge_task(
        source,
        keys,
        [],
        JudgeOptions(
            batch_key=parse_key(batch_key, "batch_key") or "",
            sample_key=parse_key(sample_key, "sample_key"),
            labels_key=parse_key(labels_key, "labels_key"),
            protect_key=protect_key,
            control_genes=control_genes,
            used_genes=used_genes,
            n_bootstrap=n_bootstrap,
            max_cells=max_cells,
            seed=seed,
        ),
    )
    frame_and_counts = compute_frame(task)
    judged, reasons = _matching_codes(task, dict(zip(embeddings, keys, strict=True)), frame_and_counts[0].components)
    runs = pd.DataFrame(
        {"value": [plain_value(value) for value in embeddings], "use_rep": keys, "reason": list(reasons.values())}
    )
    front = make_judged_front(
        task,
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
        frame_and_counts=frame_and_counts,
        all_codes={value: np.asarray(source.adata.obsm[embeddings[value]], dtype=np.float32) for value in judged},
    )
    warn_if_order_reversed(front)
    return front


def _matching_codes(
    task: JudgeTask, embeddings: Mapping[Any, str], components: NDArray[np.float64]
) -> tuple[dict[Any, NDArray[np.float64]], dict[Any, str]]:
    """Return the codes that belong to the judged cells, by value, and the reasons why others were left out."""
    judged, reasons = {}, {}
    for value, key in embeddings.items():
        codes, reasons[value] = task.inputs.codes[key], ""
        try:
            check_codes_match_cells(
                codes, components, task.inputs.batch, f"adata.obsm[{key!r}]", seed=task.options.seed
            )
            judged[value] = codes
        except BadCodesError as error:
            reasons[value] = str(error)
            warnings.warn(f"{error} It is no point of the front.", UserWarning, stacklevel=4)
    if not judged:
        raise ValueError(next(iter(reasons.values())))
    return judged, reasons
