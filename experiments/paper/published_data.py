"""The published datasets: reading downloaded files, the papers' treatment of them, and the published split.

Counts are read from any of these forms; several files of one dataset are joined by the genes that all have:

- ``.h5ad``, cells by genes;
- ``.csv``, ``.tsv`` or ``.txt``, also gzipped: a row for each gene and a column for each cell, with names;
- a folder of 10x Genomics, with ``matrix.mtx``, ``barcodes.tsv`` and ``genes.tsv`` (or the gzipped files of version 3).
  Its cells are named after the folder and the barcode, ``10X_P7_2_AAACCTG...`` for ``Marrow-10X_P7_2``, as the
  annotations of Tabula Muris do.

Annotations are a table with a row for each cell, whose names are in a column ``cell`` or ``NAME``, or in the first one.
Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))  # the other experiments

import anndata
import numpy as np
import pandas as pd
from generative import log_normalised
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anndata import AnnData

TABLES = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
FEWEST_COUNTS = 100
UNKNOWN = "unknown"
BIPOLAR_TYPES = (
    "BB/GB*",
    "DB1",
    "DB2",
    "DB3a",
    "DB3b",
    "DB4",
    "DB5*",
    "DB6",
    "FMB",
    "IMB",
    "OFFx",
    "RB",
)
# One uint32 for each train/test split, as published; the generator itself is NumPy's present one.
MASTER_SEED = 1011
GENES_PER_PIECE = 2000


def counts_path(text: str) -> Path:
    """Path of counts in one of the forms above, for argparse, which names the option when it is refused."""
    path = Path(text).expanduser()
    if not path.exists():
        raise argparse.ArgumentTypeError(f"{path} does not exist")
    if path.is_dir():
        for name in ("matrix.mtx", "barcodes.tsv"):
            if not any((path / f"{name}{end}").exists() for end in ("", ".gz")):
                raise argparse.ArgumentTypeError(f"the folder {path} holds no {name} or {name}.gz")
    elif path.suffix != ".h5ad" and _separator(path) is None:
        raise argparse.ArgumentTypeError(f"{path} is no .h5ad, .csv, .tsv or .txt file, nor a folder of 10x Genomics")
    return path


def table_path(text: str) -> Path:
    """Path of a table, for argparse."""
    path = Path(text).expanduser()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{path} is no file")
    if _separator(path) is None:
        raise argparse.ArgumentTypeError(f"{path} is no .csv, .tsv or .txt file")
    return path


def read_counts(paths: Sequence[Path]) -> AnnData:
    """Cells of one or several files, by the genes that all of them have; sparse."""
    parts = [_read_one(path) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        if part.var_names.has_duplicates and len(parts) > 1:
            raise SystemExit(f"{path} names {part.var_names[part.var_names.duplicated()][0]!r} more than once.")
    cells = parts[0] if len(parts) == 1 else anndata.concat(parts, join="inner", merge="first")
    if not cells.n_vars:
        raise SystemExit(f"{', '.join(map(str, paths))} have no gene in common.")
    if cells.obs_names.has_duplicates:
        raise SystemExit(f"{cells.obs_names[cells.obs_names.duplicated()][0]!r} is the name of more than one cell.")
    cells.X = sparse.csr_matrix(cells.X, dtype=np.float32)
    return cells


def labels_of(cells: AnnData, annotations: Path | None, key: str) -> pd.Categorical:
    """Annotation of each cell, from a table or from the file of the counts; "unknown" for cells without one."""
    obs = cells.obs
    if annotations is not None:
        obs = pd.read_csv(annotations, sep=_separator(annotations), dtype=str)
        named = next((name for name in obs if str(name).lower() in ("cell", "name")), obs.columns[0])
        obs = obs.drop_duplicates(named).set_index(named)
        if not cells.obs_names.isin(obs.index).any():
            raise SystemExit(
                f"{annotations} holds none of the cells: its first is {obs.index[0]!r}, that of the counts "
                f"{cells.obs_names[0]!r}."
            )
    if key not in obs:
        where = annotations or "the annotation of the cells (adata.obs)"
        raise SystemExit(f"{where} has no column {key!r}; there are {', '.join(map(repr, obs)) or 'none'}.")
    labels = obs[key].astype(object).reindex(cells.obs_names)
    return pd.Categorical(labels.where(labels.notna() & (labels != ""), UNKNOWN).astype(str))


def gene_lengths(path: Path) -> pd.Series:
    """Lengths by gene name, from a table of two columns, with or without a header."""
    table = pd.read_csv(path, sep=None, engine="python", header=None, dtype=str)
    if table.shape[1] < 2:
        raise SystemExit(f"{path} has {table.shape[1]} column; names of genes and their lengths are needed.")
    length = pd.to_numeric(table[1], errors="coerce")
    first = int(length.isna().iloc[0])
    bad = length.iloc[first:].isna()
    if bad.any():
        raise SystemExit(f"{path}: the length of {table[0].iloc[first:][bad].iloc[0]!r} is no number.")
    return pd.Series(length.to_numpy()[first:], index=table[0].iloc[first:]).loc[lambda s: ~s.index.duplicated()]


def treat_marrow(facs: AnnData, droplet: AnnData, lengths: pd.Series) -> AnnData:
    """Tabula Muris marrow as Li et al. (2022) take it: batches facs and droplet, genes of both, integer counts.

    Counts of full-length cells are divided by the length of the gene, multiplied by the mean length and truncated; of
    these cells, those with more than 100 counts stay. Genes are not selected, nor scaled. Where names of a dataset
    differ in case only, the first gene stands for both.
    """
    import scpareto as sp

    facs, lengths = _distinct(facs).copy(), lengths.rename(str.upper)
    facs.var_names = facs.var_names.str.upper()
    facs = sp.pp.normalize_gene_lengths(facs, lengths[~lengths.index.duplicated()])
    facs = facs[_totals(facs) > FEWEST_COUNTS]
    return _joined({"facs": facs, "droplet": droplet}, upper_case=True)


def treat_macaque(fovea: AnnData, periphery: AnnData, types: Sequence[str] = BIPOLAR_TYPES) -> AnnData:
    """Bipolar cells of both regions, which are the batches, and the genes of both.

    The published loader holds the first hundred genes of each region twice; they are held once here.
    """
    regions = {"fovea": fovea, "periphery": periphery}
    for name, cells in regions.items():
        chosen = cells.obs["cell_type"].isin(types).to_numpy()
        if not chosen.any():
            there = ", ".join(map(repr, cells.obs["cell_type"].cat.categories[:40]))
            raise SystemExit(f"no cell of the {name} is of the types {', '.join(types)}; its types are {there}.")
        regions[name] = cells[chosen]
    return _joined(regions, upper_case=False)


def published_split(n_cells: int, batch_size: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Training, validation and test cells, about 80 % for training, in whole minibatches.

    With :math:`q = \lfloor n / b \rfloor` minibatches of :math:`b` cells, training takes
    :math:`8 b \lfloor q / 10 \rfloor + \min(b, 128)\,(q \bmod 10)` cells: the minibatches beyond a multiple of ten all
    go to training, at 128 cells each even where minibatches are of 256, as published. There is no validation set in the
    paper; here a tenth of the other cells is set aside, since a front has one, and decides nothing with the published
    recipe.
    """
    n_batches = n_cells // batch_size
    if n_batches < 10:
        raise ValueError(f"{n_cells} cells are fewer than ten minibatches of {batch_size}; take smaller ones.")
    n_train = 8 * batch_size * (n_batches // 10) + min(batch_size, 128) * (n_batches % 10)
    child = np.random.default_rng(MASTER_SEED).integers(2**32, size=seed + 1, dtype=np.uint32)[seed]
    order = np.random.default_rng(child).permutation(n_cells)
    rest = n_cells - n_train
    n_validation = max(1, rest // 10)
    return np.sort(order[rest:]), np.sort(order[:n_validation]), np.sort(order[n_validation:rest])


def fewer(cells: AnnData, n_cells: int | None) -> AnnData:
    """A random part of the cells, always the same; all where there are no more."""
    if n_cells is None or cells.n_obs <= n_cells:
        return cells
    kept = np.random.default_rng(0).choice(cells.n_obs, n_cells, replace=False)
    return cells[np.sort(kept)].copy()


def log_expression(cells: AnnData, n_genes: int) -> AnnData:
    """Dense log-normalised expression of the most variable genes, from counts; what holds fractions is taken as it is.

    The files that come with MichiGAN are processed already.
    """
    values = cells.X.data
    if (values < 0).any() or (values != np.floor(values)).any():
        cells = cells.copy()
        cells.X = cells.X.toarray()
        return cells
    return log_normalised(cells, n_genes)


@contextmanager
def handed_over(cells: AnnData) -> Iterator[Path]:
    """File with treated cells, for the processes that train, so that none has to treat them again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.h5ad"
        cells.write_h5ad(path)
        yield path


def options(description: str | None, settings: Sequence[str], results: Path) -> argparse.ArgumentParser:
    """Options that all these scripts have."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--setting", choices=settings, default="small")
    parser.add_argument("--seeds", type=int, help="splits or runs; one in the small setting, as published in the full")
    parser.add_argument("--jobs", type=int, default=1, help="processes; 0 runs everything in this one")
    parser.add_argument("--resume", action="store_true", help="go on from the rows that are there")
    parser.add_argument("--results", type=Path, default=results, help="folder of the tables")
    return parser


def _separator(path: Path) -> str | None:
    return TABLES.get(Path(path.stem).suffix if path.suffix == ".gz" else path.suffix)


def _read_one(path: Path) -> AnnData:
    if path.is_dir():
        import scanpy as sc

        cells = sc.read_10x_mtx(path, make_unique=False)
        channel = path.name.partition("-")[2] or path.name
        cells.obs_names = [f"{channel}_{barcode.removesuffix('-1')}" for barcode in cells.obs_names]
        return cells
    if path.suffix == ".h5ad":
        return anndata.read_h5ad(path)
    names, pieces = [], []
    # In pieces, since a table of all genes and cells is many times larger than its counts.
    for piece in pd.read_csv(path, sep=_separator(path), index_col=0, chunksize=GENES_PER_PIECE):
        names += [str(name) for name in piece.index]
        pieces.append(sparse.csc_matrix(piece.to_numpy(dtype=np.float32).T))
        cells = piece.columns.astype(str)
    obs, var = pd.DataFrame(index=cells), pd.DataFrame(index=names)
    return anndata.AnnData(sparse.hstack(pieces, format="csr"), obs=obs, var=var)


def _joined(parts: dict[str, AnnData], *, upper_case: bool) -> AnnData:
    """Parts as batches, with the genes that have counts in each; cells without counts are removed."""
    import scpareto as sp

    for name, part in parts.items():
        if (part.X.data != np.floor(part.X.data)).any():
            raise SystemExit(f"the counts of {name} hold fractions; raw counts are needed.")
    plain = [anndata.AnnData(part.X, obs=part.obs[["cell_type"]], var=part.var[[]]) for part in parts.values()]
    if upper_case:
        plain = [_distinct(part) for part in plain]
    common = dict(zip(parts, sp.pp.intersect_genes(plain, upper_case=upper_case), strict=True))
    cells = anndata.concat(common, label="batch", index_unique="-")
    cells = cells[_totals(cells) > 0].copy()
    # Joining columns of different categories leaves plain text.
    cells.obs["cell_type"] = cells.obs["cell_type"].astype("category")
    return cells


def _distinct(cells: AnnData) -> AnnData:
    return cells[:, ~cells.var_names.str.upper().duplicated()]


def _totals(cells: AnnData) -> np.ndarray:
    return np.asarray(cells.X.sum(axis=1)).ravel()
