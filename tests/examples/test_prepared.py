"""A batch has the tokens of the rows asked for, wherever in which file they lie."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from mtkd.examples.prepared import PreparedSplit
from tests.rows import RTE, make_examples, prepare


@pytest.mark.parametrize("chunk", [1, 5, 23, 1000])
def test_rows_of_all_chunks_and_files_are_found(
    tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(importlib.import_module("mtkd.examples.tokenise"), "_CHUNK", chunk)
    paths = [tmp_path / "one.arrow", tmp_path / "two.arrow"]
    for path, count in zip(paths, (23, 7), strict=True):
        prepare(make_examples(RTE, count), tiny_encoder, path)
    split = PreparedSplit(paths, pad_token_id=0)
    expected = list(split.dataset["input_ids"])  # as datasets reads them
    segments = list(split.dataset["segments"])
    assert len({tuple(row) for row in expected}) > 15  # rows could be told apart
    for rows in ([*range(30)], [*range(29, -1, -1)], [4, 5, 22, 23, 0, 29, 5]):
        batch = split.batch(rows)
        for place, row in enumerate(rows):
            length = int(batch["attention_mask"][place].sum())
            assert batch["input_ids"][place, :length].tolist() == expected[row]
            assert batch["segments"][place, :length].tolist() == segments[row]
