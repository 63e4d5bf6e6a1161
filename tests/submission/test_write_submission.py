"""What is written is what the logits say, in the server's words, to the same bytes."""

from __future__ import annotations

import hashlib
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mtkd.errors import CardError, Diverged, ShapeError, SubmissionError
from mtkd.submission import validate, write_submission, zip_submission
from mtkd.task import Task, load_task, task_names

TASKS = [load_task(name) for name in task_names()]
OFFICIAL_ROWS = {
    "AX.tsv": 1104,
    "CoLA.tsv": 1063,
    "MNLI-m.tsv": 9796,
    "MNLI-mm.tsv": 9847,
    "MRPC.tsv": 1725,
    "QNLI.tsv": 5463,
    "QQP.tsv": 390965,
    "RTE.tsv": 3000,
    "SST-2.tsv": 1821,
    "STS-B.tsv": 1379,
    "WNLI.tsv": 146,
}
NLI = {"entailment": "entailment", "neutral": "neutral", "contradiction": "contradiction"}
TWO_WAY = {"entailment": "entailment", "not_entailment": "not_entailment"}
SERVER_WORDS = {
    "ax": NLI,
    "cola": {"unacceptable": "0", "acceptable": "1"},
    "mnli": NLI,
    "mrpc": {"not_equivalent": "0", "equivalent": "1"},
    "qnli": TWO_WAY,
    "qqp": {"not_duplicate": "0", "duplicate": "1"},
    "rte": TWO_WAY,
    "sst2": {"negative": "0", "positive": "1"},
    "wnli": {"not_entailment": "0", "entailment": "1"},
}


def written(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text("utf-8").splitlines()]


def test_all_eleven_files_of_official_size_pass_the_validator(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    predictions = {
        file.file: (
            [str(i) for i in range(OFFICIAL_ROWS[file.file])],
            generator.normal(2, 2, (OFFICIAL_ROWS[file.file], task.num_outputs)),
        )
        for task in TASKS
        for file in task.submission
    }
    assert predictions.keys() == OFFICIAL_ROWS.keys()
    start = time.perf_counter()
    paths = write_submission(tmp_path / "sent", predictions, TASKS)
    reports = [validate(tmp_path / "sent")]
    reports.append(validate(zip_submission(tmp_path / "sent", tmp_path / "sent.zip")))
    assert time.perf_counter() - start < 20  # seconds; 425,000 rows
    assert sorted(path.name for path in paths) == sorted(OFFICIAL_ROWS)
    for report in reports:
        assert report.problems == ()
        assert report.complete
        assert {file.file: file.rows for file in report.files} == OFFICIAL_ROWS


@pytest.mark.parametrize("name", sorted(SERVER_WORDS))
def test_each_class_is_written_as_the_server_calls_it(tmp_path: Path, name: str) -> None:
    """A permuted label list would train, score and submit without a word."""
    task, words = load_task(name), SERVER_WORDS[name]
    ids = [str(i) for i in range(len(task.labels))]
    for file in task.submission:
        [path] = write_submission(tmp_path, {file.file: (ids, np.eye(len(ids)))}, [task])
        expected = [[i, words[label]] for i, label in zip(ids, task.labels, strict=True)]
        assert written(path) == [["index", "prediction"], *expected]


def test_words_follow_the_order_of_the_card_whatever_it_is(tmp_path: Path) -> None:
    content = load_task("rte").model_dump()
    content["labels"] = content["submission"][0]["labels"] = ("not_entailment", "entailment")
    task = Task.model_validate(content)
    [path] = write_submission(tmp_path, {"RTE.tsv": (["0"], np.array([[0.0, 1.0]]))}, [task])
    assert written(path)[1] == ["0", "entailment"]


def test_scores_are_clipped_and_not_an_argmax(tmp_path: Path) -> None:
    logits = np.array([[-0.3], [5.7], [3.14159], [-0.0], [-0.0001]], dtype=np.float32)
    ids = [str(i) for i in range(5)]
    [path] = write_submission(tmp_path, {"STS-B.tsv": (ids, logits)}, TASKS)
    assert [row[1] for row in written(path)[1:]] == ["0.000", "5.000", "3.142", "0.000", "0.000"]


def test_indices_are_those_given_in_their_order(tmp_path: Path) -> None:
    [path] = write_submission(tmp_path, {"WNLI.tsv": (["7", "3"], np.eye(2))}, TASKS)
    assert written(path)[1:] == [["7", "0"], ["3", "1"]]


@pytest.mark.parametrize(
    ("name", "ids", "logits", "error", "said"),
    [
        ("rte.tsv", ["0"], np.zeros((1, 2)), SubmissionError, "did you mean 'RTE.tsv'"),
        ("RTE.tsv", ["0", "1", "0"], np.zeros((3, 2)), SubmissionError, "RTE.tsv: .* as '0'"),
        ("RTE.tsv", ["0", "1"], np.zeros((3, 2)), ShapeError, "3 rows of logits for 2 ids"),
        ("RTE.tsv", ["0"], np.zeros((1, 3)), ShapeError, "rte: expected logits of shape"),
        ("STS-B.tsv", ["0"], np.zeros((1, 2)), ShapeError, "stsb: expected logits of shape"),
        ("STS-B.tsv", ["0"], np.array([[np.nan]]), Diverged, "NaN"),
        ("RTE.tsv", ["0"], np.array([[np.nan, 1]]), Diverged, "NaN"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str, ids: list[str], logits: np.ndarray, error: type, said: str
) -> None:
    with pytest.raises(error, match=said):
        write_submission(
            tmp_path, {"WNLI.tsv": (["0"], np.zeros((1, 2))), name: (ids, logits)}, TASKS
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("index", ["0\t1", "0\n1\tentailment", "0\r", "\x1b[2J", "\u2028"])
def test_an_index_can_forge_no_line_or_column(tmp_path: Path, index: str) -> None:
    with pytest.raises(SubmissionError, match=r"RTE\.tsv: expected an index and a prediction") as e:
        write_submission(tmp_path / "sent", {"RTE.tsv": ([index], np.zeros((1, 2)))}, TASKS)
    assert str(e.value).isprintable()
    assert not (tmp_path / "sent").exists()


def test_files_without_predictions_are_left_out_or_filled_with_the_majority(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    rte = {"RTE.tsv": ([str(i) for i in range(3000)], generator.normal(size=(3000, 2)))}
    assert len(write_submission(tmp_path / "part", rte, TASKS)) == 1
    part = validate(tmp_path / "part")
    assert (part.valid, part.complete, len(part.missing)) == (True, False, 10)
    write_submission(tmp_path / "all", rte, TASKS, fill_missing=True)
    assert validate(tmp_path / "all").complete
    same = [folder / "RTE.tsv" for folder in (tmp_path / "part", tmp_path / "all")]
    assert same[0].read_bytes() == same[1].read_bytes()
    assert {row[1] for row in written(tmp_path / "all" / "QQP.tsv")[1:]} == {"0"}
    assert {row[1] for row in written(tmp_path / "all" / "STS-B.tsv")[1:]} == {"2.701"}


def test_a_card_without_a_majority_cannot_be_filled(tmp_path: Path) -> None:
    content = load_task("rte").model_dump()
    content["submission"][0]["majority"] = None
    with pytest.raises(CardError, match="rte: the card names no `majority`"):
        write_submission(tmp_path, {}, [Task.model_validate(content)], fill_missing=True)


def test_a_zip_is_flat_sorted_and_the_same_bytes_each_time(folder: Path, tmp_path: Path) -> None:
    (folder / "manifest.json").write_text("{}")
    first = zip_submission(folder, tmp_path / "a.zip").read_bytes()
    time.sleep(0.01)
    for path in folder.iterdir():
        path.touch()
    assert zip_submission(folder, tmp_path / "b.zip").read_bytes() == first
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
        assert names == ["MNLI-m.tsv", "MNLI-mm.tsv", "RTE.tsv", "STS-B.tsv"]
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        for name in names:
            assert archive.read(name) == (folder / name).read_bytes()


def test_an_empty_folder_makes_no_zip(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match=r"expected \.tsv files to zip"):
        zip_submission(tmp_path, tmp_path / "sent.zip")


def test_the_same_logits_make_the_same_bytes(tmp_path: Path) -> None:
    ids, logits = ["0", "1"], np.array([[2.5004999], [1e-9]], dtype=np.float32)
    digests = set()
    for name in ("a", "b"):
        [path] = write_submission(tmp_path / name, {"STS-B.tsv": (ids, logits)}, TASKS)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert path.read_bytes() == b"index\tprediction\n0\t2.500\n1\t0.000\n"
    assert len(digests) == 1
