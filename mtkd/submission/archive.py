"""The files of a folder or a zip, read with care: a zip comes from anywhere."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mtkd.errors import SubmissionError
from mtkd.shown import shown

_MAX_BYTES = 32 * 2**20  # eight times QQP.tsv, the largest file of a true submission
_MAX_FILES = 1000  # the server knows eleven
_ENCRYPTED = 0x1  # of a zip entry's flags
# What zipfile raises for a damaged zip; the decoding is that of a name.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    UnicodeDecodeError,
)
_NOT_SENT = {"manifest.json"}  # stands in a stage's folder beside what is sent


@dataclass(frozen=True)
class Archive:
    """The files at the top of a folder or zip, and what is wrong with it as a whole."""

    names: tuple[str, ...]
    layout: tuple[str, ...]
    read: Callable[[str], bytes]  # raises SubmissionError where a file cannot be had


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a folder or zip for reading; a zip that cannot be opened has no names.

    Raises: SubmissionError: the path is neither.
    """
    if path.is_dir():
        count = sum(1 for _ in path.iterdir())
        yield _too_many(path, count) if count > _MAX_FILES else _folder(path)
        return
    if not path.is_file():
        raise SubmissionError(f"{path}: expected a submission folder or zip, found nothing there")
    if path.suffix.lower() != ".zip" and not zipfile.is_zipfile(path):
        raise SubmissionError(f"{path}: expected a submission folder or zip, found another file")
    if (size := path.stat().st_size) > _MAX_BYTES:  # else its table of contents fills the memory
        yield Archive((), (f"{path.name}: {_too_large(size)}",), lambda name: b"")
        return
    try:
        archive = zipfile.ZipFile(path)
    except (*_DAMAGE, ValueError) as error:
        problem = f"{path.name}: not a zip that can be opened ({error}); zip the files again"
        yield Archive((), (problem,), lambda name: b"")
        return
    with archive:
        count = len(archive.infolist())
        yield _too_many(path, count) if count > _MAX_FILES else _zip(archive)


def _too_many(path: Path, count: int) -> Archive:
    problem = f"{path.name}: {count:,} files, expected one a task; leave all others out"
    return Archive((), (problem,), lambda name: b"")


def _folder(path: Path) -> Archive:
    inside = sorted(p for p in path.iterdir() if not p.name.startswith("."))

    def read(name: str) -> bytes:
        try:
            with (path / name).open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise SubmissionError(f"{name}: cannot be read ({error.strerror})") from error
        if len(content) > _MAX_BYTES:
            raise SubmissionError(f"{name}: {_too_large((path / name).stat().st_size)}")
        return content

    return Archive(
        names=tuple(p.name for p in inside if p.is_file() and p.name not in _NOT_SENT),
        layout=tuple(
            f"{shown(p.name)}: a folder; the server reads flat files only"
            for p in inside
            if p.is_dir()
        ),
        read=read,
    )


def _zip(archive: zipfile.ZipFile) -> Archive:
    count = Counter(archive.namelist())
    faults = {name: _entry_fault(name, count[name]) for name in sorted(count)}

    def read(name: str) -> bytes:
        entry = archive.getinfo(name)
        if entry.flag_bits & _ENCRYPTED:
            raise SubmissionError(f"{name}: is encrypted; zip it without a password")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise SubmissionError(f"{name}: is not packed by deflate; zip it the usual way")
        if entry.file_size > _MAX_BYTES:
            raise SubmissionError(f"{name}: {_too_large(entry.file_size)}")
        try:
            with archive.open(entry) as file:  # archive.read would unpack up to 1 GiB at once
                return file.read(_MAX_BYTES + 1)
        except _DAMAGE as error:
            raise SubmissionError(
                f"{name}: cannot be unpacked ({error}); zip the files again"
            ) from error

    return Archive(
        names=tuple(name for name in faults if not {"/", "\\"} & set(name)),
        layout=tuple(f"{shown(name)}: {fault}" for name, fault in faults.items() if fault),
        read=read,
    )


def _entry_fault(name: str, count: int) -> str:
    """Say why a zip's entry is in the wrong place, or return an empty string."""
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or ":" in parts[0]:
        return "points outside the zip; the server reads flat files only"
    if parts[0] == "__MACOSX":
        return "left by the Finder's zip; use `zip -j` or `mtkd submit`"
    if len(parts) > 1:
        return "in a folder; the server reads flat files only: zip the files, not their folder"
    return f"stands in the zip {count} times" if count > 1 else ""


def _too_large(size: int) -> str:
    return f"is too large to be a submission: {size} bytes, at most {_MAX_BYTES}"
