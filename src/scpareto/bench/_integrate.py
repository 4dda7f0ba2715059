"""Run any integration method by one function."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scpareto._cells import Split, check_anndata, get_matrix, parse_key, stratified_split
from scpareto._constants import latent_key
from scpareto._runtime import check_seed, child_seed
from scpareto.bench._cells import UNLABELLED, Cells
from scpareto.bench._registry import Method, Points, get_method
from scpareto.bench._seeding import seed_generators

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


def integrate(
    adata: AnnData,
    method: str,
    *,
    batch_key: str | None = None,
    labels_key: str | None = None,
    layer: str | None = None,
    key_added: str | None = None,
    seed: int = 0,
    **options: Any,
) -> None:
    """Integrate cells by any method; writes the codes to ``adata.obsm``, in the order of the cells.

    Parameters
    ----------
    adata
        Data with raw counts, shape ``(n_cells, n_genes)``. All genes are used, except by methods that select genes
        themselves; select variable genes first.
    method
        One of :func:`methods`.
    batch_key
        Column of ``adata.obs`` with the batches, two or more. Optional for methods that do not read it.
    labels_key
        Column of ``adata.obs`` with labels, for methods that read them; cells with missing values are unlabelled.
    layer
        Layer of the counts; None for ``adata.X``.
    key_added
        Key of the codes in ``adata.obsm``; ``"X_<method>"`` unless given.
    seed
        Random seed. Equal seeds give equal codes. The state of the global random generators is restored.
    **options
        Options of the method: the keyword arguments of its function, see the user guide.

    Raises
    ------
    ImportError
        If the method's library is missing; the message names the command that installs it.
    ValueError
        If the method or the option does not exist, there is only one batch, there are too few cells or genes for the
        method, labels are needed and not given, or the matrix holds no counts (see
        :meth:`scpareto.model.ParetoVI.setup_anndata`).
    KeyError
        If a column or layer does not exist.

    Notes
    -----
    Methods that can map unseen cells are fitted to 90 % of the cells, stratified by batch; the others decide when
    training stops. :class:`Benchmark` compares methods on test cells that none of these methods has seen.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=200, n_genes=50, seed=0)
    >>> sp.bench.integrate(adata, "combat", batch_key="batch")
    >>> adata.obsm["X_combat"].shape
    (200, 30)
    """
    seed = check_seed(seed)
    chosen = find_method(method, options)
    if batch_key is None and chosen.reads_batch:
        raise ValueError(f"method={method!r} reads the batches: name their column by batch_key=...")
    if chosen.reads_labels and labels_key is None:
        raise ValueError(f"method={method!r} reads labels: name their column by labels_key=...")
    cells = read_cells(adata, batch_key=batch_key, labels_key=labels_key, layer=layer, seed=seed)
    returned = run_method(chosen, cells, options)
    codes = returned.codes[returned.selected] if isinstance(returned, Points) else returned
    adata.obsm[latent_key(method) if key_added is None else key_added] = codes


def find_method(name: str, options: dict[str, Any]) -> Method:
    """Look up a method, and check its options and its library."""
    method = get_method(name)
    parameters = inspect.signature(method.run).parameters.values()
    option_names = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    takes_any_option = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for option in options:
        if option not in option_names and not takes_any_option:
            raise ValueError(
                f"method={name!r} has no option {option!r}. Its options: {', '.join(option_names) or 'none'}."
            )
    method.check_installed()
    return method


def read_cells(
    adata: AnnData,
    *,
    batch_key: str | None,
    labels_key: str | None = None,
    layer: str | None = None,
    split: Split | None = None,
    seed: int = 0,
    check: bool = True,
    depth: NDArray[Any] | None = None,
) -> Cells:
    """Check the data and read the cells that methods use.

    Parameters
    ----------
    adata, batch_key, labels_key, layer, seed
        As in :func:`integrate`.
    split
        Training, validation and test cells; labels of test cells are hidden. None for 90 % training cells, 10 %
        validation cells and no test cells.
    check
        Whether to check the data, which reads all counts.
    depth
        Total counts of each cell over all genes, if ``adata`` holds only some of them.

    Returns
    -------
    The cells.
    """
    batch_key, labels_key = parse_key(batch_key, "batch_key"), parse_key(labels_key, "labels_key")
    if check:
        check_anndata(
            adata,
            layer=layer,
            obs_keys={"batch_key": [] if batch_key is None else [batch_key]},
            batch_key=batch_key,
            labels_key=None,
            need_batches=batch_key is not None,
            as_text=True,
        )
    batch = np.full(adata.n_obs, "") if batch_key is None else adata.obs[batch_key].astype(str).to_numpy().astype(str)
    cells = Cells(
        sparse.csr_matrix(get_matrix(adata, layer), dtype=np.float32),
        np.asarray(adata.var_names).astype(str),
        batch,
        None if labels_key is None else read_labels(adata, labels_key),
        _split_without_test(batch, seed) if split is None else split,
        seed,
        depth,
    )
    return cells if split is None else cells.with_split(split, seed=seed)


def _split_without_test(batch: NDArray[np.str_], seed: int) -> Split:
    """Return a split with nine tenths of the cells for training and the others for validation."""
    parts = stratified_split(batch, fractions=(0.8, 0.1, 0.1), seed=child_seed(seed, 0))
    empty = np.empty(0, dtype=np.int64)
    return Split(np.sort(np.concatenate([parts.train, parts.test])), parts.validation, empty)


def read_labels(adata: AnnData, labels_key: str) -> NDArray[np.str_]:
    """Return labels as text, ``"unlabelled"`` for missing values."""
    if labels_key not in adata.obs:
        raise KeyError(
            f"labels_key={labels_key!r} is not in adata.obs. Available: {', '.join(map(repr, adata.obs.columns))}."
        )
    column = adata.obs[labels_key]
    return np.where(column.isna(), UNLABELLED, column.astype(object).astype(str)).astype(object).astype(str)


def run_method(method: Method, cells: Cells, options: dict[str, Any]) -> NDArray | Points:
    """Check the sizes, run a method with the cells' seed, and check the codes that it returns."""
    method.check_sizes(cells)
    with seed_generators(cells.seed):
        returned = method.run(cells, **options)
    for codes in returned.codes.values() if isinstance(returned, Points) else [returned]:
        if codes.ndim != 2 or len(codes) != len(cells):
            raise RuntimeError(f"{method.name} returned shape {codes.shape} for {len(cells)} cells.")
        if not np.isfinite(codes).all():
            raise RuntimeError(f"{method.name} returned codes that are not finite: it diverged.")
    return returned
