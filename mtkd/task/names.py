"""What a card may call its task, splits, columns and files."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated

from pydantic import AfterValidator, Field

from mtkd.recipe.names import Line, device_on_windows, name_fault, place_fault
from mtkd.shown import shown

FILE_TYPES = (".tsv", ".csv", ".jsonl", ".json", ".parquet")
SPLIT_KINDS = ("train", "dev", "test", "unlabelled")


def _task_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}", name):
        raise ValueError(
            "a name becomes a folder: letters, digits, '_' and '-', at most 80, the first a "
            f"letter or digit; found {shown(name)}"
        )
    if device_on_windows(name):
        raise ValueError(f"a name becomes a folder: {name!r} is a device on Windows")
    return name


def _split_name(name: str) -> str:
    if not re.fullmatch(rf"({'|'.join(SPLIT_KINDS)})(_[A-Za-z0-9_]{{1,60}})?", name):
        raise ValueError(
            f"a split is one of {', '.join(SPLIT_KINDS)}, or one of them with a suffix as in "
            f"dev_matched, of letters, digits and '_', at most 60; found {shown(name)}"
        )
    return name


def _inner_path(path: str) -> str:
    inner = PurePosixPath(path)
    outside = inner.is_absolute() or ".." in inner.parts or "\\" in path
    if outside or PureWindowsPath(path).anchor:
        raise ValueError(
            f"expected a path inside the data folder, without '..', found {shown(path)}"
        )
    if fault := place_fault(path):
        raise ValueError(fault)
    if inner.suffix not in FILE_TYPES:
        raise ValueError(f"expected a file ending in {', '.join(FILE_TYPES)}, found {shown(path)}")
    return path


def _submission_name(file: str) -> str:
    if file != PurePosixPath(file).name or not file.endswith(".tsv"):
        raise ValueError(f"expected the name of a .tsv file without a folder, found {shown(file)}")
    if fault := name_fault(file):
        raise ValueError(f"a name becomes a file: {fault}")
    return file


TaskName = Annotated[str, AfterValidator(_task_name)]
SplitName = Annotated[str, AfterValidator(_split_name)]
InnerPath = Annotated[str, AfterValidator(_inner_path)]
SubmissionName = Annotated[str, AfterValidator(_submission_name)]
Text = Line
Position = Annotated[int, Field(ge=0, strict=True)]  # of a column, from 0
