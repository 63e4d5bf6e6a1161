"""A store's provenance: the JSON under the Parquet metadata key `mtkd`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from mtkd.errors import StoreError
from mtkd.shown import reason, shown
from mtkd.soft_labels.info_fault import COMBINATIONS, info_fault

__all__ = ["COMBINATIONS", "VERSION", "StoreInfo", "Teacher", "remedy"]

VERSION = 2


@dataclasses.dataclass(frozen=True)
class Teacher:
    """Who made one of a store's columns of logits."""

    name: str
    encoder: str
    sha256: str  # of the fine-tuned weights


@dataclasses.dataclass(frozen=True)
class StoreInfo:
    """What a store holds and what it was made from.

    labels: class names in the order of every column of logits; none for regression. weights: one a
    teacher, for the combinations that have them. teacher_temperatures: fitted on dev, one a
    teacher; None where teachers were not calibrated. folds: with more than 0, each row was scored
    by teachers that had not seen it. row_groups: SHA-256 of each row group's values, in the file's
    order.
    """

    task: str
    split: str
    labels: tuple[str, ...]
    temperature: float
    teachers: tuple[Teacher, ...]
    data_fingerprint: str
    combine: str = "mean"
    weights: tuple[float, ...] | None = None
    teacher_temperatures: tuple[float, ...] | None = None
    folds: int = 0
    source: str = "teachers"  # or "imported"
    rows: int = 0
    row_groups: tuple[str, ...] = ()
    version: int = VERSION

    @property
    def outputs(self) -> int:
        """Width of a row's soft label: the number of classes, or 1 for regression."""
        return len(self.labels) or 1

    def to_json(self) -> str:
        """Return the metadata text, with a checksum of its own."""
        content = dataclasses.asdict(self)
        return json.dumps({**content, "sha256": _sha256(content)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes, path: Path) -> StoreInfo:
        """Read the metadata text of the store at `path`.

        Raises: StoreError: no metadata of a store, of another version, changed since they were
            written, or such as no store has.
        """
        try:
            return cls._from_content(dict(json.loads(text)), path)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoreError(f"{path}: not a soft-label store, or a broken one: its metadata are "
                             f"none of a store ({reason(error)}); {remedy(path)}"
                             ) from error  # fmt: skip

    @classmethod
    def _from_content(cls, content: dict[str, Any], path: Path) -> StoreInfo:
        version = content["version"]
        if type(version) is not int:
            raise TypeError(f"version: {shown(version)}")
        if version > VERSION:
            raise StoreError(f"{path}: a store of version {shown(version)}, made by a newer mtkd "
                             f"than this one, which knows {VERSION}; install that mtkd, or "
                             f"{remedy(path)}")  # fmt: skip
        if version < VERSION:
            raise StoreError(f"{path}: a store of version {shown(version)}, expected {VERSION}; "
                             f"{remedy(path)}")  # fmt: skip
        if content.pop("sha256") != _sha256(content):
            raise StoreError(f"{path}: its metadata was changed after it was written, by a fault "
                             f"or by hand; {remedy(path)}")  # fmt: skip
        teachers = tuple(Teacher(**teacher) for teacher in content.pop("teachers"))
        lists = ("labels", "weights", "teacher_temperatures", "row_groups")
        tuples = {key: None if content[key] is None else tuple(content[key]) for key in lists}
        info = cls(**{**content, **tuples, "teachers": teachers})
        if fault := info_fault(info):
            raise StoreError(f"{path}: its metadata are such as mtkd writes none: {fault}; "
                             f"{remedy(path)}")  # fmt: skip
        return info


def remedy(path: Path, source: str = "teachers") -> str:
    """Return what to do about a store that cannot be used."""
    if source == "imported":
        return ("import it again with `mtkd import-soft-labels ... --data RUN`, the run that is to "
                "use it (with --drop-extra, where data.max_rows leaves rows out)")  # fmt: skip
    folder = path.parent
    made_here = (folder / "manifest.json").exists()  # else the folder may hold anything
    return (f"delete {folder if made_here else path} and run `mtkd soften` again (or `mtkd "
            "import-soft-labels`, if it came from elsewhere)")  # fmt: skip


def _sha256(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
