"""What can be wrong inside one file: its encoding, header, rows, indices, predictions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mtkd.errors import SubmissionError
from mtkd.submission.server_files import HEADER, ServerFile

_MAX_LINES = 2_000_000  # QQP.tsv has 390,966
# Python's float() takes more: "1_0", " 1", "nan", digits of other scripts.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def lines_of(name: str, content: bytes) -> list[str]:
    """Return the lines of a file; CRLF and a missing final newline are tolerated.

    Raises: SubmissionError: it is not UTF-8, or has more lines than any submission.
    """
    if (count := content.count(b"\n")) > _MAX_LINES:
        raise SubmissionError(f"{name}: {count:,} lines, more than any file of a submission has")
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        found = f"{content[error.start]:#04x}"
        raise SubmissionError(f"{name}:{line}: expected UTF-8, found the byte {found}") from error
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def row_problems(
    server_file: ServerFile, lines: Sequence[str], expected_ids: Sequence[str]
) -> Iterator[str]:
    """Yield all that is wrong with a file, each as "file:line: what".

    Args: lines: with the header. expected_ids: the indices that must stand there, in their order.
    """
    name = server_file.file.file
    if not lines:
        yield f"{name}:1: the file is empty; expected the header 'index<TAB>prediction'"
        return
    if lines[0] != HEADER:
        yield f"{name}:1: expected the header 'index<TAB>prediction', found {_shown(lines[0])}"
    place = {index: position for position, index in enumerate(expected_ids)}
    line_of: dict[str, int] = {}
    last = -1
    for number, line in enumerate(lines[1:], start=2):
        index, tab, prediction = line.partition("\t")
        if not tab or "\t" in prediction:
            yield (
                f"{name}:{number}: expected two fields, index<TAB>prediction, found {_shown(line)}"
            )
            continue
        if fault := _prediction_fault(server_file, prediction):
            yield f"{name}:{number}: {fault}"
        if index not in place:
            yield f"{name}:{number}: index {_shown(index)} is not in the test set"
        elif index in line_of:
            yield f"{name}:{number}: index '{index}' stands on line {line_of[index]} already"
        else:
            line_of[index] = number
            if place[index] < last:
                yield (
                    f"{name}:{number}: index '{index}' stands after '{expected_ids[last]}'; keep "
                    "the order of the test file"
                )
            last = place[index]
    found = len(lines) - 1
    for position, index in enumerate(expected_ids):
        if index not in line_of:
            yield (
                f"{name}:{position + 2}: index '{index}' is missing (expected "
                f"{len(expected_ids)} rows, found {found})"
            )


def _prediction_fault(server_file: ServerFile, prediction: str) -> str:
    task, labels = server_file.task, server_file.file.labels
    if task.kind == "classification":
        if prediction in labels:
            return ""
        return f"expected one of {', '.join(labels)}, found {_shown(prediction)}"
    if not _NUMBER.fullmatch(prediction):
        return f"expected a number such as 2.5, found {_shown(prediction)}"
    if task.range and not task.range[0] <= float(prediction) <= task.range[1]:
        low, high = task.range
        return f"prediction {_shown(prediction)} is outside {low:g} to {high:g}; clip it"
    return ""


def _shown(text: str) -> str:
    """Return text for a message: quoted, blanks made visible, cut short."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
