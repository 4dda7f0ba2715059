"""Cells before any model: splitting, reading and holding them, principal components, checks of counts."""

from scpareto._cells._annbatch import AnnbatchStream, batch_of_rows, is_annbatch
from scpareto._cells._blocks import ROWS, CollectionLayer, as_row_matrix, is_in_memory, read_rows, row_blocks
from scpareto._cells._columns import check_categories, check_column, check_numbers, is_continuous, parse_key, parse_keys
from scpareto._cells._components import MAX_FITTED_CELLS, N_COMPONENTS, principal_components
from scpareto._cells._genes import check_genes
from scpareto._cells._held import HeldCells
from scpareto._cells._in_memory import InMemoryBatches, make_batches
from scpareto._cells._indexed import CELL_INDEX, IndexedDataset, add_cell_index
from scpareto._cells._matrix import get_matrix, to_canonical
from scpareto._cells._minibatch import MinibatchFormat
from scpareto._cells._names import format_names, rows_by_name, split_by_name, values_by_name
from scpareto._cells._nearest_population import NearestPopulation
from scpareto._cells._notes import check_key_added, read_records, write_codes, write_record
from scpareto._cells._resident import ResidentDataset, resident_dataset
from scpareto._cells._shape import check_annotated, check_one_type, check_shape
from scpareto._cells._split import (
    MAX_JUDGED_CELLS,
    Split,
    ordered_split,
    sample_judged_cells,
    split_in_two,
    stratified_split,
)
from scpareto._cells._stream import Stream
from scpareto._cells._validate import check_anndata, check_counts, holds_counts

__all__ = [
    "CELL_INDEX",
    "MAX_FITTED_CELLS",
    "MAX_JUDGED_CELLS",
    "N_COMPONENTS",
    "ROWS",
    "AnnbatchStream",
    "CollectionLayer",
    "HeldCells",
    "InMemoryBatches",
    "IndexedDataset",
    "MinibatchFormat",
    "NearestPopulation",
    "ResidentDataset",
    "Split",
    "Stream",
    "add_cell_index",
    "as_row_matrix",
    "batch_of_rows",
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
    "format_names",
    "get_matrix",
    "holds_counts",
    "is_annbatch",
    "is_continuous",
    "is_in_memory",
    "make_batches",
    "ordered_split",
    "parse_key",
    "parse_keys",
    "principal_components",
    "read_records",
    "read_rows",
    "resident_dataset",
    "row_blocks",
    "rows_by_name",
    "sample_judged_cells",
    "split_by_name",
    "split_in_two",
    "stratified_split",
    "to_canonical",
    "values_by_name",
    "write_codes",
    "write_record",
]
