"""prepared/<encoder>/<task>/: what `prepare` left, for the stages after it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtkd.artifacts import check_files, read_manifest
from mtkd.errors import RunDirError
from mtkd.stages.places import Part, prepared_place
from mtkd.stages.unit import Run

if TYPE_CHECKING:
    from mtkd.examples.prepared import PreparedSplit

INFO = "info.json"


@dataclasses.dataclass(frozen=True)
class Prepared:
    """One task, tokenised for one encoder."""

    folder: Path
    info: dict[str, Any]

    @property
    def splits(self) -> tuple[str, ...]:
        """Return the splits that are there."""
        return tuple(self.info["splits"])

    def path(self, split: str) -> Path:
        """Return a split's file."""
        return self.folder / f"{split}.arrow"

    def split(self, name: str) -> PreparedSplit:
        """Open one split."""
        from mtkd.examples.prepared import PreparedSplit  # with torch, not to list a run

        return PreparedSplit(self.path(name), self.info["pad_token_id"])

    def fingerprint(self, split: str) -> str:
        """Return the data fingerprint of a split: of guid, texts and label, in file order."""
        return self.info["splits"][split]["fingerprint"]


def open_prepared(run: Run, encoder: str, task: str, part: Part = "gold") -> Prepared:
    """Return what `prepare` left for a task and an encoder.

    Raises: RunDirError: it is damaged.
    """
    folder = run.folder / prepared_place(encoder, task, part)
    if (manifest := read_manifest(folder)) is not None:
        check_files(folder, manifest)
    try:
        info = json.loads((folder / INFO).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunDirError(f"{folder}: cannot be read ({error}); delete it and run again") from error
    return Prepared(folder, info)
