"""Integrate batches in one call: select genes, train a front, write the embedding of the recommended point."""

from __future__ import annotations

import warnings
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from anndata import AnnData

from scpareto._cells import check_anndata, check_key_added, parse_key
from scpareto._runtime import check_seed, check_whole_number
from scpareto.front import FrontOptions
from scpareto.model import ParetoVI
from scpareto.pp import variable_genes
from scpareto.tl._counts import copy_counts
from scpareto.tl._judge_options import check_cells
from scpareto.tl._modalities import find_source_and_target

if TYPE_CHECKING:
    from mudata import MuData


def integrate(
    adata: AnnData | MuData,
    batch_key: str,
    *,
    labels_key: str | None = None,
    layer: str | None = None,
    modality: str | None = None,
    n_top_genes: int | None = 2000,
    key_added: str = "X_scpareto",
    seed: int = 0,
    **training: Any,
) -> ParetoVI:
    """Integrate batches in one line; writes the embedding to ``adata.obsm`` and a record to ``adata.uns["scpareto"]``.

    Selects variable genes on a copy, learns the front of :class:`scpareto.model.ParetoVI` there, and takes the point
    that is recommended without labels. Counts and genes of ``adata`` stay as they are.
    ``sc.pp.neighbors(adata, use_rep="X_scpareto")`` goes on from there.

    Parameters
    ----------
    adata
        Cells with raw counts, shape ``(n_cells, n_genes)``, in memory or backed by a file. Or a MuData, see Notes.
    batch_key
        Column of ``adata.obs`` with the batches, two or more.
    labels_key
        Column with cell types. It is only registered in the model; the training does not use it.
    layer
        Layer of the counts; None for ``adata.X``.
    modality
        Modality of the counts, if ``adata`` is a MuData.
    n_top_genes
        Number of genes to use, those that vary most within batches. None for all.
    key_added
        Key of the embedding in ``adata.obsm``.
    seed
        Seed of the model and its training. Equal seeds give equal embeddings.
    **training
        Arguments of :meth:`scpareto.model.ParetoVI.train`, such as ``n_points``, ``max_epochs``, ``checkpoint_dir``
        (the same call then continues after an interruption) or ``progress=False``.

    Returns
    -------
    The trained model at the recommended point. ``model.front`` is the whole curve; ``model.front.explain()`` gives the
    reasons for this point. ``model.select(..., key_added="X_scpareto")`` writes the embedding of another point to
    ``adata``.

    Raises
    ------
    KeyError
        If a column, layer or modality does not exist; the message names those that do.
    ValueError
        If there is only one batch, the matrix holds no counts, a cell has no counts in the selected genes, or an
        argument has an invalid value.
    TypeError
        If a key is not a string.

    Notes
    -----
    This function writes:

    - ``obsm[key_added]``, the embedding;
    - ``uns["scpareto"]["embeddings"][key_added]``, the point and its columns of the front;
    - ``uns["scpareto"]["paretovi"]``, the front as tables, which :func:`scpareto.pl.front` draws, the names of the used
      ``genes`` and of the ``test_cells`` that the training has not seen, and the arguments.

    In a :class:`~mudata.MuData`, ``modality`` holds the counts and gets embedding and record; batches and labels are
    columns of this modality or of ``mdata.obs``.

    Examples
    --------
    >>> import scanpy as sc
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=200, n_genes=60, n_batches=2, seed=0)
    >>> short = {"n_points": 4, "max_epochs": 4, "max_epochs_pretrain": 2, "progress": False}  # for this example only
    >>> model = sp.tl.integrate(adata, batch_key="batch", n_top_genes=40, **short)
    >>> sc.pp.neighbors(adata, use_rep="X_scpareto")
    >>> number = model.select(0, key_added="X_uncorrected")
    >>> adata.obsm["X_uncorrected"].shape, adata.uns["scpareto"]["embeddings"]["X_uncorrected"]["point"]
    ((200, 10), 0)
    """
    check_key_added(key_added)
    if n_top_genes is not None:
        check_whole_number("n_top_genes", n_top_genes, least=0)
    batch_key, labels_key = parse_key(batch_key, "batch_key") or "", parse_key(labels_key, "labels_key")
    option_names = {field.name for field in fields(FrontOptions)}
    FrontOptions(**{name: value for name, value in training.items() if name in option_names}, seed=check_seed(seed))
    source, target = find_source_and_target(adata, modality, layer)
    check_cells(source.adata)
    with warnings.catch_warnings():
        # The registration gives the same warnings for the selected genes.
        warnings.simplefilter("ignore", UserWarning)
        check_anndata(
            source.adata,
            layer=source.layer,
            obs_keys={"batch_key": [batch_key], "labels_key": [] if labels_key is None else [labels_key]},
            batch_key=batch_key,
            labels_key=None,
            need_batches=True,
        )
    genes = variable_genes(source.adata, n_top_genes, batch_key=batch_key, layer=source.layer)
    cells = copy_counts(source, genes, layer, None if isinstance(adata, AnnData) else [batch_key, labels_key])
    ParetoVI.setup_anndata(cells, batch_key=batch_key, labels_key=labels_key, layer=layer)
    model = ParetoVI(cells, seed=seed)
    model.train(**training)
    front = model.front
    if front is None or not len(front):
        raise RuntimeError("No point could be trained: all trainings diverged.")
    record = {
        "batch_key": batch_key,
        "labels_key": labels_key or "",
        "layer": layer or "",
        "seed": seed,
        "genes": cells.var_names.to_numpy(dtype=str),
        "test_cells": cells.obs_names.to_numpy(dtype=str)[model.test_indices_],
        "explanation": front.explain(),
    }
    model.write_to(target, record)
    model.select(front.recommended, key_added=key_added)
    return model
