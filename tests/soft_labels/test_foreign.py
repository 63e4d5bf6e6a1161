"""Files of soft labels made elsewhere: what they are read as, and what they leave open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from mtkd.errors import DataError, StoreError
from mtkd.soft_labels import foreign_rows
from mtkd.soft_labels.foreign import Foreign, read_foreign
from mtkd.soft_labels.foreign_values import check_scale, to_logits
from mtkd.task import load_task
from tests.soft_labels import foreign_files as files

MNLI, RTE, STSB = (load_task(name) for name in ("mnli", "rte", "stsb"))
GUIDS = [f"mnli/train/{i}" for i in range(40)]
LOGITS = np.random.default_rng(0).normal(0, 3, (40, 3))
PROBS = softmax(LOGITS, axis=1)
BY_TEACHER = np.random.default_rng(1).normal(0, 3, (40, 2, 3))
OTHER_ORDER = ("contradiction", "entailment", "neutral")


def is_read_as(found: Foreign, values: NDArray[np.float64]) -> bool:
    together = values[:, None] if values.ndim == 2 else values
    return found.guids.to_pylist() == GUIDS and np.array_equal(found.values, together)


@pytest.mark.parametrize("write", files.LISTS)
@pytest.mark.parametrize(
    ("column", "values"), [("probs", PROBS), ("logits", LOGITS), ("logits", BY_TEACHER)]
)
def test_lists_are_read_alike_in_every_format(
    tmp_path: Path, write: Callable[..., Path], column: str, values: NDArray[np.float64]
) -> None:
    found = read_foreign(write(tmp_path, GUIDS, values, column), MNLI, OTHER_ORDER)
    assert is_read_as(found, values)
    assert (found.kind, found.labels, found.named) == (column, OTHER_ORDER, False)


@pytest.mark.parametrize("write", files.PER_CLASS)
@pytest.mark.parametrize("kind", ["probs", "logits"])
def test_columns_named_for_classes_are_read_by_name_in_every_format(
    tmp_path: Path, write: Callable[..., Path], kind: str
) -> None:
    found = read_foreign(write(tmp_path, GUIDS, PROBS, OTHER_ORDER), MNLI, values=kind)
    assert is_read_as(found, PROBS)
    assert (found.kind, found.labels, found.named) == (kind, OTHER_ORDER, True)


def test_the_csv_of_inspect_says_everything(tmp_path: Path) -> None:
    found = read_foreign(files.csv_inspect(tmp_path, GUIDS, PROBS, OTHER_ORDER), MNLI)
    assert is_read_as(found, PROBS)
    assert (found.kind, found.labels, found.named) == ("probs", OTHER_ORDER, True)


@pytest.mark.parametrize("values", [LOGITS, BY_TEACHER])
def test_an_array_is_read_with_its_guids(tmp_path: Path, values: NDArray[np.float64]) -> None:
    array, guids = files.npy(tmp_path, GUIDS, values)
    found = read_foreign(array, MNLI, OTHER_ORDER, "logits", guids)
    assert is_read_as(found, values)
    assert (found.kind, found.labels, found.named) == ("logits", OTHER_ORDER, False)


def test_a_csv_of_windows_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = files.csv_inspect(tmp_path, GUIDS, PROBS, MNLI.labels)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert is_read_as(read_foreign(path, MNLI), PROBS)


def test_scores_are_read_one_a_row_or_one_a_teacher(tmp_path: Path) -> None:
    scores = LOGITS[:, 0]
    for values, expected in ((scores, scores[:, None, None]),
                             (scores[:, None], scores[:, None, None]),
                             (LOGITS[:, :, None], LOGITS[:, :, None])):  # fmt: skip
        for write in files.LISTS:
            found = read_foreign(write(tmp_path, GUIDS, values, "score"), STSB)
            assert np.array_equal(found.values, expected)
            assert (found.kind, found.labels) == ("score", ())
        array, guids = files.npy(tmp_path, GUIDS, values)
        assert np.array_equal(read_foreign(array, STSB, guids=guids).values, expected)


def test_rows_with_empty_cells_have_no_soft_label(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"guid": "a", "probs": [0.5, 0.5]}, {"guid": "b", "probs": None}
    ]  # fmt: skip
    per_class = files.write_csv(
        tmp_path / "a.csv",
        ["guid", "p(entailment)", "p(not_entailment)"],
        [["a", 0.5, 0.5], ["b", "", ""]],
    )
    lists = files.write_jsonl(tmp_path / "a.jsonl", rows)
    parquet = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(rows), parquet)
    for path in (per_class, lists, parquet):
        labels = RTE.labels if path != per_class else None
        assert read_foreign(path, RTE, labels).known.tolist() == [True, False]


def test_many_rows_are_read_like_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict[str, object]] = [
        {"guid": guid, "logits": None if i < 9 or i == 30 else row}
        for i, (guid, row) in enumerate(zip(GUIDS, BY_TEACHER.tolist(), strict=True))
    ]
    path = files.write_jsonl(tmp_path / "x.jsonl", rows)
    at_once = read_foreign(path, MNLI, MNLI.labels)
    monkeypatch.setattr(foreign_rows, "_TOGETHER", 4)
    in_parts = read_foreign(path, MNLI, MNLI.labels)
    assert np.flatnonzero(~in_parts.known).tolist() == [*range(9), 30]
    assert np.array_equal(in_parts.values, at_once.values, equal_nan=True)
    assert np.array_equal(in_parts.values[31:], BY_TEACHER[31:])


HALF = [0.5, 0.5]


def jsonl(**columns: object) -> Callable[[Path], Path]:
    rows: list[dict[str, object]] = [{"guid": "rte/train/0", **columns}]
    return lambda folder: files.write_jsonl(folder / "x.jsonl", rows)


def table(header: Sequence[str], *rows: Sequence[object]) -> Callable[[Path], Path]:
    return lambda folder: files.write_csv(folder / "x.csv", header, rows)


def text(name: str, content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text(content, "utf-8")
        return folder / name

    return write


@pytest.mark.parametrize(
    ("write", "options", "says"),
    [
        (jsonl(probs=HALF), {}, "--labels 'entailment,not_entailment'"),
        (jsonl(probs=HALF), {"labels": ["entailment", "not_entailed"]}, "'not_entailment'"),
        (jsonl(probs=HALF), {"labels": ["entailment"]}, "without the class not_entailment"),
        (jsonl(probs=HALF), {"labels": [*RTE.labels, "entailment"]}, "stands twice"),
        (jsonl(probs=HALF), {"labels": RTE.labels, "values": "logits"}, "of --values logits"),
        (jsonl(probs=HALF), {"values": "propbs"}, "expected probs or logits"),
        (jsonl(probs=[0.2, 0.3, 0.5]), {"labels": RTE.labels}, "expected a list of 2 numbers"),
        (jsonl(probs=[[0.5, 0.5], [1]]), {"labels": RTE.labels}, "expected a list of 2 numbers"),
        (jsonl(probs=["a", "b"]), {"labels": RTE.labels}, "x.jsonl:1, rte/train/0"),
        (jsonl(probs=[True, False]), {"labels": RTE.labels}, "x.jsonl:1, rte/train/0"),
        (jsonl(probs=[None, 1]), {"labels": RTE.labels}, "x.jsonl:1, rte/train/0"),
        (jsonl(probs=[float("nan")] * 2), {"labels": RTE.labels}, "NaN"),
        (jsonl(probs=[]), {"labels": RTE.labels}, "expected a list of 2 numbers"),
        (jsonl(probs=0.5), {"labels": RTE.labels}, "expected a list of 2 numbers"),
        (jsonl(prob=HALF), {}, "did you mean 'prob'?"),
        (jsonl(entailment=0.5, not_entailment=0.5), {}, "--values probs or --values logits"),
        (jsonl(entailment=0.5), {}, "none for not_entailment"),
        (jsonl(entailment=0.5, not_entailmnt=0.5), {}, "did you mean 'not_entailmnt'?"),
        (jsonl(**{"p(entailment)": 1, "p(neutral)": 0}), {}, "'p(neutral)' is of no class"),
        (jsonl(**{"p(entailment)": 1, "p(not_entailmnt)": 0}), {}, "mean 'not_entailment'?"),
        (jsonl(**{"p(entailment)": 1, "p(not_entailment)": 0}), {"values": "logits"}, "probabil"),
        (jsonl(**{"p(entailment)": 1, "p(not_entailment)": 0, "entailment": 1}), {},
         "two columns for entailment"),
        (jsonl(probs=HALF, entailment=1, not_entailment=0), {}, "leave one or the other out"),
        (jsonl(entailment=1, not_entailment=0), {"values": "probs", "labels": RTE.labels[::-1]},
         "leave out --labels"),
        (table(["id", "probs"]), {}, "expected one column 'guid', which is not there"),
        (table(["guid", "guid", "probs"]), {}, "twice or more"),
        (table(["guid", "p(entailment)", "p(not_entailment)"]), {}, "no rows"),
        (table(["guid", "p(entailment)", "p(not_entailment)"], ["a", 1]), {}, "found 2"),
        (table(["guid", "p(entailment)", "p(not_entailment)"], ["a", 1, "x"]), {}, "'x'"),
        (table(["guid", "p(entailment)", "p(not_entailment)"], ["a", 1, ""]), {}, "or in none"),
        (table(["guid", "p(entailment)", "p(not_entailment)"], ["", 1, 0]), {}, "no guid"),
        (table(["guid", "probs"], ["a", "[0.1 0.9]"]), {"labels": RTE.labels}, "a list of them"),
        (text("x.csv", ""), {}, "expected one column 'guid'"),
        (text("x.csv", "guid;probs\n"), {}, "'guid;probs'"),
        (text("x.jsonl", '[{"guid": "a"}]\n'), {}, "x.jsonl:1: expected a JSON object"),
        (text("x.jsonl", ""), {}, "expected one column 'guid'"),
        (text("x.parquet", "guid"), {}, "cannot be read as parquet"),
        (text("x.npy", "guid"), {"values": "probs"}, "--guids FILE"),
        (text("x.pt", "guid"), {}, "expected a file in .csv, .jsonl, .parquet or .npy"),
        (jsonl(probs=HALF), {"guids": Path("g")}, "only an .npy needs them"),
    ],
)  # fmt: skip
def test_what_a_file_leaves_open_or_gets_wrong_is_refused(
    tmp_path: Path, write: Callable[[Path], Path], options: dict[str, object], says: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_foreign(write(tmp_path), RTE, **options)  # type: ignore[arg-type]
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("array", "options", "says"),
    [
        (LOGITS, {}, "--values probs or --values logits"),
        (LOGITS, {"values": "logits", "labels": None}, "--labels"),
        (LOGITS[:-1], {"values": "logits"}, "40 lines or more, expected 39"),
        (LOGITS[:, :2], {"values": "logits"}, "expected an array (rows, 3)"),
        (LOGITS[:, 0], {"values": "logits"}, "expected an array (rows, 3)"),
        (LOGITS.astype(str), {"values": "logits"}, "expected an array of numbers"),
        (LOGITS.astype(object), {"values": "logits"}, "cannot be read"),  # would be unpickled
        (np.where(np.arange(40)[:, None] == 7, np.nan, LOGITS), {"values": "logits"},
         "mnli/train/7"),
    ],
)  # fmt: skip
def test_what_an_array_leaves_open_or_gets_wrong_is_refused(
    tmp_path: Path, array: NDArray[np.float64], options: dict[str, object], says: str
) -> None:
    path, guids = files.npy(tmp_path, GUIDS, array)
    with pytest.raises(DataError) as caught:
        read_foreign(path, MNLI, **{"labels": OTHER_ORDER, "guids": guids, **options})  # type: ignore[arg-type]
    assert says in str(caught.value)


def test_classes_are_refused_for_a_task_of_scores(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="stsb has scores and no classes"):
        read_foreign(files.jsonl_lists(tmp_path, GUIDS, LOGITS[:, 0], "score"), STSB, ["low"])
    with pytest.raises(DataError, match="expected a column score"):
        read_foreign(files.jsonl_lists(tmp_path, GUIDS, PROBS, "probs"), STSB)


def test_a_row_with_another_number_of_teachers_is_named(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"guid": "a", "logits": [[1, 2], [3, 4]]}, {"guid": "b", "logits": [[1, 2]]}
    ]  # fmt: skip
    path = files.write_jsonl(tmp_path / "x.jsonl", rows)
    with pytest.raises(DataError, match=r"x\.jsonl:2, b: 1 teachers, the rows before have 2"):
        read_foreign(path, RTE, RTE.labels)


# --- values -----------------------------------------------------------------------------------


def foreign(values: object, kind: str) -> Foreign:
    array = np.array(values, dtype=np.float64)
    labels = RTE.labels if kind != "score" else ()
    guids = pa.array([f"rte/train/{i}" for i in range(len(array))])
    return Foreign(guids, array[:, None], kind, labels, named=True)


def test_softmax_of_the_logits_gives_the_probabilities_back() -> None:
    given = [[0.25, 0.75], [1.0, 0.0], [0.3334, 0.6671], [np.nan, np.nan]]
    logits = to_logits("x", foreign(given, "probs"))
    assert np.isfinite(logits[:3]).all()
    assert np.isnan(logits[3]).all()
    exact = np.array(given[:3]) / np.sum(given[:3], axis=1, keepdims=True)
    assert softmax(logits[:3, 0], axis=1) == pytest.approx(exact, abs=1e-7)
    assert np.exp(logits[:3, 0]).sum(axis=1) == pytest.approx(1, abs=1e-6)


def test_probabilities_rounded_to_three_digits_pass() -> None:
    to_logits("x", foreign([[0.3335, 0.6655], [0.3335, 0.6675]], "probs"))
    with pytest.raises(StoreError, match="sum to 1"):
        to_logits("x", foreign([[0.333, 0.6659]], "probs"))


@pytest.mark.parametrize(
    ("values", "kind", "says"),
    [
        ([[0.5, 0.5], [0.5, 0.502]], "probs", "1 rows with probabilities that do not sum to 1"),
        ([[0.5, 0.5], [1.2, -0.2]], "probs", "rte/train/1: [[1.2, -0.2]]"),
        ([[-3.0, 2.0], [1.0, 4.0]], "probs", "--values logits"),
        ([[30.0, 70.0], [99.5, 0.5]], "probs", "divide by 100"),
        ([[0.5, np.nan]], "probs", "not finite"),
        ([[0.5, np.inf]], "logits", "not finite"),
        ([[0.5, 1e39]], "logits", "not finite"),
        ([[np.inf]], "score", "not finite"),
        ([[0.3, 0.7], [1.0, 0.0]], "logits", "--values probs"),
        ([[30, 70], [100, 0]], "logits", "divide by 100"),
    ],
)
def test_numbers_that_are_not_what_they_are_said_to_be_are_refused(
    values: object, kind: str, says: str
) -> None:
    with pytest.raises(StoreError) as caught:
        to_logits("x", foreign(values, kind))
    assert says in str(caught.value)


def test_log_probabilities_and_logits_that_are_positive_pass_as_logits() -> None:
    for values in (np.log(PROBS[:, :2]), np.abs(LOGITS[:, :2])):
        logits = to_logits("x", foreign(values, "logits"))
        assert np.array_equal(logits[:, 0], values.astype(np.float32))


def scale_is_refused(gold: NDArray[np.float64], scores: NDArray[np.float64]) -> bool:
    try:
        check_scale("x", gold, scores.astype(np.float32)[:, None])
    except StoreError as error:
        return "another scale" in str(error)
    return False


def test_scores_from_0_to_1_are_no_scores_from_0_to_5() -> None:
    rng = np.random.default_rng(2)
    gold = rng.uniform(0, 5, 200)
    gold[:50] = np.nan  # unknown
    honest = gold + rng.normal(0, 0.8, 200)
    assert scale_is_refused(gold, honest / 5)
    assert scale_is_refused(gold, honest * 20)
    assert not scale_is_refused(gold, honest)
    assert not scale_is_refused(gold, honest * 0.8)  # shrunk towards the middle, as models do
    assert not scale_is_refused(gold, rng.uniform(0, 1, 200))  # of no use, but no other scale
    assert not scale_is_refused(gold, np.zeros(200))
    assert not scale_is_refused(gold[:60], honest[:60] / 5)  # too few to say
