"""Versions, processor, device, threads: what a run goes on under, beside what it began under."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from mtkd.artifacts import environment, read_manifest

log = logging.getLogger(__name__)


def say_what_differs(place: str, before: Mapping[str, str]) -> None:
    """Warn where a stopped attempt goes on under other conditions."""
    if differing := _differing(before):
        log.warning("%s: goes on under other conditions, so that last digits may differ from a "
                    "run in one go: %s", place, ", ".join(differing))  # fmt: skip


class Needs:
    """The artefacts that others are made from; each difference of conditions is said once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._said: set[str] = set()

    def say_what_differs(self, place: str, needs: Iterable[str]) -> None:
        """Warn where an artefact is about to be made under other conditions than its needs."""
        for need in needs:
            manifest = read_manifest(self._folder / need)
            differing = _differing(manifest.environment) if manifest else []
            if new := [each for each in differing if each not in self._said]:
                log.warning("%s: is made under other conditions than %s, so that last digits may "
                            "differ from a run in one go: %s", place, need, ", ".join(new)
                            )  # fmt: skip
                self._said.update(new)


def _differing(before: Mapping[str, str]) -> list[str]:
    return [
        f"{key} {before.get(key, 'unknown')} -> {value}"
        for key, value in environment().items()
        if before.get(key) != value
    ]
