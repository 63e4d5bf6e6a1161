"""Artefacts in the making: under .partial/ in the run directory, to be gone on with if stopped."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from mtkd.artifacts import (
    HASHES,
    Manifest,
    checked_sha256,
    damage,
    environment,
    fingerprint,
    make_folder,
    read_manifest,
    remove,
    write_file,
)
from mtkd.errors import RunDirError
from mtkd.pipeline.conditions import say_what_differs
from mtkd.pipeline.status import PARTIAL, differences
from mtkd.recipe import RUN_RECIPE

log = logging.getLogger(__name__)


class Attempt:
    """One artefact in the making.

    What it is made from, its time so far and the conditions stand beside it, so that a later
    command goes on with it, or with a clean slate where the recipe has changed since.

    Args: scratch: names in the folder of what a stopped attempt goes on from.
    """

    def __init__(
        self, folder: Path, place: str, *, is_file: bool, scratch: Collection[str] = ()
    ) -> None:
        self.staged = folder / PARTIAL / place
        self._place = place
        self._is_file = is_file
        self._scratch = scratch
        self._mark = self.staged.with_name(f"{self.staged.name}.attempt.json")
        self._started = time.monotonic()
        self._spent = 0.0

    def begin(self, manifest: Manifest, *, dear: float) -> None:
        """Make an empty place to build in, or leave what a stopped attempt at the same left.

        Args: dear: seconds of work that are not thrown away.
        Raises: RunDirError: that of another attempt would be, or nobody knows what it is.
        """
        before = self._read_mark()
        if before and before["fingerprint"] == manifest.fingerprint and not self._is_file:
            self._spent = self._seconds_until_stopped(before)
            say_what_differs(self._place, before["environment"])
        else:
            if before and self.holds_work():
                self._give_up(before, manifest, dear)
            remove(self.staged)
        make_folder(self.staged.parent if self._is_file else self.staged)
        self._started = time.monotonic()
        self.note(manifest)

    @property
    def seconds(self) -> float:
        """Return the seconds that it has taken, stopped attempts included."""
        return self._spent + time.monotonic() - self._started

    def note(self, manifest: Manifest) -> None:
        """Write down what the attempt is made from, its time so far, and the conditions."""
        content = {
            "fingerprint": manifest.fingerprint,
            "inputs": manifest.inputs,
            "seconds": round(self.seconds, 3),
            "environment": environment(),
        }
        content["checksum"] = fingerprint(content)
        write_file(self._mark, json.dumps(content, indent=2).encode())

    def finished(self, fingerprint: str) -> Manifest | None:
        """Return the manifest of an attempt that was stopped between its end and its place."""
        try:
            manifest = None if self._is_file else read_manifest(self.staged)
        except RunDirError:
            return None
        if manifest is None or manifest.fingerprint != fingerprint:
            return None
        return None if damage(self.staged, manifest, checked_sha256) else manifest

    def holds_work(self) -> bool:
        """Return whether there is something to go on from."""
        return any((self.staged / name).exists() for name in self._scratch)

    def clear_away(self) -> None:
        """Remove what is left of it, and the folders above it that are empty."""
        self._mark.unlink(missing_ok=True)  # first: nobody goes on from half of what is removed
        remove(self.staged)
        with contextlib.suppress(OSError):  # another artefact is in the making there
            for folder in self.staged.parents:
                folder.rmdir()
                if folder.name == PARTIAL:
                    return

    def is_there(self) -> bool:
        """Return whether anything is left of an attempt."""
        return self._mark.exists() or self.staged.exists()

    def _give_up(self, before: dict[str, Any], manifest: Manifest, dear: float) -> None:
        """Say that a stopped training is thrown away, and why, unless it is too dear for that."""
        minutes = self._seconds_until_stopped(before) / 60
        why = "; ".join(list(differences(before["inputs"], manifest.inputs))[:3])
        if minutes * 60 > dear:
            raise RunDirError(
                f"{self._place}: a training that was stopped after {minutes:.0f} minutes would be "
                f"thrown away, since it was for other settings ({why}). Go on with those, say "
                "--rerun to begin anew, or use another --run-dir"
            )
        log.warning("%s: begins anew: what was stopped after %.1f minutes was for other settings "
                    "(%s)", self._place, minutes, why)  # fmt: skip

    def _seconds_until_stopped(self, mark: dict[str, Any]) -> float:
        """Return the time that stopped attempts took; one that was killed, until it last wrote."""
        since = self._mark.stat().st_mtime
        written = [path.stat().st_mtime for path in self.staged.rglob("*")]
        return float(mark["seconds"]) + max(0.0, max(written, default=0.0) - since)

    def _read_mark(self) -> dict[str, Any]:
        """Return what the attempt is made from, or nothing where there is none.

        Raises: RunDirError: it cannot be read, and work is there that may be worth keeping.
        """
        if not self._mark.exists():
            return {}
        try:
            content = dict[str, Any](json.loads(self._mark.read_text("utf-8")))
            if content.pop("checksum") == fingerprint(content):
                return content
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            pass
        if self.holds_work():
            raise RunDirError(f"{self._mark}: is broken, so that nobody knows what {self.staged} "
                              "was made from; delete that folder to begin anew")  # fmt: skip
        return {}


def sweep(folder: Path) -> None:
    """Remove what a command that was stopped left: empty folders of attempts, small files begun."""
    for name in (HASHES, RUN_RECIPE):
        (folder / f".{name}.partial").unlink(missing_ok=True)
    partial = folder / PARTIAL
    inside = sorted((path for path in partial.rglob("*") if path.is_dir()), reverse=True)
    for each in [*inside, *([partial] if partial.exists() else [])]:
        with contextlib.suppress(OSError):  # not empty: something is in the making there
            each.rmdir()
