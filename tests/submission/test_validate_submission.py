"""Every fault that the server would refuse is named with its file and line; nothing raises."""

from __future__ import annotations

import json
import re
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtkd.errors import SubmissionError
from mtkd.submission import Report, validate, zip_submission
from mtkd.submission.archive import _MAX_BYTES
from mtkd.task import Task, load_task
from tests.memory import within

ROWS = 6  # of each test set, as in conftest
HEADER = "index\tprediction"
Tasks = tuple[Task, ...]


def checked(folder: Path, tasks: Tasks, name: str = "RTE.tsv") -> tuple[str, ...]:
    """The problems of a folder, all of which must be those of one file."""
    report = validate(folder, tasks=tasks)
    assert not report.valid
    for file in report.files:
        assert file.status == ("faulty" if file.file == name else "ok")
    return report.problems


def edit(path: Path, change: Callable[[list[str]], object]) -> None:
    """Change the list of a file's lines, the header first, in place."""
    lines = path.read_text("utf-8").splitlines()
    change(lines)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def put(row: int, line: str) -> Callable[[list[str]], object]:
    return lambda lines: lines.__setitem__(row, line)


def test_a_right_submission_is_valid_and_complete(folder: Path, tasks: Tasks) -> None:
    report = validate(folder, tasks=tasks)
    assert (report.problems, report.valid, report.complete) == ((), True, True)
    assert {(file.rows, file.expected, file.status) for file in report.files} == {(6, 6, "ok")}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put(0, "index\tlabel"), r"RTE.tsv:1: expected the header .* found 'index\\tlabel'"),
        (put(0, "0\tentailment"), r"RTE.tsv:1: expected the header"),
        (put(2, "1 entailment"), r"RTE.tsv:3: expected two fields.* found '1 entailment'"),
        (put(2, "1\tentailment\t0.9"), r"RTE.tsv:3: expected two fields"),
        (put(2, ""), r"RTE.tsv:3: expected two fields.* found ''"),
        (put(2, "1\tyes"), r"RTE.tsv:3: expected one of entailment, not_entailment, found 'yes'"),
        (put(2, "1\tEntailment"), r"RTE.tsv:3: .* found 'Entailment'"),
        (put(2, '1\t"entailment"'), r"RTE.tsv:3: .* found '\"entailment\"'"),
        (put(2, "1\tentailment "), r"RTE.tsv:3: .* found 'entailment '"),
        (put(2, "1\t0"), r"RTE.tsv:3: expected one of entailment, not_entailment, found '0'"),
        (put(2, "01\tentailment"), r"RTE.tsv:3: index '01' is not in the test set"),
        (put(2, "6\tentailment"), r"RTE.tsv:3: index '6' is not in the test set"),
        (put(2, "0\tentailment"), r"RTE.tsv:3: index '0' stands on line 2 already"),
        (lambda lines: lines.pop(3), r"RTE.tsv:4: index '2' is missing \(.* 6 rows, found 5\)"),
        (lambda lines: lines.append("6\tentailment"), r"RTE.tsv:8: index '6' is not in"),
        (lambda lines: lines.insert(2, lines.pop(4)), r"RTE.tsv:4: index '1' stands after '3'"),
        (lambda lines: lines.clear(), r"RTE.tsv:1: the file is empty"),
    ],
)
def test_a_fault_is_named_with_its_line(
    folder: Path, tasks: Tasks, change: Callable[[list[str]], object], said: str
) -> None:
    edit(folder / "RTE.tsv", change)
    assert re.match(said, checked(folder, tasks)[0])


@pytest.mark.parametrize(
    "value", ["nan", "inf", "5.01", "-0.1", "", "0_1", "2.5x", " 2", "two", "٣", "1e9"]
)
def test_a_score_that_the_server_cannot_use_is_named(
    folder: Path, tasks: Tasks, value: str
) -> None:
    edit(folder / "STS-B.tsv", put(4, f"3\t{value}"))
    [problem] = checked(folder, tasks, "STS-B.tsv")
    assert problem.startswith("STS-B.tsv:5: ")


@pytest.mark.parametrize("value", ["0", "5", "5.0", "2.", ".5", "1e-3", "+1"])
def test_any_number_in_range_is_a_score(folder: Path, tasks: Tasks, value: str) -> None:
    edit(folder / "STS-B.tsv", put(4, f"3\t{value}"))
    assert validate(folder, tasks=tasks).complete


def test_line_endings_are_the_writers_own_business(folder: Path, tasks: Tasks) -> None:
    content = (folder / "RTE.tsv").read_bytes()
    (folder / "RTE.tsv").write_bytes(content.replace(b"\n", b"\r\n"))
    (folder / "MNLI-m.tsv").write_bytes((folder / "MNLI-m.tsv").read_bytes().removesuffix(b"\n"))
    assert validate(folder, tasks=tasks).complete


def test_bytes_that_are_no_text_are_named(folder: Path, tasks: Tasks) -> None:
    content = (folder / "RTE.tsv").read_bytes()
    (folder / "RTE.tsv").write_bytes(content.replace(b"\n2\t", b"\n\xff\t"))
    assert checked(folder, tasks) == ("RTE.tsv:4: expected UTF-8, found the byte 0xff",)


def test_a_byte_order_mark_is_named(folder: Path, tasks: Tasks) -> None:
    (folder / "RTE.tsv").write_bytes(b"\xef\xbb\xbf" + (folder / "RTE.tsv").read_bytes())
    assert r"'\ufeffindex\tprediction'" in checked(folder, tasks)[0]


def test_many_problems_are_counted_not_listed(folder: Path, tasks: Tasks) -> None:
    edit(folder / "RTE.tsv", lambda lines: lines.__setitem__(slice(1, None), ["x"] * 40))
    problems = checked(folder, tasks)
    assert len(problems) == 6
    assert problems[-1] == f"RTE.tsv: and {40 + ROWS - 5} more"


def test_a_large_file_that_is_all_wrong_is_judged_in_seconds(tmp_path: Path) -> None:
    rows = "".join(f"{i}\tnot_duplicate\n" for i in range(1, 390966))
    (tmp_path / "QQP.tsv").write_text(f"{HEADER}\n{rows}")
    start = time.perf_counter()
    assert not validate(tmp_path, tasks=[load_task("qqp")]).valid
    assert time.perf_counter() - start < 10


def test_files_that_are_not_there_make_it_partial_not_wrong(folder: Path, tasks: Tasks) -> None:
    (folder / "RTE.tsv").unlink()
    report = validate(folder, tasks=tasks)
    assert (report.valid, report.complete, report.missing) == (True, False, ("RTE.tsv",))


def test_a_capped_test_set_makes_it_partial_where_its_ids_are_known(
    folder: Path, tasks: Tasks
) -> None:
    edit(folder / "RTE.tsv", lambda lines: lines.__setitem__(slice(1, 4), []))
    assert checked(folder, tasks)[0].startswith("RTE.tsv:2: index '0' is missing")
    report = validate(folder, {"RTE.tsv": ["3", "4", "5"]}, tasks)
    assert (report.valid, report.complete) == (True, False)
    assert [(f.file, f.rows) for f in report.files if f.status == "partial"] == [("RTE.tsv", 3)]
    assert not validate(folder, {"RTE.tsv": ["3", "5", "4"]}, tasks).valid
    with pytest.raises(SubmissionError, match=r"no task has rte.tsv; did you mean 'RTE.tsv'"):
        validate(folder, {"rte.tsv": ["3"]}, tasks)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("rte.tsv", "RTE.tsv"), ("STSB.tsv", "STS-B.tsv"), ("MNLI_mm.tsv", "MNLI-mm.tsv")],
)
def test_a_misnamed_file_is_named_with_what_was_meant(
    folder: Path, tasks: Tasks, name: str, meant: str
) -> None:
    (folder / meant).rename(folder / name)
    report = validate(folder, tasks=tasks)
    assert report.problems == (f"'{name}': the server knows no such file; did you mean '{meant}'?",)
    assert report.missing == (meant,)


def test_a_folder_may_hold_a_manifest_but_no_folder(folder: Path, tasks: Tasks) -> None:
    (folder / "manifest.json").write_text("{}")
    assert validate(folder, tasks=tasks).complete
    (folder / "old").mkdir()
    assert validate(folder, tasks=tasks).problems == (
        "'old': a folder; the server reads flat files only",
    )


def test_a_folder_with_nothing_to_send_is_wrong(tmp_path: Path, tasks: Tasks) -> None:
    [problem] = validate(tmp_path, tasks=tasks).problems
    assert problem.startswith("none of the server's files is there: RTE.tsv, STS-B.tsv")


def test_a_path_that_is_neither_folder_nor_zip_is_refused(tmp_path: Path, tasks: Tasks) -> None:
    with pytest.raises(SubmissionError, match="found nothing there"):
        validate(tmp_path / "none", tasks=tasks)
    (tmp_path / "RTE.tsv").write_text(HEADER)
    with pytest.raises(SubmissionError, match="found another file"):
        validate(tmp_path / "RTE.tsv", tasks=tasks)


def test_a_report_is_json(folder: Path, tasks: Tasks) -> None:
    edit(folder / "RTE.tsv", put(2, "1\tyes"))
    content = json.loads(json.dumps(validate(folder, tasks=tasks).to_json()))
    assert (content["valid"], content["complete"], content["missing"]) == (False, False, [])
    assert content["files"][0] == {
        "file": "RTE.tsv",
        "rows": 6,
        "expected": 6,
        "status": "faulty",
        "problems": content["problems"],
    }


def zipped(folder: Path, **entries: bytes) -> Path:
    """The folder as a zip, with more entries."""
    path = zip_submission(folder, folder.with_suffix(".zip"))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sent/RTE.tsv", "in a folder"),
        ("sent/", "in a folder"),
        ("sent\\RTE.tsv", "in a folder"),
        ("__MACOSX/._RTE.tsv", "left by the Finder"),
        ("../RTE.tsv", "points outside"),
        ("a/../../RTE.tsv", "points outside"),
        ("/etc/RTE.tsv", "points outside"),
        ("C:/RTE.tsv", "points outside"),
        ("notes.txt", "the server knows no such file"),
        ("\x1b[31m.tsv", "the server knows no such file"),
    ],
)
def test_a_zip_that_is_not_flat_is_wrong(folder: Path, tasks: Tasks, name: str, said: str) -> None:
    [problem] = validate(zipped(folder, **{name: b""}), tasks=tasks).problems
    assert problem.startswith(f"{name!r}: {said}")
    assert "\x1b" not in problem


def test_a_file_that_stands_twice_in_a_zip_is_wrong(folder: Path, tasks: Tasks) -> None:
    content = (folder / "RTE.tsv").read_bytes()
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(folder, **{"RTE.tsv": content})
    assert validate(path, tasks=tasks).problems == ("'RTE.tsv': stands in the zip 2 times",)


def test_a_bomb_is_not_unpacked(folder: Path, tasks: Tasks) -> None:
    (folder / "RTE.tsv").write_bytes(bytes(_MAX_BYTES + 1))
    for path in (folder, zipped(folder)):
        [problem] = checked(path, tasks)
        assert problem.startswith("RTE.tsv: is too large to be a submission: 33554433 bytes")


def test_an_encrypted_zip_is_named(folder: Path, tasks: Tasks) -> None:
    path = zipped(folder)
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flags of each header
        for match in re.finditer(re.escape(mark), bytes(content)):
            content[match.start() + offset] |= 1
    path.write_bytes(content)
    assert (
        "RTE.tsv: is encrypted; zip it without a password" in validate(path, tasks=tasks).problems
    )


def test_a_broken_zip_is_named_wherever_it_is_broken(folder: Path, tasks: Tasks) -> None:
    path = zipped(folder)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        [problem] = validate(path, tasks=tasks).problems
        assert problem.startswith("sent.zip: not a zip that can be opened")
    seen: set[bool] = set()
    for flipped in range(len(whole)):
        for bits in (0x55, 0x80):
            changed = bytes([whole[flipped] ^ bits])
            path.write_bytes(whole[:flipped] + changed + whole[flipped + 1 :])
            report = validate(path, tasks=tasks)  # harmless in a timestamp, say; never raises
            seen.add(report.valid)
    assert False in seen


def test_a_zip_whose_own_names_disagree_is_named(folder: Path, tasks: Tasks) -> None:
    path = zipped(folder)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x03\x04")
    content[at + 7] |= 0x08  # the name is said to be UTF-8
    content[at + 30] = 0xFF  # and is not
    path.write_bytes(content)
    assert validate(path, tasks=tasks).problems[0].startswith("MNLI-m.tsv: cannot be unpacked")


def test_a_zip_packed_in_an_unusual_way_is_named(folder: Path, tasks: Tasks) -> None:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.write(folder / "RTE.tsv", "RTE.tsv")
    [problem] = validate(path, tasks=tasks).problems
    assert problem.startswith("RTE.tsv: is not packed by deflate")


def is_right(content: bytes) -> bool:
    """Whether the RTE file of ROWS rows is right, said in another way than the validator does."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    rows = "".join(rf"\r?\n{i}\t(not_)?entailment" for i in range(ROWS))
    return re.fullmatch(rf"index\tprediction{rows}\r?\n?", text) is not None


SOUND = "\n".join([HEADER, *(f"{i}\tentailment" for i in range(ROWS)), ""]).encode()
PLACES = st.integers(0, len(SOUND) - 1)
CORRUPTIONS = st.one_of(
    st.builds(lambda at, byte: SOUND[:at] + byte + SOUND[at + 1 :], PLACES, st.binary(max_size=2)),
    st.builds(lambda at, byte: SOUND[:at] + byte + SOUND[at:], PLACES, st.sampled_from(
        [b"\n", b"\r", b"\r\n", b"\t", b"not_", b" ", b'"', b"0", b"\x00", b"\xe2\x80\xa8", b"\x0c"]
    )),
    st.builds(lambda a, b: SOUND[: min(a, b)] + SOUND[max(a, b) :], PLACES, PLACES),
    st.permutations(SOUND.splitlines(keepends=True)).map(b"".join),
    st.lists(st.sampled_from(SOUND.splitlines(keepends=True)), max_size=9).map(b"".join),
)  # fmt: skip


@given(content=CORRUPTIONS)
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_corruption_is_caught_or_harmless(tmp_path: Path, tasks: Tasks, content: bytes) -> None:
    (tmp_path / "RTE.tsv").write_bytes(content)
    report: Report = validate(tmp_path, tasks=tasks)
    assert report.valid == is_right(content), report.problems
    assert all(problem.startswith("RTE.tsv:") for problem in report.problems)


def test_a_zip_that_claims_little_and_holds_400_mib_is_not_unpacked(
    tmp_path: Path, tasks: Tasks
) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(400)) + packer.flush()
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("RTE.tsv", packed)
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = content.rindex(signature)
        content[start + place : start + place + 2] = b"\x08\x00"  # deflated
        content[start + place + 14 : start + place + 18] = (100).to_bytes(4, "little")  # unpacked
    path.write_bytes(content)
    with within(200):
        report = validate(path, tasks=tasks)
    assert any("cannot be unpacked" in problem for problem in report.problems)


def test_a_zip_of_more_than_32_mib_or_of_thousands_of_files_is_refused_whole(
    tmp_path: Path, tasks: Tasks
) -> None:
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(1001):
            archive.writestr(f"{i}.tsv", b"")
    start = time.monotonic()
    assert validate(path, tasks=tasks).problems == (
        "s.zip: 1,001 files, expected one a task; leave all others out",
    )
    with path.open("ab") as file:
        file.truncate(_MAX_BYTES + 1)
    assert "too large to be a submission" in validate(path, tasks=tasks).problems[0]
    assert time.monotonic() - start < 2


def test_a_file_of_line_ends_is_refused_at_once(folder: Path, tasks: Tasks) -> None:
    (folder / "RTE.tsv").write_bytes(b"\n" * _MAX_BYTES)
    with within(200):
        (problem,) = checked(folder, tasks)
    assert "lines, more than any file of a submission has" in problem
