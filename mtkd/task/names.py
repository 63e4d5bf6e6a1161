"""What a card may call its task, splits, columns and files."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field

FILE_TYPES = (".tsv", ".csv", ".jsonl", ".json", ".parquet")
SPLIT_KINDS = ("train", "dev", "test", "unlabelled")


def _task_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}", name):
        raise ValueError(
            "a name becomes a folder: letters, digits, '_' and '-', at most 80, the first a "
            f"letter or digit; found {name!r}"
        )
    return name


def _split_name(name: str) -> str:
    if not re.fullmatch(rf"({'|'.join(SPLIT_KINDS)})(_[A-Za-z0-9_]+)?", name):
        raise ValueError(
            f"a split is one of {', '.join(SPLIT_KINDS)}, or one of them with a suffix as in "
            f"dev_matched; found {name!r}"
        )
    return name


def _inner_path(path: str) -> str:
    inner = PurePosixPath(path)
    if inner.is_absolute() or ".." in inner.parts or "\\" in path:
        raise ValueError(f"expected a path inside the data folder, without '..', found {path!r}")
    if inner.suffix not in FILE_TYPES:
        raise ValueError(f"expected a file ending in {', '.join(FILE_TYPES)}, found {path!r}")
    return path


def _submission_name(file: str) -> str:
    if file != PurePosixPath(file).name or not file.endswith(".tsv"):
        raise ValueError(f"expected the name of a .tsv file without a folder, found {file!r}")
    return file


TaskName = Annotated[str, AfterValidator(_task_name)]
SplitName = Annotated[str, AfterValidator(_split_name)]
InnerPath = Annotated[str, AfterValidator(_inner_path)]
SubmissionName = Annotated[str, AfterValidator(_submission_name)]
Text = Annotated[str, Field(min_length=1)]
Position = Annotated[int, Field(ge=0, strict=True)]  # of a column, from 0
