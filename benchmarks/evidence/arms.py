"""What is trained to answer each question of the protocol: overrides of one recipe, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

RECIPE = Path(__file__).parents[2] / "pipelines/evidence/students.yaml"
TASKS = ("rte", "mrpc", "stsb", "cola")  # without a GPU
TAUGHT = ("mnli", "qqp", "qnli", "rte", "mrpc")  # have teachers where not all tasks do
SEEDS = {1: 5, 2: 5, 3: 3, 4: 3, 5: 3}  # at least, by question
PLAIN, SOME, ALL = "plain", "some teachers", "all teachers"
SINGLE, ENSEMBLE, STUDENT = "dropout-0.1", "ensemble", "student"
_ENCODER = "bundled:all-MiniLM-L6-v2"


@dataclasses.dataclass(frozen=True)
class Arm:
    """A student, and how it is trained.

    questions: that it answers. overrides: of the recipe; {taught} stands for some of the tasks.
    tunes: scored on the part set aside for choosing settings, and on nothing else.
    """

    questions: tuple[int, ...]
    overrides: tuple[str, ...] = ()
    tunes: bool = False


def _candidates(*candidates: tuple[str, float, int | None]) -> tuple[str, ...]:
    """Return overrides for teachers (name, dropout, layers), all of which are kept."""
    listed = []
    for name, dropout, layers in candidates:
        depth = "" if layers is None else f", layers: {layers}"
        listed.append(f'{{name: {name}, encoder: "{_ENCODER}", dropout: {dropout}{depth}}}')
    return (f"teachers.candidates=[{', '.join(listed)}]", f"teachers.select.keep={len(listed)}")


_DROPOUTS = ((SINGLE, 0.1, None), ("dropout-0.2", 0.2, None), ("dropout-0.3", 0.3, None))
_AGAIN = tuple((f"again-{dropout}", dropout, None) for _, dropout, _ in _DROPOUTS)
_PLAINLY = ("teachers=null", "student.distill_weight=null")

ARMS: Mapping[str, Arm] = {
    PLAIN: Arm((1, 2, 3), _PLAINLY),
    SOME: Arm((1, 2), ("teachers.tasks=[{taught}]",)),
    ALL: Arm((1, 3)),
    "soft only": Arm((3,), ("student.distill_weight=1.0",)),
    "annealed": Arm((3,), ("student.anneal=true", "student.distill_weight=null")),
    "1 teacher": Arm((3,), _candidates(*_DROPOUTS[:1])),
    "2 teachers": Arm((3,), _candidates(*_DROPOUTS[:2])),
    "6 teachers": Arm((3,), _candidates(*_DROPOUTS, *_AGAIN)),
    "teachers of three seeds": Arm(
        (3,), _candidates(_DROPOUTS[0], ("seed-2", 0.1, None), ("seed-3", 0.1, None))
    ),
    "teachers of three depths": Arm(
        (3,), _candidates(_DROPOUTS[0], ("five", 0.1, 5), ("four", 0.1, 4))
    ),
    "refined": Arm((3,), ("teachers.refine=true",)),
    "fine-tuned": Arm((3,), ("student.finetune=true",)),
    "temperature 2": Arm((3,), ("soft_labels.temperature=2.0",)),
    "temperature 4": Arm((3,), ("soft_labels.temperature=4.0",)),
    "out of fold": Arm((3,), ("soft_labels.folds=5",)),
    "unlabelled text": Arm((3,), ("soft_labels.unlabelled={}",)),
    "plain, half depth": Arm((4,), (*_PLAINLY, "student.layers=3")),
    "half depth": Arm((4,), ("student.layers=3",)),
    **{
        f"{name}{rows} rows": Arm((5,), (*own, f"data.max_rows.train={rows}"))
        for rows in (100, 500, 2500)
        for name, own in (("plain, ", _PLAINLY), ("", ()))
    },
    **{
        f"tuning: {name}, {rate}, {epochs} epochs": Arm(
            (), (*own, f"training.learning_rate={rate}", f"training.epochs={epochs}"), tunes=True
        )
        for name, own in ((PLAIN, _PLAINLY), (ALL, ()))
        for rate in ("2e-4", "4e-4")
        for epochs in (4, 8)
    },
}

# question -> (arm, its model) that is compared with (arm, its model)
COMPARISONS: Mapping[int, Sequence[tuple[tuple[str, str], tuple[str, str]]]] = {
    1: (
        ((SOME, STUDENT), (PLAIN, STUDENT)),
        ((ALL, STUDENT), (PLAIN, STUDENT)),
        *(((ALL, STUDENT), (ALL, teacher)) for teacher, *_ in _DROPOUTS),
        ((ALL, STUDENT), (ALL, ENSEMBLE)),
    ),
    2: (((SOME, STUDENT), (PLAIN, STUDENT)),),
    3: tuple(
        ((arm, "student_finetuned" if arm == "fine-tuned" else STUDENT), (ALL, STUDENT))
        for arm, own in ARMS.items()
        if 3 in own.questions and arm not in {PLAIN, ALL}
    ),
    4: ((("half depth", STUDENT), ("plain, half depth", STUDENT)),
        (("half depth", STUDENT), (ALL, ENSEMBLE))),
    5: tuple(((f"{rows} rows", STUDENT), (f"plain, {rows} rows", STUDENT))
             for rows in (100, 500, 2500)),
}  # fmt: skip


def overrides_of(arm: str, seed: int, cards: Mapping[str, Path], rows: int) -> list[str]:
    """Return the overrides of an arm's run. Args: cards: of the tasks. rows: of train, a task."""
    taught = ",".join(task for task in cards if task in TAUGHT)
    heads = "{" + ", ".join(f"{task}: {{pooling: mean}}" for task in cards) + "}"
    own = [text.replace("{taught}", taught) for text in ARMS[arm].overrides]
    found = [f"tasks=[{','.join(map(str, cards.values()))}]", f"data.max_rows.train={rows}",
             f"student.heads={heads}", f"seed={seed}"]  # fmt: skip
    if "teachers=null" not in own:
        found += [f"teachers.tasks=[{','.join(cards)}]", f"teachers.heads={heads}"]
    return found + own
