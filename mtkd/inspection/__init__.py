"""What a soft-label store says: how good, how sure and how much of one mind the teachers are."""

from mtkd.inspection.choose import choose_rows
from mtkd.inspection.compare import Comparison, compare_stores
from mtkd.inspection.comparison_tables import comparison_blocks
from mtkd.inspection.csv_file import write_csv, write_selections_csv
from mtkd.inspection.find import find_stores, guids_by_store
from mtkd.inspection.label_errors import LabelErrors, label_errors
from mtkd.inspection.report import StoreReport, inspect_store
from mtkd.inspection.row_tables import rows_table
from mtkd.inspection.rows import Row, rows_of
from mtkd.inspection.selection import Selection
from mtkd.inspection.stream import Chunk, chunks
from mtkd.inspection.tables import Block, report_blocks
from mtkd.inspection.texts import default_data, texts_of

__all__ = [
    "Block",
    "Chunk",
    "Comparison",
    "LabelErrors",
    "Row",
    "Selection",
    "StoreReport",
    "choose_rows",
    "chunks",
    "compare_stores",
    "comparison_blocks",
    "default_data",
    "find_stores",
    "guids_by_store",
    "inspect_store",
    "label_errors",
    "report_blocks",
    "rows_of",
    "rows_table",
    "texts_of",
    "write_csv",
    "write_selections_csv",
]
