"""selection.json: which candidates were kept, and why."""

from __future__ import annotations

import json

from mtkd.artifacts import check_files, read_manifest
from mtkd.errors import RunDirError
from mtkd.recipe import Candidate
from mtkd.stages.unit import Run

SELECTION = "selection.json"


def kept_candidates(run: Run) -> list[Candidate]:
    """Return the candidates that `select` kept, in the recipe's order.

    Before it has run: the first `keep`, which is what can be foreseen.

    Raises: RunDirError: what it wrote is damaged.
    """
    teachers = run.recipe.teachers
    assert teachers is not None
    path = run.folder / SELECTION
    manifest = read_manifest(path)
    if manifest is None:
        return list(teachers.candidates[: teachers.select.keep])
    check_files(path, manifest)
    try:
        kept = json.loads(path.read_text("utf-8"))["kept"]
    except (ValueError, KeyError, TypeError) as error:
        raise RunDirError(f"{path}: cannot be read ({error}); delete it and run again") from error
    return [candidate for candidate in teachers.candidates if candidate.name in kept]
