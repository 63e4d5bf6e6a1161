"""What is trained to answer each question of the protocol: overrides of one recipe, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

RECIPE = Path(__file__).parents[2] / "pipelines/evidence/students.yaml"
TASKS = ("rte", "mrpc", "stsb", "cola")  # without a GPU
ROWS = 1000  # of train, a task
TAUGHT = ("mnli", "qqp", "qnli", "rte", "mrpc")  # have teachers where not all tasks do
SEEN = ("mnli", "qqp", "qnli")  # text of these was in the encoder's own training
PRIMARY_SEEDS, OTHER_SEEDS = tuple(range(1, 16)), (1, 2, 3)
TUNING_SEEDS = (101, 102)
RATES = ("2e-4", "4e-4", "8e-4")
PLAIN, SOME, ALL = "plain", "some teachers", "all teachers"
SINGLE, ENSEMBLE, STUDENT, FINETUNED = "dropout-0.1", "ensemble", "student", "student_finetuned"
_ENCODER = "bundled:all-MiniLM-L6-v2"

Which = Literal["all", "taught", "untaught"]


@dataclasses.dataclass(frozen=True)
class Arm:
    """A student, and how it is trained.

    questions: that it answers. overrides: of the recipe; {taught} stands for some of the tasks.
    few: it has fewer train rows than others, and no task that the encoder has seen text of.
    """

    questions: tuple[int, ...]
    overrides: tuple[str, ...] = ()
    few: bool = False


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two models, (arm, model) each, on some of the tasks."""

    one: tuple[str, str]
    other: tuple[str, str]
    which: Which = "all"

    @property
    def name(self) -> str:
        """Return what is compared, in words."""
        names = [arm if model == STUDENT else f"{arm}: {model}" for arm, model in self.sides]
        return " less ".join(names) + ("" if self.which == "all" else f", tasks {self.which}")

    @property
    def sides(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Return both."""
        return self.one, self.other


def _candidates(*candidates: tuple[str, float, int | None]) -> tuple[str, ...]:
    """Return overrides for teachers (name, dropout, layers), all of which are kept."""
    listed = []
    for name, dropout, layers in candidates:
        depth = "" if layers is None else f", layers: {layers}"
        listed.append(f'{{name: {name}, encoder: "{_ENCODER}", dropout: {dropout}{depth}}}')
    return (f"teachers.candidates=[{', '.join(listed)}]", f"teachers.select.keep={len(listed)}")


_ALIKE = ((SINGLE, 0.1, None), *((f"seed-{n}", 0.1, None) for n in range(2, 7)))
_PLAINLY = ("teachers=null", "student.distill_weight=null")
_FEW = (100, 500)

ARMS: Mapping[str, Arm] = {
    PLAIN: Arm((1, 2, 3), _PLAINLY),
    SOME: Arm((1, 2), ("teachers.tasks=[{taught}]",)),
    ALL: Arm((1, 3, 4)),
    "soft only": Arm((3,), ("student.distill_weight=1.0",)),
    "annealed": Arm((3,), ("student.anneal=true", "student.distill_weight=null")),
    "1 teacher": Arm((3,), _candidates(*_ALIKE[:1])),
    "2 teachers of one kind": Arm((3,), _candidates(*_ALIKE[:2])),
    "3 teachers of one kind": Arm((3,), _candidates(*_ALIKE[:3])),
    "6 teachers of one kind": Arm((3,), _candidates(*_ALIKE)),
    "3 teachers of other depths": Arm(
        (3,), _candidates(_ALIKE[0], ("five", 0.1, 5), ("four", 0.1, 4))
    ),
    "refined": Arm((3,), ("teachers.refine=true",)),
    "fine-tuned": Arm((3,), ("student.finetune=true",)),
    "plain, fine-tuned": Arm((3,), (*_PLAINLY, "student.finetune=true")),
    "temperature 2": Arm((3,), ("soft_labels.temperature=2.0",)),
    "temperature 4": Arm((3,), ("soft_labels.temperature=4.0",)),
    "out of fold": Arm((3,), ("soft_labels.folds=5",)),
    "unlabelled text": Arm((3,), ("soft_labels.unlabelled={}",)),
    "half depth": Arm((4,), ("student.layers=3",)),
    "plain, half depth": Arm((4,), (*_PLAINLY, "student.layers=3")),
    **{
        f"{name}{rows} rows": Arm((5,), (*own, f"data.max_rows.train={rows}"), few=True)
        for rows in _FEW
        for name, own in ((PLAIN + ", ", _PLAINLY), ("", ()))
    },
}

_STUDENTS = ((SOME, STUDENT), (PLAIN, STUDENT))
COMPARISONS: Mapping[int, Sequence[Comparison]] = {
    1: (
        Comparison(*_STUDENTS),  # the primary one
        Comparison((ALL, STUDENT), (PLAIN, STUDENT)),
        *(Comparison((ALL, STUDENT), (ALL, model))
          for model in (SINGLE, "dropout-0.2", "dropout-0.3", ENSEMBLE)),
    ),
    2: (Comparison(*_STUDENTS, "untaught"), Comparison(*_STUDENTS, "taught")),
    3: (
        *(Comparison((arm, STUDENT), (ALL, STUDENT)) for arm, own in ARMS.items()
          if own.questions == (3,) and "fine-tuned" not in arm),
        Comparison(("fine-tuned", FINETUNED), ("plain, fine-tuned", FINETUNED)),
    ),
    4: (
        Comparison(("half depth", STUDENT), ("plain, half depth", STUDENT)),
        Comparison(("half depth", STUDENT), (ALL, ENSEMBLE)),
    ),
    5: tuple(Comparison((f"{n} rows", STUDENT), (f"plain, {n} rows", STUDENT)) for n in _FEW),
}  # fmt: skip


def chosen_tasks(which: Which, tasks: Sequence[str]) -> list[str]:
    """Return which of the tasks a comparison is of."""
    if which == "all":
        return [*tasks]
    return [task for task in tasks if (task in TAUGHT) == (which == "taught")]


def tasks_of(arm: str, tasks: Sequence[str]) -> list[str]:
    """Return which of the tasks an arm has."""
    return [task for task in tasks if not (ARMS[arm].few and task in SEEN)]


def overrides_of(arm: str, tasks: Sequence[str], rows: int, rate: str) -> list[str]:
    """Return the overrides that make an arm of the recipe, but for its cards and its seed.

    Args: rows: of train, a task. rate: of learning.
    """
    taught = ",".join(task for task in tasks if task in TAUGHT)
    heads = "{" + ", ".join(f"{task}: {{pooling: mean}}" for task in tasks) + "}"
    own = [text.replace("{taught}", taught) for text in ARMS[arm].overrides]
    found = [f"data.max_rows.train={rows}", f"training.learning_rate={rate}",
             f"student.heads={heads}"]  # fmt: skip
    if "teachers=null" not in own:
        found += [f"teachers.tasks=[{','.join(tasks)}]", f"teachers.heads={heads}"]
    return found + own
