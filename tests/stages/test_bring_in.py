"""Soft labels made elsewhere: one store from every format, joined by guid and by class name."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from mtkd.errors import DataError, MtkdError, StoreError
from mtkd.soft_labels import (
    StoreBatch,
    StoreInfo,
    Teacher,
    join,
    read_batches,
    read_store,
    write_store,
)
from mtkd.stages.bring_in import import_soft_labels
from mtkd.stages.data_rows import DataRows, data_rows
from mtkd.task import load_task
from tests.carry_out import carried_out
from tests.soft_labels import foreign_files as files
from tests.soft_labels.stores import edit, set_column

MNLI, RTE, STSB = (load_task(name) for name in ("mnli", "rte", "stsb"))
OLD_ORDER = ("contradiction", "entailment", "neutral")  # of models published before the card's


@pytest.fixture(scope="module")
def rows() -> DataRows:
    """MNLI's training rows of the sample data."""
    return data_rows(MNLI, "train", "sample")


@pytest.fixture(scope="module")
def logits(rows: DataRows) -> NDArray[np.float64]:
    """Of a teacher that is right in nine rows of ten, in the card's order."""
    return confident(rows.gold, 3)


def confident(gold: NDArray[np.float64], classes: int, seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    says = np.where(rng.random(len(gold)) < 0.9, gold, rng.integers(0, classes, len(gold)))
    return rng.normal(0, 0.5, (len(gold), classes)) + 4 * np.eye(classes)[says.astype(int)]


def in_old_order(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[:, [MNLI.labels.index(name) for name in OLD_ORDER]]


def bring(file: Path, data: str = "sample", task: str = "mnli", **options: Any) -> StoreInfo:
    return import_soft_labels(file, task, data, **{"name": "theirs", **options})[1]


def refusal(file: Path, data: str = "sample", task: str = "mnli", **options: Any) -> str:
    """Return what the error says; nothing may have been written."""
    before = sorted(file.parent.iterdir())
    with pytest.raises(MtkdError) as caught:
        bring(file, data, task, **options)
    assert sorted(file.parent.iterdir()) == before
    return str(caught.value)


def only_batch(path: Path) -> StoreBatch:
    (batch,) = read_batches(path)
    return batch


def test_every_format_makes_the_same_store(
    tmp_path: Path, rows: DataRows, logits: NDArray[np.float64]
) -> None:
    guids = rows.guids.to_pylist()[::-1]  # as they come, in another order than the data's
    probs = softmax(in_old_order(logits), axis=1)[::-1]
    found = [bring(write(tmp_path, guids, probs, "probs"), labels=OLD_ORDER)
             for write in files.LISTS]  # fmt: skip
    found += [bring(write(tmp_path, guids, probs, OLD_ORDER), values="probs")
              for write in files.PER_CLASS]  # fmt: skip
    found.append(bring(files.csv_inspect(tmp_path, guids, probs, OLD_ORDER)))
    array, names = files.npy(tmp_path, guids, probs)
    found.append(bring(array, labels=OLD_ORDER, values="probs", guids=names))
    assert len({info.row_groups for info in found}) == 1  # checksums of every value
    assert len(found[0].row_groups) == 1
    teacher = Teacher("theirs", "unknown", found[-1].teachers[0].sha256)
    assert found[-1] == StoreInfo("mnli", "train", MNLI.labels, 1.0, (teacher,), rows.fingerprint,
                                  source="imported", rows=len(guids),
                                  row_groups=found[0].row_groups)  # fmt: skip


def test_an_imported_store_joins_to_the_data_with_the_values_that_were_given(
    tmp_path: Path, rows: DataRows, logits: NDArray[np.float64]
) -> None:
    probs = softmax(logits, axis=1)
    mixed = np.random.default_rng(3).permutation(len(probs))
    file = files.csv_inspect(
        tmp_path, rows.guids.take(mixed).to_pylist(), probs[mixed], MNLI.labels
    )
    place, info = import_soft_labels(file, "mnli", "sample")
    assert place == tmp_path / "mnli-train.soft_labels.parquet"
    assert info.teachers[0].name == "inspect"
    joined = join(read_store(place), MNLI, rows.guids, rows.fingerprint, 1.0)
    assert joined.targets == pytest.approx(probs, abs=1e-6)
    assert joined.known.all()
    assert np.array_equal(only_batch(place).gold, rows.gold)


def test_each_teacher_of_an_array_stays_apart(
    tmp_path: Path, rows: DataRows, logits: NDArray[np.float64]
) -> None:
    both = np.stack([logits, confident(rows.gold, 3, seed=1)], axis=1)
    array, guids = files.npy(tmp_path, rows.guids.to_pylist(), both)
    place, info = import_soft_labels(
        array, "mnli", "sample", labels=MNLI.labels, values="logits", guids=guids, name="them"
    )
    assert [teacher.name for teacher in info.teachers] == ["them-1", "them-2"]
    batch = only_batch(place)
    assert np.array_equal(batch.logits, both.astype(np.float32))
    assert batch.targets == pytest.approx(softmax(both, axis=2).mean(axis=1), abs=1e-6)


def test_scores_are_imported(tmp_path: Path) -> None:
    data = data_rows(STSB, "train", "sample")
    scores = data.gold + 0.25
    file = files.jsonl_lists(tmp_path, data.guids.to_pylist(), scores, "score")
    place, info = import_soft_labels(file, "stsb", "sample")
    assert (info.labels, info.outputs) == ((), 1)
    assert only_batch(place).targets[:, 0] == pytest.approx(scores, abs=1e-6)
    file = files.jsonl_lists(tmp_path, data.guids.to_pylist(), scores / 5, "score")
    assert "another scale" in refusal(file, task="stsb")


# --- the order of classes ---------------------------------------------------------------------


def test_wrong_labels_are_refused_and_the_right_ones_named_and_accepted(
    tmp_path: Path, rows: DataRows, logits: NDArray[np.float64]
) -> None:
    file = files.jsonl_lists(tmp_path, rows.guids.to_pylist(), in_old_order(logits), "logits")
    for wrong in (MNLI.labels, ("neutral", "entailment", "contradiction"), OLD_ORDER[::-1]):
        said = refusal(file, labels=wrong)
        assert "--labels 'contradiction,entailment,neutral'" in said
        assert "itself names" not in said
    assert bring(file, labels=OLD_ORDER).labels == MNLI.labels


def test_wrong_names_of_columns_are_refused(
    tmp_path: Path, rows: DataRows, logits: NDArray[np.float64]
) -> None:
    file = files.csv_per_class(tmp_path, rows.guids.to_pylist(), in_old_order(logits), MNLI.labels)
    said = refusal(file, values="logits")
    assert "bear the wrong names" in said
    assert "correct them in the file" in said
    assert "--labels" not in said


def test_without_gold_labels_the_order_is_taken_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = data_rows(MNLI, "test_matched", "sample")
    assert np.isnan(data.gold).all()
    probs = np.full((len(data.guids), 3), 1 / 3)
    file = files.csv_inspect(tmp_path, data.guids.to_pylist(), probs, MNLI.labels)
    with caplog.at_level(logging.WARNING):
        bring(file, split="test_matched")
    assert "no gold labels" in caplog.text


# --- guids ------------------------------------------------------------------------------------


Change = Callable[[list[str]], Sequence[str]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda g: [*g[:-1], g[0]], "1 guids stand twice or more, first 'mnli/train/0'"),
        (lambda g: [x.rsplit("/")[-1] for x in g], "first '0'; a guid there looks like "
                                                   "'mnli/train/0'"),
        (lambda g: [x.replace("train", "dev") for x in g], "Are --task, --split and --data"),
        (lambda g: [*g[:-1], "mnli/train/x"], "1 of 300 guids are of no row"),
        (lambda g: [f" {x}" for x in g], "first ' mnli/train/0'"),
    ],
)  # fmt: skip
def test_guids_that_do_not_fit_are_refused_even_with_partial(
    tmp_path: Path, rows: DataRows, logits: NDArray[np.float64], change: Change, says: str
) -> None:
    guids = change(rows.guids.to_pylist())
    file = files.jsonl_lists(tmp_path, guids, logits, "logits")
    assert says in refusal(file, labels=MNLI.labels)
    assert says in refusal(file, labels=MNLI.labels, partial=True)


def test_missing_rows_are_refused_or_with_partial_have_no_soft_label(
    tmp_path: Path, rows: DataRows, logits: NDArray[np.float64]
) -> None:
    guids = rows.guids.to_pylist()
    content: list[dict[str, object]] = [
        {"guid": guid, "logits": row} for guid, row in zip(guids, logits.tolist(), strict=True)
    ]
    content[4]["logits"] = None
    del content[2]
    file = files.write_jsonl(tmp_path / "x.jsonl", content[::-1])
    said = refusal(file, labels=MNLI.labels)
    assert "no soft label for 2 of 300 rows" in said
    assert "first mnli/train/2" in said
    place, info = import_soft_labels(file, "mnli", "sample", labels=MNLI.labels, partial=True)
    batch = only_batch(place)
    assert info.rows == 300
    assert np.flatnonzero(~batch.known).tolist() == [2, 4]
    assert np.array_equal(batch.logits[batch.known, 0], logits[batch.known].astype(np.float32))


# --- stores -----------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path, rows: DataRows, logits: NDArray[np.float64]) -> Path:
    """A store of two teachers at temperature 2."""
    teachers = (Teacher("a", "x/y", "00"), Teacher("b", "x/z", "11"))
    info = StoreInfo("mnli", "train", MNLI.labels, 2.0, teachers, rows.fingerprint)
    both = np.stack([logits, confident(rows.gold, 3, seed=1)], axis=1).astype(np.float32)
    write_store(tmp_path / "store.parquet", info, rows.guids.to_pylist(), rows.gold, both)
    return tmp_path / "store.parquet"


def by_pandas(store: Path) -> Path:
    """Write a store again as pandas does, its metadata lost."""
    pd.read_parquet(store).to_parquet(store)
    assert b"mtkd" not in pq.read_schema(store).metadata
    return store


def test_a_whole_store_is_imported_with_its_provenance(store: Path) -> None:
    place, info = import_soft_labels(store, "mnli", "sample")
    assert info.source == "imported"
    assert (info.temperature, [t.name for t in info.teachers]) == (2.0, ["a", "b"])
    assert only_batch(place).sha256() == only_batch(store).sha256()
    assert [t.name for t in bring(store, name="c").teachers] == ["c-1", "c-2"]


def test_a_store_of_other_rows_is_refused(store: Path, rows: DataRows) -> None:
    batch = only_batch(store)
    info = StoreInfo("mnli", "train", MNLI.labels, 2.0, (Teacher("a", "x", "0"),), "f" * 64)
    write_store(store, info, batch.guids.to_pylist(), batch.gold, batch.logits[:, :1])
    assert "data fingerprint" in refusal(store)
    assert "a store of the task mnli, expected rte" in refusal(store, task="rte")
    write_store(store, dataclasses.replace(info, split="dev_matched"), batch.guids.to_pylist(),
                batch.gold, batch.logits[:, :1])  # fmt: skip
    assert "split is dev_matched" in refusal(store)


def test_a_store_that_was_changed_is_not_passed_on_as_whole(store: Path) -> None:
    probs = pq.read_table(store)["probs"].to_pylist()
    probs[0] = probs[0][::-1]
    edit(store, set_column("probs", probs, pa.list_(pa.float32())))
    assert b"mtkd" in pq.read_schema(store).metadata
    assert "not as it was written" in refusal(store)


def test_a_store_that_pandas_wrote_again_is_imported(store: Path) -> None:
    before = only_batch(store)
    by_pandas(store)
    said = refusal(store, labels=MNLI.labels)  # temperature 2 is lost with the metadata
    assert "--values probs" in said
    place, info = import_soft_labels(store, "mnli", "sample", labels=MNLI.labels, values="probs")
    assert info.temperature == 1.0
    assert only_batch(place).targets == pytest.approx(before.targets, abs=1e-6)
    place, info = import_soft_labels(store, "mnli", "sample", labels=MNLI.labels, values="logits")
    assert np.array_equal(only_batch(place).logits, before.logits)
    assert len(info.teachers) == 2


def test_at_temperature_1_pandas_loses_nothing(store: Path, rows: DataRows) -> None:
    before = only_batch(store)
    info = StoreInfo("mnli", "train", MNLI.labels, 1.0, (Teacher("a", "x", "0"),) * 2, "f" * 64)
    write_store(store, info, before.guids.to_pylist(), before.gold, before.logits)
    place, info = import_soft_labels(by_pandas(store), "mnli", "sample", labels=MNLI.labels)
    assert np.array_equal(only_batch(place).logits, before.logits)


def test_a_store_of_scores_that_pandas_wrote_again_is_imported(tmp_path: Path) -> None:
    data = data_rows(STSB, "train", "sample")
    info = StoreInfo("stsb", "train", (), 1.0, (Teacher("a", "x", "0"),) * 2, data.fingerprint)
    scores = np.stack([data.gold, data.gold + 1], axis=1)[:, :, None].astype(np.float32)
    write_store(tmp_path / "s.parquet", info, data.guids.to_pylist(), data.gold, scores)
    place, _ = import_soft_labels(by_pandas(tmp_path / "s.parquet"), "stsb", "sample")
    assert np.array_equal(only_batch(place).logits, scores)


# --- places -----------------------------------------------------------------------------------


def test_the_file_is_never_overwritten(store: Path) -> None:
    content = store.read_bytes()
    link = store.with_name("link.parquet")
    link.symlink_to(store)
    for to in (store, store.parent / ".." / store.parent.name / store.name, link):
        assert "would overwrite" in refusal(store, to=to)
    notes = store.parent / "notes.txt"
    notes.write_text("mine")
    assert "no soft-label store" in refusal(store, to=notes)
    assert notes.read_text() == "mine"
    assert "a folder" in refusal(store, to=store.parent)
    assert store.read_bytes() == content
    assert "no such file" in refusal(store.with_name("nothing.csv"))


def test_an_array_without_guids_is_refused(tmp_path: Path) -> None:
    array, _ = files.npy(tmp_path, ["a"], np.zeros((1, 3)))
    assert "nothing is joined by position" in refusal(array, values="logits", labels=OLD_ORDER)


def test_rows_are_found_in_a_run_and_in_glue_files_alike(
    tmp_path: Path, tiny_recipe: Path, tiny_glue: Path
) -> None:
    glue = Path(shutil.copytree(tiny_glue, tmp_path / "glue"))
    shutil.copy(glue / "RTE" / "test.tsv", glue / "RTE" / "unlabelled.tsv")
    overrides = (f"data.root={glue}", "soft_labels.unlabelled={}")
    run = carried_out(tiny_recipe, tmp_path / "run", *overrides, last="prepare")
    for split in ("train", "dev", "test", "unlabelled"):
        there, here = (data_rows(RTE, split, str(place)) for place in (run.folder, glue))
        assert there.guids.equals(here.guids)
        assert np.array_equal(there.gold, here.gold, equal_nan=True)
        assert there.fingerprint == here.fingerprint
    with pytest.raises(DataError, match="did you mean 'train'"):
        data_rows(RTE, "trian", str(run.folder))
    with pytest.raises(MtkdError, match="no rows of qnli"):
        data_rows(load_task("qnli"), "train", str(run.folder))


@pytest.mark.parametrize(
    ("data", "split", "says"),
    [
        ("nowhere", "train", "expected a run directory, a glue_data folder or 'sample'"),
        ("sample", "trian", "did you mean 'train'"),
        (".", "train", "no such file"),
    ],
)
def test_data_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, split: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MtkdError) as caught:
        data_rows(RTE, split, data)
    assert says in str(caught.value)


def test_a_refusal_is_the_user_s_to_mend(tmp_path: Path) -> None:
    file = files.jsonl_per_class(tmp_path, ["rte/train/0"], np.array([[2.0, 3.0]]), RTE.labels)
    with pytest.raises(StoreError) as caught:
        bring(file, task="rte", values="probs", partial=True)
    assert caught.value.exit_code == 2


def test_soft_labels_of_rows_that_the_data_lack_can_be_left_out_on_purpose(
    tmp_path: Path, rows: DataRows, logits: NDArray[np.float64]
) -> None:
    """As for a run with data.max_rows, from a file for all rows."""
    guids, probs = rows.guids.to_pylist(), softmax(logits, axis=1)
    more = files.csv_inspect(
        tmp_path, [*guids, "mnli/train/x"], np.concatenate([probs, probs[:1]]), MNLI.labels
    )
    assert "--drop-extra" in refusal(more)
    place, info = import_soft_labels(more, "mnli", "sample", drop_extra=True)
    assert info.rows == len(guids)
    np.testing.assert_allclose(read_store(place).targets, probs, atol=1e-5)
