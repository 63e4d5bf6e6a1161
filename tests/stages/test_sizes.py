"""What a smaller student saves is counted and timed of what its heads read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtkd.model import build_model
from mtkd.recipe import EncoderSettings, HeadSettings
from mtkd.stages.sizes import _read_part, size_cells
from tests.rows import RTE


def test_times_are_those_of_the_slowest_over_each_and_rows_a_second_of_32() -> None:
    content = {
        "parameters": {"student": 1_500_000, "teacher": 22_700_000},
        "milliseconds": {"student": {"1": 2.0, "32": 16.0}, "teacher": {"1": 5.0, "32": 40.0}},
    }
    header, rows = size_cells(content)
    assert [dict(zip(header, row, strict=True)) for row in rows] == [
        {"encoder": "student", "parameters": "1.5M", "ms, 1": "2.0", "ms, 32": "16.0",
         "rows/s, 32": "2000", "times as fast, 1": "2.50"},
        {"encoder": "teacher", "parameters": "22.7M", "ms, 1": "5.0", "ms, 32": "40.0",
         "rows/s, 32": "800", "times as fast, 1": "1.00"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("head", "read"),
    [({"pooling": "first"}, True), ({"pooling": "mean"}, False), ({"type": "san"}, False)],
)
def test_a_pooler_counts_where_a_head_reads_it(
    head: dict[str, str], read: bool, tiny_encoder: str, tmp_path: Path
) -> None:
    heads = {"rte": HeadSettings.model_validate(head)}
    model = build_model(EncoderSettings(encoder=tiny_encoder), {"rte": RTE}, heads, 1)
    pooler = sum(weight.numel() for weight in model.encoder.pooler.parameters())
    whole = model.encoder.num_parameters()
    assert _read_part(model).num_parameters() == whole - (0 if read else pooler)
