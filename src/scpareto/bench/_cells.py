"""Input of a method: counts, batches and optional labels of the same cells, and derived representations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData

from scpareto._cells import principal_components
from scpareto._runtime import keep_torch_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from scpareto._cells import Split

UNLABELLED = "unlabelled"


@dataclass(frozen=True)
class Cells:
    """Cells to integrate.

    Parameters
    ----------
    counts
        Raw counts, shape ``(n_cells, n_genes)``.
    genes
        Names of the genes, shape ``(n_genes,)``.
    batch
        Batch of each cell, shape ``(n_cells,)``; all the same for methods that do not read it.
    labels
        Label of each cell, shape ``(n_cells,)``, ``"unlabelled"`` if it is missing; None without labels.
    split
        Training, validation and test cells, for methods that can map unseen cells.
    seed
        Random seed.
    depth
        Total counts of each cell over all genes, also those that are not in ``counts``, shape ``(n_cells,)``; None for
        the sum over ``genes``.

    Examples
    --------
    A method is a function of these cells, see :func:`register_method`:

    >>> import numpy as np
    >>> from scipy import sparse
    >>> from scpareto.bench import Cells
    >>> from scpareto.front import stratified_split
    >>> counts = sparse.csr_matrix([[1.0, 3.0], [0.0, 2.0], [4.0, 4.0]])
    >>> batch = np.array(["a", "b", "b"])
    >>> cells = Cells(counts, np.array(["CD3D", "XIST"]), batch, None, stratified_split(batch), seed=0)
    >>> cells.batches, cells.rows("b").tolist()
    (['b', 'a'], [1, 2])
    >>> cells.log_normalised.toarray().round(1)  # log(1 + 2500), log(1 + 7500) and so on
    array([[7.8, 8.9],
           [0. , 9.2],
           [8.5, 8.5]], dtype=float32)
    """

    counts: sparse.csr_matrix
    genes: NDArray[Any]
    batch: NDArray[Any]
    labels: NDArray[Any] | None
    split: Split
    seed: int
    depth: NDArray[Any] | None = None

    def __len__(self) -> int:
        return int(self.counts.shape[0])

    @cached_property
    def batches(self) -> list[str]:
        """Names of the batches, the largest first; ties in alphabetical order."""
        names, sizes = np.unique(self.batch, return_counts=True)
        return [str(names[i]) for i in np.argsort(-sizes, kind="stable")]

    @cached_property
    def batch_codes(self) -> NDArray[np.int64]:
        """Number of each cell's batch in alphabetical order, shape ``(n_cells,)``."""
        return np.unique(self.batch, return_inverse=True)[1]

    def rows(self, batch: str) -> NDArray[np.int64]:
        """Rows of the cells of a batch, ascending."""
        return np.flatnonzero(self.batch == batch)

    @cached_property
    def log_normalised(self) -> sparse.csr_matrix:
        """``log(1 + 10^4 x / depth)``, shape ``(n_cells, n_genes)``."""
        if self.depth is not None:
            scaled = self.counts.astype(np.float32, copy=True)
            scaled.data *= np.repeat(1e4 / np.maximum(self.depth, 1), np.diff(scaled.indptr)).astype(np.float32)
            return scaled.log1p()
        adata = AnnData(self.counts.astype(np.float32, copy=True))
        with keep_torch_threads():
            sc.pp.normalize_total(adata, target_sum=1e4)
            sc.pp.log1p(adata)
        return adata.X

    @cached_property
    def components(self) -> NDArray[np.float64]:
        """Principal components of log-normalised expression, shape ``(n_cells, 30)``, the uncorrected reference."""
        if self.depth is not None:
            return principal_components(self.log_normalised, counts=False, seed=0)
        return principal_components(self.counts, seed=0)

    def as_anndata(self, *, normalised: bool = False) -> AnnData:
        """Build a new AnnData with the column ``batch`` and, if there are labels, ``labels``."""
        obs = pd.DataFrame({"batch": pd.Categorical(self.batch)}, index=np.arange(len(self)).astype(str))
        if self.labels is not None:
            obs["labels"] = pd.Categorical(self.labels)
        x = self.log_normalised if normalised else self.counts
        return AnnData(x.astype(np.float32, copy=True), obs=obs, var=pd.DataFrame(index=self.genes))

    def with_split(self, split: Split, *, seed: int) -> Cells:
        """Return the same cells with another split and seed; labels of its test cells are hidden."""
        labels = self.labels
        if labels is not None:
            # np.where makes an array wide enough for the text; assignment to the array of labels would truncate it.
            labels = np.where(np.isin(np.arange(len(self)), split.test), UNLABELLED, labels)
        return replace(self, labels=labels, split=split, seed=seed)

    def splitter(self, batch_size: int) -> dict[str, Any]:
        """Return the arguments that make scvi-tools use this split of training, validation and test cells.

        A last minibatch of one cell is dropped, because its variance is undefined and training would fail.

        Parameters
        ----------
        batch_size
            Cells of a minibatch.
        """
        sizes = [len(self.split.train)]
        if self.labels is not None:
            # scANVI draws labelled and unlabelled cells separately.
            hidden = int((self.labels[self.split.train] == UNLABELLED).sum())
            sizes += [hidden, sizes[0] - hidden]
        alone = any(n % batch_size == 1 and n > batch_size for n in sizes)
        parts = [self.split.train, self.split.validation, self.split.test]
        return {"external_indexing": parts, "drop_last": alone}


@keep_torch_threads()
def compute_components(expression: NDArray | sparse.spmatrix, *, seed: int, scale: bool = False) -> NDArray[np.float64]:
    """Compute principal components of a corrected matrix, shape ``(n_cells, min(30, ...))``.

    Parameters
    ----------
    expression
        Corrected expression, shape ``(n_cells, n_genes)``.
    seed
        Seed of the decomposition.
    scale
        Whether to scale genes to unit variance first.
    """
    adata = AnnData(expression.astype(np.float32, copy=True))
    if scale:
        sc.pp.scale(adata, max_value=10)
    sc.pp.pca(adata, n_comps=min(30, adata.n_obs - 1, adata.n_vars - 1), random_state=seed)
    return np.asarray(adata.obsm["X_pca"], dtype=np.float64)
