"""The committed sample: reproducible, small, official in format, clean of leaks, not trivial."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mtkd.data
import pytest
from mtkd.data.formats import file_name
from mtkd.data.generate import write
from mtkd.data.sample import LABEL_NOISE, ROWS, SCORE_NOISE, SEED, TASKS, Row, Task, draw
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

SAMPLE = Path(mtkd.data.__file__).parent / "sample"
FILES = sorted(str(path.relative_to(SAMPLE)) for path in SAMPLE.glob("*/*.tsv"))
CLASSIFICATION = [task for task in TASKS if task.labels]
MNLI_TEST = (
    "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse "
    "sentence1_parse sentence2_parse sentence1 sentence2"
)
STSB_TEST = "index genre filename year old_index source1 source2 sentence1 sentence2"
HEADERS = {
    "CoLA/test.tsv": "index sentence",
    "SST-2/train.tsv": "sentence label",
    "SST-2/dev.tsv": "sentence label",
    "SST-2/test.tsv": "index sentence",
    "STS-B/train.tsv": f"{STSB_TEST} score",
    "STS-B/dev.tsv": f"{STSB_TEST} score",
    "STS-B/test.tsv": STSB_TEST,
    "QQP/train.tsv": "id qid1 qid2 question1 question2 is_duplicate",
    "QQP/dev.tsv": "id qid1 qid2 question1 question2 is_duplicate",
    "QQP/test.tsv": "id question1 question2",
    "MNLI/train.tsv": f"{MNLI_TEST} label1 gold_label",
    "MNLI/dev_matched.tsv": f"{MNLI_TEST} label1 label2 label3 label4 label5 gold_label",
    "MNLI/dev_mismatched.tsv": f"{MNLI_TEST} label1 label2 label3 label4 label5 gold_label",
    "MNLI/test_matched.tsv": MNLI_TEST,
    "MNLI/test_mismatched.tsv": MNLI_TEST,
    "QNLI/train.tsv": "index question sentence label",
    "QNLI/dev.tsv": "index question sentence label",
    "QNLI/test.tsv": "index question sentence",
    "RTE/train.tsv": "index sentence1 sentence2 label",
    "RTE/dev.tsv": "index sentence1 sentence2 label",
    "RTE/test.tsv": "index sentence1 sentence2",
    "WNLI/train.tsv": "index sentence1 sentence2 label",
    "WNLI/dev.tsv": "index sentence1 sentence2 label",
    "WNLI/test.tsv": "index sentence1 sentence2",
    "diagnostic/diagnostic.tsv": "index sentence1 sentence2",
}


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, list[Row]]]:
    return {task.folder: dict(draw(task)) for task in TASKS}


def _lines(name: str) -> list[str]:
    return (SAMPLE / name).read_bytes().decode().removesuffix("\n").split("\n")


def _named(task: Task) -> str:
    return task.folder


def test_the_generator_writes_the_committed_bytes(tmp_path: Path) -> None:
    write(tmp_path)
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*.tsv"))
    assert written == FILES
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes(), name


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_command_does_not_depend_on_the_hash_seed(tmp_path: Path, hash_seed: str) -> None:
    command = [sys.executable, "-m", "mtkd.data.generate", "--to", str(tmp_path)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed})
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes(), name


def test_another_seed_writes_other_rows() -> None:
    for task in TASKS:
        _, ours = next(draw(task))
        _, others = next(draw(task, SEED + 1))
        assert not {row.texts for row in ours} >= {row.texts for row in others}, task.folder


def test_the_sample_is_smaller_than_two_megabytes() -> None:
    assert sum((SAMPLE / name).stat().st_size for name in FILES) < 2_000_000


@pytest.mark.parametrize("name", FILES)
def test_row_counts_are_as_stated(name: str) -> None:
    header = 0 if name in ("CoLA/train.tsv", "CoLA/dev.tsv") else 1
    split = Path(name).stem.split("_")[0]
    assert len(_lines(name)) == ROWS[split] + header


@pytest.mark.parametrize("name", HEADERS)
def test_headers_are_the_official_ones(name: str) -> None:
    assert _lines(name)[0].split("\t") == HEADERS[name].split()


@pytest.mark.parametrize("split", ["train", "dev"])
def test_mrpc_begins_with_a_byte_order_mark(split: str) -> None:
    header = b"\xef\xbb\xbfQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    assert (SAMPLE / f"MRPC/{split}.tsv").read_bytes().startswith(header)


def test_mrpc_test_has_no_byte_order_mark() -> None:
    header = b"index\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    assert (SAMPLE / "MRPC/test.tsv").read_bytes().startswith(header)


@pytest.mark.parametrize("task", ["MNLI", "QQP", "QNLI", "RTE"])
def test_unlabelled_rows_are_laid_out_like_the_test_file(task: str) -> None:
    test = "test_matched" if task == "MNLI" else "test"
    assert _lines(f"{task}/unlabelled.tsv")[0] == _lines(f"{task}/{test}.tsv")[0]


@pytest.mark.parametrize("name", FILES)
def test_every_line_has_as_many_fields_as_the_first(name: str) -> None:
    lines = _lines(name)
    assert {line.count("\t") for line in lines} == {lines[0].count("\t")}
    assert not any("\r" in line for line in lines)


@pytest.mark.parametrize("task", TASKS, ids=_named)
def test_readers_meet_stray_quotes_and_names_beyond_ascii(task: Task) -> None:
    text = "\n".join(_lines(f"{task.folder}/train.tsv"))
    assert any(line.count('"') % 2 for line in text.split("\n"))
    assert not text.isascii()


@pytest.mark.parametrize("task", TASKS, ids=_named)
def test_no_texts_occur_twice_within_or_across_splits(
    task: Task, rows: dict[str, dict[str, list[Row]]]
) -> None:
    keys = [
        tuple(sorted(texts) if task.symmetric else texts)
        for split in rows[task.folder].values()
        for texts in (tuple(text.strip('"') for text in row.texts) for row in split)
    ]
    assert len(set(keys)) == len(keys)


def test_mismatched_rows_speak_of_other_domains(rows: dict[str, dict[str, list[Row]]]) -> None:
    domains = {split: {row.domain for row in found} for split, found in rows["MNLI"].items()}
    assert domains["train"] == domains["dev_matched"] == domains["test_matched"]
    assert domains["train"].isdisjoint(domains["dev_mismatched"] | domains["test_mismatched"])


@pytest.mark.parametrize("task", CLASSIFICATION, ids=_named)
def test_the_stated_share_of_training_labels_is_wrong_and_no_other(
    task: Task, rows: dict[str, dict[str, list[Row]]]
) -> None:
    for split, found in rows[task.folder].items():
        wrong = sum(row.label != row.clean for row in found)
        assert wrong == (round(LABEL_NOISE * len(found)) if split == "train" else 0), split


def test_only_training_scores_are_jittered(rows: dict[str, dict[str, list[Row]]]) -> None:
    splits = rows["STS-B"]
    off = [float(row.label) - float(row.clean) for row in splits["train"]]
    spread = (sum(error**2 for error in off) / len(off)) ** 0.5
    assert spread == pytest.approx(SCORE_NOISE, rel=0.25)  # less than stated: 0 and 5 are walls
    assert all(0 <= float(row.label) <= 5 for row in splits["train"])
    assert all(row.label == row.clean for row in splits["dev"])


@pytest.mark.parametrize("task", CLASSIFICATION, ids=_named)
def test_clean_labels_are_dealt_as_stated(
    task: Task, rows: dict[str, dict[str, list[Row]]]
) -> None:
    for found in rows[task.folder].values():
        for name in set(task.labels):
            expected = len(found) * task.labels.count(name) / len(task.labels)
            assert sum(row.clean == name for row in found) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("task", CLASSIFICATION, ids=_named)
def test_a_bag_of_words_does_not_solve_the_task(
    task: Task, rows: dict[str, dict[str, list[Row]]]
) -> None:
    train = rows[task.folder]["train"]
    dev = rows[task.folder].get("dev") or rows[task.folder]["dev_matched"]
    vectorizer = CountVectorizer(token_pattern=r"\b\w+\b")
    counts = vectorizer.fit_transform(" ".join(row.texts) for row in train)
    model = LogisticRegression(max_iter=1000).fit(counts, [row.label for row in train])
    unseen = vectorizer.transform(" ".join(row.texts) for row in dev)
    assert model.score(unseen, [row.clean for row in dev]) < 0.75


def test_the_diagnostic_file_lies_in_a_folder_of_its_own() -> None:
    assert file_name("MNLI", "diagnostic") == "diagnostic/diagnostic.tsv"
    assert set(FILES) >= set(HEADERS)
