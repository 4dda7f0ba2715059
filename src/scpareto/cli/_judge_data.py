"""Open files of cells to judge: small ones are read; the matrices of large ones stay in the file."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from scpareto.cli._data import read_h5ad, report_read_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData
    from mudata import MuData


@contextmanager
def open_cells(path: Path, *, max_cells: int) -> Iterator[AnnData | MuData]:
    """Open a file while it is judged.

    Parameters
    ----------
    path
        An ``.h5ad`` file, or ``.h5mu`` with several modalities.
    max_cells
        ``.h5ad`` files with more cells are not read whole: counts, layers, embeddings and graphs stay in the file. For
        ``.h5mu`` files the matrix ``X`` of each modality always stays in the file.
    """
    import h5py

    if path.suffix == ".h5mu":
        import mudata

        with report_read_errors(path):
            cells = mudata.read_h5mu(path, backed="r")
        yield cells
        return
    with ExitStack() as stack:
        large = False
        with report_read_errors(path):
            if h5py.is_hdf5(path):
                file = stack.enter_context(h5py.File(path, "r"))
                large = _n_cells(file) > max_cells
                cells = _open_in_file(file) if large else None
        if not large:
            stack.close()
            cells = read_h5ad(path)
        yield cells


def _n_cells(file: Any) -> int:
    """Return the number of cells of a file; 0 for older formats, which must be read whole."""
    obs = file.get("obs")
    if obs is None or "encoding-type" not in obs.attrs or "encoding-type" not in file.attrs:
        return 0
    names = obs[obs.attrs["_index"]]
    # With pandas 3 names are nullable text, which is stored as a group of values and a mask.
    return int((names if hasattr(names, "shape") else names["values"]).shape[0])


def _open_in_file(file: Any) -> AnnData:
    """Return cells whose tables are in memory and whose matrices are in the file."""
    from anndata import AnnData
    from anndata.io import read_elem

    def matrices(group: str) -> dict[str, Any]:
        return {key: _matrix(file[group][key]) for key in file.get(group, {})}

    return AnnData(
        X=_matrix(file["X"]) if "X" in file else None,
        obs=read_elem(file["obs"]),
        var=read_elem(file["var"]),
        uns=read_elem(file["uns"]) if "uns" in file else {},
        obsm=matrices("obsm"),
        layers=matrices("layers"),
        obsp=matrices("obsp"),
    )


def _matrix(element: Any) -> Any:
    """Return a CSR or dense matrix that stays in the file; anything else is read."""
    from anndata.io import read_elem, sparse_dataset

    encoding = element.attrs.get("encoding-type", "")
    if encoding == "csr_matrix":
        return sparse_dataset(element)
    return element if encoding == "array" else read_elem(element)
