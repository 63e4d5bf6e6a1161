"""What recipes and cards may call things: text on a line, places on disk, names of folders.

A name that becomes a folder has to be one on every system: a run is copied from Linux to macOS,
where `A` and `a` are one folder, and to Windows, where `aux` is a device.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field

from mtkd.shown import is_plain, shown

_NOT_ON_WINDOWS = re.compile(r'[<>:"/\\|?*]')
_DEVICES = re.compile(r"con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]", re.IGNORECASE)
_NAME_LENGTH = 80  # characters
_NAME_BYTES = 200  # of UTF-8; file systems take 255, and mtkd's own endings come on top
_PART_BYTES = 255
_PLACE_BYTES = 4000  # Linux takes 4096
_TAKEN_ENDINGS = (".json", ".zip")  # of artefacts that are files, and of marks beside folders


def name_fault(name: str) -> str | None:
    """Say why a name cannot be a file's or folder's on every system, or None."""
    reason = None
    if not name:
        reason = "1 or more characters"
    elif name.startswith("."):
        reason = "no leading '.'"
    elif found := _NOT_ON_WINDOWS.search(name):
        reason = f"no '{found.group()}'"
    elif not name.isprintable():
        reason = "no control characters, no spaces but the plain one"
    elif name != name.strip() or name.endswith("."):
        reason = "no space at its ends, no '.' at its end"
    elif len(name) > _NAME_LENGTH or len(name.encode()) > _NAME_BYTES:
        reason = f"at most {_NAME_LENGTH} characters and {_NAME_BYTES} bytes"
    elif device := device_on_windows(name):
        reason = f"'{device}' is a device on Windows"
    elif name.lower().endswith(_TAKEN_ENDINGS):
        reason = f"not ending in {', '.join(_TAKEN_ENDINGS)}"
    return f"{reason}; found {shown(name)}" if reason else None


def device_on_windows(name: str) -> str | None:
    """Return the device that Windows opens in place of a file of this name, or None."""
    stem = name.split(".")[0].rstrip(" ")
    return stem if _DEVICES.fullmatch(stem) else None


def place_fault(path: str) -> str | None:
    """Say why no system has a file or folder of this path, or None."""
    if not is_plain(path):
        return f"expected a path without control characters, found {shown(path)}"
    parts = [len(part.encode()) for part in path.split("/")]
    if max(parts) > _PART_BYTES or sum(parts) + len(parts) > _PLACE_BYTES:
        return (
            f"expected a path of at most {_PLACE_BYTES} bytes, {_PART_BYTES} a part, "
            f"found {shown(path)}"
        )
    return None


def twins(names: Iterable[str]) -> list[str]:
    """Return "A and a" for each two names that share a folder on macOS or Windows.

    Names that are the same are no twins: whether they may repeat is for the caller to say.
    """
    first: dict[str, str] = {}
    return [
        f"{first[folder_key(name)]} and {name}"
        for name in names
        if first.setdefault(folder_key(name), name) != name
    ]


def folder_key(name: str) -> str:
    """Return what all names have in common that macOS or Windows may take for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _one_line(text: str) -> str:
    if not is_plain(text):
        raise ValueError(f"expected one line without control characters, found {shown(text)}")
    return text


def _place(path: str) -> str:
    if fault := place_fault(path):
        raise ValueError(fault)
    return path


Line = Annotated[str, Field(min_length=1), AfterValidator(_one_line)]
Place = Annotated[str, Field(min_length=1), AfterValidator(_place)]  # of a file or folder
