"""Files of cells to judge: small ones are read, of large ones the matrices stay in the file."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from scpareto.cli._data import read, readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData
    from mudata import MuData


@contextmanager
def opened(path: Path, *, most: int) -> Iterator[AnnData | MuData]:
    """Open a file for as long as it is judged.

    Parameters
    ----------
    path
        An ``.h5ad`` file, or ``.h5mu`` with several modalities.
    most
        Cells up to which an ``.h5ad`` file is read whole. Of a larger one counts, layers, embeddings and graphs stay in
        the file; of ``.h5mu`` files the matrix ``X`` of each modality does.
    """
    import h5py

    if path.suffix == ".h5mu":
        import mudata

        with readable(path):
            cells = mudata.read_h5mu(path, backed="r")
        yield cells
        return
    with ExitStack() as kept_open:
        large = False
        with readable(path):
            if h5py.is_hdf5(path):
                file = kept_open.enter_context(h5py.File(path, "r"))
                large = _n_cells(file) > most
                cells = _in_file(file) if large else None
        if not large:
            kept_open.close()
            cells = read(path)
        yield cells


def _n_cells(file: Any) -> int:
    """Cells of a file; 0 where it is of a kind that only a whole reading understands."""
    obs = file.get("obs")
    if obs is None or "encoding-type" not in obs.attrs or "encoding-type" not in file.attrs:
        return 0
    names = obs[obs.attrs["_index"]]
    # Text that may be missing is a group of values and a mask: what pandas 3 makes of names.
    return int((names if hasattr(names, "shape") else names["values"]).shape[0])


def _in_file(file: Any) -> AnnData:
    """Cells whose tables are in memory and whose matrices are in the file."""
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
    """Sparse or dense matrix of a file, of which rows are read; anything else is read."""
    from anndata.io import read_elem, sparse_dataset

    kind = element.attrs.get("encoding-type", "")
    if kind == "csr_matrix":
        return sparse_dataset(element)
    return element if kind == "array" else read_elem(element)
