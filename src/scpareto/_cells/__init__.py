"""Cells before any model: their split, how they are read and held, principal components, checks of counts."""

from scpareto._cells._blocks import ROWS, CollectionLayer, as_rows, in_memory, row_blocks, rows_of
from scpareto._cells._components import MOST_FITTED, N_COMPONENTS, principal_components
from scpareto._cells._in_memory import InMemoryBatches, batches
from scpareto._cells._indexed import CELL_INDEX, IndexedDataset, with_cell_index
from scpareto._cells._resident import ResidentDataset, resident_dataset
from scpareto._cells._shape import check_one_type, check_shape
from scpareto._cells._split import MOST_JUDGED, Split, judged_cells, stratified_split
from scpareto._cells._validate import check_anndata, check_counts, holds_counts

__all__ = [
    "CELL_INDEX",
    "MOST_FITTED",
    "MOST_JUDGED",
    "N_COMPONENTS",
    "ROWS",
    "CollectionLayer",
    "InMemoryBatches",
    "IndexedDataset",
    "ResidentDataset",
    "Split",
    "as_rows",
    "batches",
    "check_anndata",
    "check_counts",
    "check_one_type",
    "check_shape",
    "holds_counts",
    "in_memory",
    "judged_cells",
    "principal_components",
    "resident_dataset",
    "row_blocks",
    "rows_of",
    "stratified_split",
    "with_cell_index",
]
