"""Texts come from the data that the store was made from, or not at all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from mtkd.encoders import load_tokenizer
from mtkd.errors import DataError, RunDirError, StoreError
from mtkd.examples import Example, fingerprint, read_examples, tokenise
from mtkd.inspection.texts import default_data, texts_of
from mtkd.recipe import DataSettings
from mtkd.soft_labels import StoreInfo
from tests.inspection.made import info, store
from tests.rows import RTE, make_examples

ROWS = make_examples(RTE, 30)


def rte(rows: list[Example], split: str = "train") -> StoreInfo:
    return info(RTE.labels, task="rte", split=split, data_fingerprint=fingerprint(rows))


def prepared(run: Path, encoder: str, rows: list[Example], name: str = "encoder") -> Path:
    """Lay rows out as `prepare` does."""
    folder = run / "prepared" / name / "rte"
    split = tokenise(rows, load_tokenizer(encoder), 64, folder / "train.arrow")
    content = {"encoder": encoder, "splits": {"train": dataclasses.asdict(split)}}
    (folder / "info.json").write_text(json.dumps(content))
    return run


def test_a_run_gives_the_texts_of_its_rows(tmp_path: Path, tiny_encoder: str) -> None:
    run = prepared(tmp_path, tiny_encoder, ROWS)
    wanted = [ROWS[7], ROWS[29]]
    found = texts_of(str(run), rte(ROWS), [row.guid for row in wanted])
    assert found == {row.guid: row.texts for row in wanted}


def test_of_several_encoders_one_with_the_stores_data_is_read(
    tmp_path: Path, tiny_encoder: str
) -> None:
    others = make_examples(RTE, 30, seed=1)
    prepared(tmp_path, tiny_encoder, others, "a")
    run = prepared(tmp_path, tiny_encoder, ROWS, "b")
    assert texts_of(str(run), rte(ROWS), [ROWS[0].guid]) == {ROWS[0].guid: ROWS[0].texts}


def test_other_data_than_the_stores_are_refused_even_with_the_same_guids(
    tmp_path: Path, tiny_encoder: str
) -> None:
    run = prepared(tmp_path, tiny_encoder, make_examples(RTE, 30, seed=1))
    with pytest.raises(StoreError, match=r"data fingerprint .* give the run that"):
        texts_of(str(run), rte(ROWS), [ROWS[0].guid])


def test_files_of_glue_and_the_sample_are_read_and_compared(tiny_glue: Path) -> None:
    for data, settings in (
        (str(tiny_glue), DataSettings(root=str(tiny_glue))),
        ("sample", DataSettings(source="sample")),
    ):
        rows = list(read_examples(RTE, "dev", settings))
        found = texts_of(data, rte(rows, "dev"), [rows[3].guid])
        assert found == {rows[3].guid: rows[3].texts}
        with pytest.raises(StoreError, match="max_rows"):
            texts_of(data, rte(rows[:-1], "dev"), [rows[3].guid])


def test_a_card_of_ones_own_says_where_its_files_are(tmp_path: Path) -> None:
    from mtkd.task import load_task

    (tmp_path / "t.tsv").write_text("text\tlabel\n" + "".join(f"row {i}\ta\n" for i in range(5)))
    card = tmp_path / "own.yaml"
    card.write_text(
        "{name: own, title: t, kind: classification, texts: [text], labels: [a, b], "
        "metrics: [accuracy], files: {train: {path: t.tsv}, dev: {path: t.tsv}}}"
    )
    rows = list(read_examples(load_task(card), "train", DataSettings()))
    own = info(("a", "b"), task="own", data_fingerprint=fingerprint(rows))
    assert texts_of(str(tmp_path), own, ["own/train/2"], card) == {"own/train/2": ("row 2",)}
    with pytest.raises(DataError, match=r"own is no built-in task.*run directory"):
        texts_of(str(tmp_path), own, ["own/train/2"])


def test_what_is_no_data_is_refused_with_what_to_do(tmp_path: Path, tiny_encoder: str) -> None:
    with pytest.raises(RunDirError, match="'sample'"):
        texts_of(str(tmp_path / "nothing"), rte(ROWS), [ROWS[0].guid])
    run = prepared(tmp_path, tiny_encoder, ROWS)
    with pytest.raises(RunDirError, match="no rows of rte/dev"):
        texts_of(str(run), rte(ROWS, "dev"), [ROWS[0].guid])
    arrow = run / "prepared" / "encoder" / "rte" / "train.arrow"
    arrow.write_bytes(arrow.read_bytes()[:100])
    with pytest.raises((RunDirError, StoreError), match="prepare"):
        texts_of(str(run), rte(ROWS), [ROWS[0].guid])
    arrow.with_name("info.json").write_text("{}")
    with pytest.raises(RunDirError, match=r"info.json: cannot be read"):
        texts_of(str(run), rte(ROWS), [ROWS[0].guid])


def test_a_store_in_a_run_knows_its_data(tmp_path: Path) -> None:
    inside = store(tmp_path / "run" / "soft_labels" / "rte" / "train.parquet", rows=3)
    assert default_data(inside) is None  # no prepared rows there
    (tmp_path / "run" / "prepared").mkdir()
    assert default_data(inside) == str((tmp_path / "run").resolve())
    assert default_data(store(tmp_path / "train.parquet", rows=3)) is None
