"""Artefacts in the making: under .partial/ in the run directory, to be gone on with if stopped."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtkd.artifacts import Manifest, environment, read_manifest, remove, write_file
from mtkd.errors import RunDirError

PARTIAL = ".partial"

log = logging.getLogger(__name__)


class Attempt:
    """One artefact in the making.

    What it is made from, its time so far and the conditions stand beside it, so that a later
    command goes on with it, or with a clean slate where the recipe has changed since.
    """

    def __init__(self, folder: Path, place: str, *, is_file: bool) -> None:
        self.staged = folder / PARTIAL / place
        self._is_file = is_file
        self._mark = self.staged.with_name(f"{self.staged.name}.attempt.json")
        self._started = time.monotonic()
        self._spent = 0.0

    def begin(self, fingerprint: str) -> None:
        """Make an empty place to build in, or leave what a stopped attempt at the same left."""
        before = self._read_mark()
        if before.get("fingerprint") == fingerprint and not self._is_file:
            self._spent = float(before["seconds"])
            self._say_what_differs(before["environment"])
        else:
            remove(self.staged)
        folder = self.staged.parent if self._is_file else self.staged
        folder.mkdir(parents=True, exist_ok=True)
        self._started = time.monotonic()
        self.note(fingerprint)

    @property
    def seconds(self) -> float:
        """Return the seconds that it has taken, stopped attempts included."""
        return self._spent + time.monotonic() - self._started

    def note(self, fingerprint: str) -> None:
        """Write down what the attempt is made from, its time so far, and the conditions."""
        content = {
            "fingerprint": fingerprint,
            "seconds": round(self.seconds, 3),
            "environment": environment(),
        }
        write_file(self._mark, json.dumps(content, indent=2).encode())

    def finished(self, fingerprint: str) -> Manifest | None:
        """Return the manifest of an attempt that was stopped between its end and its place."""
        try:
            manifest = None if self._is_file else read_manifest(self.staged)
        except RunDirError:
            return None
        return manifest if manifest and manifest.fingerprint == fingerprint else None

    def clear_away(self) -> None:
        """Remove what is left of it, and the folders above it that are empty."""
        remove(self.staged)
        self._mark.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another artefact is in the making there
            for folder in self.staged.parents:
                folder.rmdir()
                if folder.name == PARTIAL:
                    return

    def is_there(self) -> bool:
        """Return whether anything is left of an attempt."""
        return self._mark.exists()

    def _read_mark(self) -> dict[str, Any]:
        try:
            content = dict[str, Any](json.loads(self._mark.read_text("utf-8")))
            return content if content.keys() >= {"seconds", "environment"} else {}
        except (OSError, ValueError, TypeError):
            return {}

    def _say_what_differs(self, before: Mapping[str, str]) -> None:
        now = environment()
        differing = [
            f"{key} {before.get(key, 'unknown')} -> {value}"
            for key, value in now.items()
            if before.get(key) != value
        ]
        if differing:
            log.warning("%s: goes on under other conditions, so that last digits may differ from a "
                        "run in one go: %s", self.staged.name, ", ".join(differing))  # fmt: skip


def sweep(folder: Path) -> None:
    """Remove the empty folders of attempts that an error kept `clear_away` from removing."""
    partial = folder / PARTIAL
    inside = sorted((path for path in partial.rglob("*") if path.is_dir()), reverse=True)
    for each in [*inside, *([partial] if partial.exists() else [])]:
        with contextlib.suppress(OSError):  # not empty: something is in the making there
            each.rmdir()
