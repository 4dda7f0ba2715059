"""Cells before any model: their split, how they are read and held, principal components, checks of counts."""

from scpareto._cells._annbatch import AnnbatchStream, batch_of_rows, is_annbatch
from scpareto._cells._blocks import ROWS, CollectionLayer, as_rows, in_memory, row_blocks, rows_of
from scpareto._cells._columns import check_categories, check_column, check_numbers, is_continuous, key_of, keys_of
from scpareto._cells._components import MOST_FITTED, N_COMPONENTS, principal_components
from scpareto._cells._genes import check_genes
from scpareto._cells._held import HeldCells
from scpareto._cells._in_memory import InMemoryBatches, batches
from scpareto._cells._indexed import CELL_INDEX, IndexedDataset, with_cell_index
from scpareto._cells._matrix import in_order, matrix_of
from scpareto._cells._minibatch import Expected
from scpareto._cells._names import listed, rows_by_name, split_by_name, values_by_name
from scpareto._cells._notes import check_key_added, note, records, write_codes
from scpareto._cells._resident import ResidentDataset, resident_dataset
from scpareto._cells._shape import check_annotated, check_one_type, check_shape
from scpareto._cells._split import MOST_JUDGED, Split, judged_cells, ordered_split, parted, stratified_split
from scpareto._cells._stand_ins import StandIns
from scpareto._cells._stream import Stream
from scpareto._cells._validate import check_anndata, check_counts, holds_counts

__all__ = [
    "CELL_INDEX",
    "MOST_FITTED",
    "MOST_JUDGED",
    "N_COMPONENTS",
    "ROWS",
    "AnnbatchStream",
    "CollectionLayer",
    "Expected",
    "HeldCells",
    "InMemoryBatches",
    "IndexedDataset",
    "ResidentDataset",
    "Split",
    "StandIns",
    "Stream",
    "as_rows",
    "batch_of_rows",
    "batches",
    "check_anndata",
    "check_annotated",
    "check_categories",
    "check_column",
    "check_counts",
    "check_genes",
    "check_key_added",
    "check_numbers",
    "check_one_type",
    "check_shape",
    "holds_counts",
    "in_memory",
    "in_order",
    "is_annbatch",
    "is_continuous",
    "judged_cells",
    "key_of",
    "keys_of",
    "listed",
    "matrix_of",
    "note",
    "ordered_split",
    "parted",
    "principal_components",
    "records",
    "resident_dataset",
    "row_blocks",
    "rows_by_name",
    "rows_of",
    "split_by_name",
    "stratified_split",
    "values_by_name",
    "with_cell_index",
    "write_codes",
]
