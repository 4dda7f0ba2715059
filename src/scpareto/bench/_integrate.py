"""One call for every method."""

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
from scpareto.bench._reproducible import reproducible

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
        Data with raw counts, shape ``(n_cells, n_genes)``. All genes are used, except by methods that choose genes
        themselves; select variable ones before, as for any of the methods on its own.
    method
        One of :func:`methods`.
    batch_key
        Column of ``adata.obs`` with the batches, two or more. May be left out for methods that do not read it.
    labels_key
        Column of ``adata.obs`` with labels, for methods that read them; missing ones are unlabelled cells.
    layer
        Layer of the counts; None for ``adata.X``.
    key_added
        Where in ``adata.obsm`` the codes go; ``"X_<method>"`` unless given.
    seed
        Seed of whatever is random. Equal seed, equal codes; the caller's generators are put back.
    **options
        Options of the method: the keyword arguments of its function, see the user guide.

    Raises
    ------
    ImportError
        If the method's library is missing; the message names the command that installs it.
    ValueError
        If the method is unknown or has no such option, there is one batch only, there are fewer cells or genes than the
        method can use, labels are needed and not given, or the counts are none (see
        :meth:`scpareto.model.ParetoVI.setup_anndata`).
    KeyError
        If a column or layer does not exist.

    Notes
    -----
    Methods that can map cells that they have not seen are fitted to 90 % of the cells, stratified by batch, and stop on
    the others; see :class:`Benchmark` for the fair comparison on cells that none of these was fitted to.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=200, n_genes=50, seed=0)
    >>> sp.bench.integrate(adata, "combat", batch_key="batch")
    >>> adata.obsm["X_combat"].shape
    (200, 30)
    """
    seed = check_seed(seed)
    chosen = checked_method(method, options)
    if batch_key is None and chosen.reads_batch:
        raise ValueError(f"method={method!r} reads the batches: name their column by batch_key=...")
    if chosen.reads_labels and labels_key is None:
        raise ValueError(f"method={method!r} reads labels: name their column by labels_key=...")
    cells = gather(adata, batch_key=batch_key, labels_key=labels_key, layer=layer, seed=seed)
    found = run_method(chosen, cells, options)
    codes = found.codes[found.selected] if isinstance(found, Points) else found
    adata.obsm[latent_key(method) if key_added is None else key_added] = codes


def checked_method(name: str, options: dict[str, Any]) -> Method:
    """Look a method up and check its options and its library."""
    method = get_method(name)
    known = inspect.signature(method.run).parameters.values()
    named = [p.name for p in known if p.kind is p.KEYWORD_ONLY]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in known)
    for option in options:
        if option not in named and not open_ended:
            raise ValueError(f"method={name!r} has no option {option!r}. Its options: {', '.join(named) or 'none'}.")
    method.check_installed()
    return method


def gather(
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
    """Check data and take out what methods read.

    Parameters
    ----------
    adata, batch_key, labels_key, layer, seed
        As in :func:`integrate`.
    split
        Training, validation and test cells; labels of test cells are hidden. None: 90 % for training, the others for
        validation, and no test cells.
    check
        Whether to check the data, which reads all counts.
    depth
        Counts of each cell over all genes, where ``adata`` holds some of them.

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
        None if labels_key is None else labels_of(adata, labels_key),
        _without_test_cells(batch, seed) if split is None else split,
        seed,
        depth,
    )
    return cells if split is None else cells.with_split(split, seed=seed)


def _without_test_cells(batch: NDArray[np.str_], seed: int) -> Split:
    """Nine tenths of the cells for training and the others for validation."""
    parts = stratified_split(batch, fractions=(0.8, 0.1, 0.1), seed=child_seed(seed, 0))
    none = np.empty(0, dtype=np.int64)
    return Split(np.sort(np.concatenate([parts.train, parts.test])), parts.validation, none)


def labels_of(adata: AnnData, labels_key: str) -> NDArray[np.str_]:
    """Labels as text, ``"unlabelled"`` where they are missing."""
    if labels_key not in adata.obs:
        raise KeyError(
            f"labels_key={labels_key!r} is not in adata.obs. Available: {', '.join(map(repr, adata.obs.columns))}."
        )
    column = adata.obs[labels_key]
    return np.where(column.isna(), UNLABELLED, column.astype(object).astype(str)).astype(object).astype(str)


def run_method(method: Method, cells: Cells, options: dict[str, Any]) -> NDArray | Points:
    """Check the sizes, run a method under the cells' seed and check what it returns."""
    method.check_sizes(cells)
    with reproducible(cells.seed):
        found = method.run(cells, **options)
    for codes in found.codes.values() if isinstance(found, Points) else [found]:
        if codes.ndim != 2 or len(codes) != len(cells):
            raise RuntimeError(f"{method.name} returned shape {codes.shape} for {len(cells)} cells.")
        if not np.isfinite(codes).all():
            raise RuntimeError(f"{method.name} returned codes that are not finite: it diverged.")
    return found
