"""What is to be made again when a recipe changes, worked out from the table alone.

No settings, needs or fingerprints of mtkd are asked here: only the recipe, the bytes of files, and
the names of places in the run directory.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from mtkd.encoders import encoder_slug
from mtkd.examples.read import has_split, split_path
from mtkd.recipe import TrainingOverrides, TrainingSettings
from mtkd.stages import Run
from tests.pipeline.staleness_table import PARTS, RECIPE

_MODEL = r"(?P<model>(student|baseline)(_finetuned)?)"
ROOMS = {
    "prepared": r"prepared/[^/]+/(?P<task>[^/]+)",
    "test": r"prepared_test/[^/]+/(?P<task>[^/]+)",
    "unlabelled": r"prepared_unlabelled/[^/]+/(?P<task>[^/]+)",
    "refined": r"refined/(?P<candidate>[^/]+)",
    "fold refined": r"folds/(?P<fold>\d+)/refined/(?P<candidate>[^/]+)",
    "teacher": r"teachers/(?P<candidate>[^/]+)/(?P<task>[^/]+)",
    "fold teacher": r"folds/(?P<fold>\d+)/teachers/(?P<candidate>[^/]+)/(?P<task>[^/]+)",
    "comparison": r"predictions/select/(?P<candidate>[^/]+)/(?P<task>[^/]+)",
    "selection": r"selection\.json",
    "fold predictions": r"predictions/folds/(?P<fold>\d+)/(?P<candidate>[^/]+)/(?P<task>[^/]+)",
    "student predictions": rf"predictions/{_MODEL}/(?P<task>[^/]+)",
    "teacher predictions": r"predictions/(?P<candidate>[^/]+)/(?P<task>[^/]+)",
    "unlabelled predictions": r"predictions_unlabelled/(?P<candidate>[^/]+)/(?P<task>[^/]+)",
    "soft labels": r"soft_labels/(?P<task>[^/]+)",  # or imported
    "student": r"student",
    "baseline": r"baseline",
    "finetuned": r"(?P<model>student|baseline)_finetuned/(?P<task>[^/]+)",
    "evaluation": r"evaluation",
    "submission": r"submission",
    "archive": r"submission\.zip",
}

# by room, the kinds of splits whose rows are there
KINDS = {"prepared": ("train", "dev"), "test": ("test",), "unlabelled": ("unlabelled",)}

# by room, the places that an artefact is made from, where there are such; names in braces stand for
# those that `_names` gives, all of them
MADE_FROM = {
    "prepared": [],
    "test": [],
    "unlabelled": [],
    "refined": ["prepared/{encoder}/{trained}"],
    "fold refined": ["prepared/{encoder}/{trained}"],
    "teacher": ["prepared/{encoder}/{task}", "refined/{candidate}"],
    "fold teacher": ["prepared/{encoder}/{task}", "folds/{fold}/refined/{candidate}"],
    "comparison": ["prepared/{encoder}/{task}", "refined/{candidate}",
                   "teachers/{unrefined}/{task}"],
    "selection": ["refined/{rival}", "teachers/{unrefined rival}/{by}",
                  "predictions/select/{rival}/{by}"],
    "teacher predictions": ["prepared/{encoder}/{task}", "teachers/{candidate}/{task}"],
    "fold predictions": ["prepared/{encoder}/{task}", "folds/{fold}/teachers/{candidate}/{task}"],
    "unlabelled predictions": ["prepared_unlabelled/{encoder}/{task}",
                               "teachers/{candidate}/{task}"],
    "soft labels": ["predictions/{any candidate}/{task}",
                    "predictions_unlabelled/{any candidate}/{task}",
                    "predictions/folds/{any fold}/{any candidate}/{task}"],
    "imported": ["prepared/{encoder}/{task}", "prepared_unlabelled/{encoder}/{task}"],
    "student": ["prepared/{encoder}/{together}", "prepared_unlabelled/{encoder}/{softened}",
                "soft_labels/{softened}"],
    "baseline": ["prepared/{encoder}/{together}"],
    "finetuned": ["prepared/{encoder}/{task}", "{model}"],
    "student predictions": ["prepared/{encoder}/{task}", "prepared_test/{encoder}/{task}",
                            "{weights}"],
    "evaluation": ["prepared/{encoder}/{trained}", "soft_labels/{any task}",
                   "predictions/{any model}/{any task}",
                   "predictions/{any candidate}/{taught}"],
    "submission": ["predictions/{submitted}/{any task}"],
    "archive": ["submission"],
}  # fmt: skip


def to_be_made(
    before: Run, places_before: Collection[str], after: Run, places: Collection[str]
) -> set[str]:
    """Return the artefacts that the table has made again, or for the first time.

    Args: places: those of the changed recipe, in the order in which they are made.
    """
    again: set[str] = set()
    for place in places:
        sources = made_from(after, place, places)
        if (
            place not in places_before
            or by_itself(before, place) != by_itself(after, place)
            or made_from(before, place, places_before) != sources
            or sources & again
        ):
            again.add(place)
    return again


def room_of(run: Run, place: str) -> str:
    room = next(room for room, pattern in ROOMS.items() if re.fullmatch(pattern, place))
    imported = room == "soft labels" and place.split("/")[1] in run.recipe.soft_labels.imported
    return "imported" if imported else room


def made_from(run: Run, place: str, places: Collection[str]) -> set[str]:
    """Return the artefacts that one is made from."""
    names = _names(run, place)
    found = set()
    for template in MADE_FROM[room_of(run, place)]:
        wanted = re.findall(r"{(.*?)}", template)
        for values in itertools.product(*(names[name] for name in wanted)):
            text = template
            for name, value in zip(wanted, values, strict=True):
                text = text.replace(f"{{{name}}}", value)
            found.add(text)
    return found & set(places)


def by_itself(run: Run, place: str) -> dict[str, object]:
    """Return what of the recipe, and which files' bytes, the table says an artefact is made of."""
    room, names = room_of(run, place), _names(run, place)
    found: dict[str, object] = {}
    for key, value in _leaves(_resolved(run, room, names)):
        pattern, kind, name = _pattern(key)
        of_another = name not in {"candidate": names["candidate"] or [name],
                                  "task": names["tasks"], "": [""]}[kind]  # fmt: skip
        if room in RECIPE[pattern].rooms and not of_another and _matters(run, pattern, room, names):
            found[key] = value
    if room in KINDS:
        found["bytes"] = _bytes(run, names["task"][0], KINDS[room])
    return found


def _names(run: Run, place: str) -> dict[str, list[str]]:
    """Return what the names in braces stand for, for one artefact."""
    room, recipe = room_of(run, place), run.recipe
    pattern = ROOMS["soft labels" if room == "imported" else room]
    match = re.fullmatch(pattern, place)
    assert match is not None
    own = {name: [value] for name, value in match.groupdict().items() if value is not None}
    teachers = recipe.teachers
    candidates = {c.name: c.encoder for c in teachers.candidates} if teachers else {}
    trained = [name for name, task in run.tasks.items() if task.head_of is None]
    together = list(recipe.student.tasks or trained)
    taught = list(teachers.tasks) if teachers else []
    soft = [*taught, *recipe.soft_labels.imported]
    encoder = recipe.student.encoder
    if "candidate" in own:
        encoder = candidates[own["candidate"][0]]
    rivals = list(candidates) if teachers and len(candidates) > teachers.select.keep else []
    refine = teachers is not None and teachers.refine
    model = own.get("model", [""])[0]
    task = own.get("task", [""])[0]
    tasks = [task] if task else together if room in {"student", "baseline"} else trained
    head = (run.tasks[task].head_of if task else None) or task
    finetuned = "student_finetuned" if recipe.student.finetune else "student"
    return {
        "candidate": [], "fold": [], "task": [], "model": [], **own,
        "encoder": [encoder_slug(encoder)],
        "tasks": tasks,
        "trained": trained,
        "together": together,
        "taught": taught,
        "softened": [name for name in soft if name in together],
        "any task": list(run.tasks),
        "any candidate": list(candidates),
        "any fold": [str(number) for number in range(recipe.soft_labels.folds or 0)],
        "any model": ["student", "baseline", "student_finetuned", "baseline_finetuned"],
        "rival": rivals,
        "unrefined rival": [] if refine else rivals,
        "unrefined": [] if refine else own.get("candidate", []),
        "by": list(teachers.select.by) if teachers else [],
        "weights": [f"{model}/{head}" if model.endswith("_finetuned") else model],
        "submitted": [recipe.submission.model or finetuned],
    }  # fmt: skip


def _resolved(run: Run, room: str, names: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the recipe with defaults filled in, and what overrides what settled for a room."""
    recipe = run.recipe
    tree = _without_null_parts(recipe.model_dump(mode="json"))
    tree["training"] = _training(run, room, names)
    tree["tasks"] = sorted(names["trained"])
    tree["data"]["root"] = None  # the bytes of its files are asked for by room
    for part, owner in (("teachers", recipe.teachers), ("student", recipe.student)):
        if owner is None:
            continue
        del tree[part]["training"], tree[part]["finetune_training"]
        given = {t: h.model_dump(exclude_none=True) for t, h in owner.heads.items()}
        tree[part]["heads"] = {
            name: task.head.model_dump() | given.get(name, {}) for name, task in run.tasks.items()
        }
    if recipe.teachers is not None:
        candidates = tree["teachers"]["candidates"]
        tree["teachers"]["candidates"] = {c["name"]: c for c in candidates}
        tree["teachers"]["tasks"] = sorted(recipe.teachers.tasks)
    tree["student"]["tasks"] = sorted(names["together"])
    if recipe.student.distill_weight is None:
        tree["student"]["distill_weight"] = 0.5
    tree["submission"]["model"] = names["submitted"][0]
    tree["student"]["finetune"] = None  # see submission.model
    stores = recipe.soft_labels.imported
    tree["soft_labels"]["imported"] = {t: _sha256(Path(path)) for t, path in stores.items()}
    if recipe.soft_labels.unlabelled is not None:
        tree["soft_labels"]["unlabelled"]["files"] = {}  # likewise
    return tree


def _training(run: Run, room: str, names: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the training settings that hold in a room, without those that then mean nothing."""
    recipe = run.recipe
    parts: dict[str, TrainingSettings | TrainingOverrides] = {"training": recipe.training}
    for part, owner in (("teachers", recipe.teachers), ("student", recipe.student)):
        if owner is not None:
            parts[f"{part}.training"] = owner.training
            parts[f"{part}.finetune_training"] = owner.finetune_training
    settings = recipe.training.model_dump(mode="json")
    for part, given in parts.items():
        if part == "training" or room not in PARTS[part]:
            continue
        own = given.model_dump(mode="json", include=given.model_fields_set)
        if own.get("batch_size") is not None:
            settings["max_tokens"] = None  # a size given later counts, not the bound before it
        if own.get("epochs") is not None:
            settings["max_steps"] = None  # likewise
        nullable = {"clip_norm", "early_stopping", "max_tokens", "max_steps"}
        settings |= {k: v for k, v in own.items() if v is not None or k in nullable}
    if settings["batch_size"] == "auto":
        settings["batch_size"] = 32
    if settings["max_tokens"] is not None:
        del settings["batch_size"]
    alone = len(names["tasks"]) == 1
    if settings["max_steps"] and (alone or settings["sampling"]["strategy"] != "annealed"):
        del settings["epochs"]
    if alone:
        settings["sampling"] = {"strategy": settings["sampling"]["strategy"] == "round_robin"}
    settings["task_weights"] = {t: w for t, w in settings["task_weights"].items() if w != 1}
    return settings


def _matters(run: Run, pattern: str, room: str, names: Mapping[str, list[str]]) -> bool:
    """Return whether a key that shapes artefacts of a room shapes this one."""
    recipe = run.recipe
    if pattern == "seed" and room in KINDS:
        return any(getattr(recipe.data.max_rows, kind, None) is not None for kind in KINDS[room])
    if pattern in {"teachers.select.by", "teachers.select.method"}:
        return bool(names["rival"])
    if pattern.startswith("soft_labels.unlabelled."):
        return any("unlabelled" in run.tasks[name].files for name in names["softened"])
    if pattern in {"student.distill_weight", "student.anneal"}:
        return bool(names["softened"])
    if pattern == "soft_labels.calibrate":
        return run.tasks[names["task"][0]].kind == "classification"
    return True


def _without_null_parts(tree: dict[str, Any]) -> dict[str, Any]:
    if tree["teachers"] is None:
        del tree["teachers"]
    if tree["soft_labels"]["unlabelled"] is None:
        del tree["soft_labels"]["unlabelled"]
    for key in ("losses", "intermediate"):
        if tree["student"][key] is None:
            del tree["student"][key]
    return tree


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _pattern(key: str) -> tuple[str, str, str]:
    """Return a key's row, and the kind and the name of what stands in braces there."""
    for kind, before in (("candidate", r"teachers\.candidates"),
                         ("task", r".*\.(?:heads|task_weights|imported|files)")):  # fmt: skip
        if match := re.fullmatch(rf"({before}\.)(.+?)(\.[a-z_]+)?", key):
            return f"{match[1]}{{{kind}}}{match[3] or ''}", kind, match[2]
    return key, "", ""


def _bytes(run: Run, name: str, kinds: Collection[str]) -> list[tuple[str, str]]:
    task, data = run.tasks[name], run.recipe.data
    return [
        (split, _sha256(split_path(task, split, data)))
        for split in task.files
        if split.split("_")[0] in kinds and has_split(task, split, data)
    ]


def _sha256(path: Path) -> str:
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@functools.cache
def _read(path: Path, *_: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
