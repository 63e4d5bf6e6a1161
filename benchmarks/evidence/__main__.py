"""`make evidence GLUE=glue_data`, or `python -m benchmarks.evidence GLUE_DATA [--questions 1 2]`.

Carries out PROTOCOL.md: chooses the learning rate, runs what is missing of each question's arms,
keeps a line of each in results/runs.jsonl and its predictions in results/rows/, and writes the
report. Stopped, the same command goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.arms import carry_out, read_done, start
from benchmarks.evidence.arms import (
    ARMS,
    ENSEMBLE,
    FINETUNED,
    OTHER_SEEDS,
    PLAIN,
    PRIMARY_SEEDS,
    RATES,
    RECIPE,
    ROWS,
    SOME,
    STUDENT,
    TASKS,
    TUNING_SEEDS,
    overrides_of,
    tasks_of,
)
from benchmarks.evidence.parts import write_parts

RESULTS = Path(__file__).parent / "results"
QUESTIONS = (1, 2, 3, 4, 5)


def main() -> None:
    """Run what is missing, then write the report of all that is there."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[2])
    parser.add_argument("glue", type=Path, help="a glue_data folder")
    parser.add_argument("--questions", type=int, nargs="*", choices=QUESTIONS, default=QUESTIONS,
                        help="all unless told; none: the report alone")  # fmt: skip
    parser.add_argument("--arms", nargs="+", choices=[*ARMS], help="in place of questions")
    parser.add_argument("--seeds", type=int, nargs="+", help="else those of the protocol")
    parser.add_argument("--tasks", nargs="+", default=[*TASKS])
    parser.add_argument("--rows", type=int, default=ROWS, help="train rows a task")
    parser.add_argument("--runs", type=Path, default=Path("runs/evidence"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    start()
    evidence = Evidence(given)
    rate = evidence.choose_rate(carries_out=bool(given.arms or given.questions))
    for seed, arm in planned(given.questions, given.arms, given.seeds):
        assert rate is not None
        evidence.carry_out(arm, seed, rate, "final")
    from benchmarks.evidence.report import write_report

    write_report(evidence, rate)


def planned(
    questions: Sequence[int], arms: Sequence[str] | None, seeds: Sequence[int] | None
) -> Iterator[tuple[int, str]]:
    """Give seeds and arms in order, the primary comparison's first.

    Seed by seed, so that whoever stops has whole ones. Args: arms: in place of the questions' own.
    """
    asked = arms or [a for a, own in ARMS.items() if set(own.questions) & set(questions)]
    first = [arm for arm in asked if arm in {PLAIN, SOME}]
    for some, usual in (
        (first, PRIMARY_SEEDS),
        ([a for a in asked if a not in first], OTHER_SEEDS),
    ):
        for seed in seeds or usual:
            for arm in some:
                yield seed, arm


class Evidence:
    """Results and runs of one set of tasks and rows. Args: given: what `main` was asked for."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.tasks, self.rows = sorted(given.tasks, key=[*TASKS, *given.tasks].index), given.rows
        self.runs, self.results = given.runs, given.results
        self.lines = self.results / "runs.jsonl"
        hashes = [write_parts(task, given.glue, self.runs / "parts") for task in self.tasks]
        self._parts = hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]

    @property
    def is_protocols(self) -> bool:
        """Return whether these are the protocol's own results."""
        return (self.results, tuple(self.tasks), self.rows) == (RESULTS, TASKS, ROWS)

    def card(self, task: str, kind: str) -> Path:
        """Return a card of a task's parts: tuning, final or confirming."""
        return (self.runs / "parts" / task / f"{kind}.yaml").absolute()

    def settings(self, arm: str, rate: str, kind: str) -> list[str]:
        """Return all that makes an arm's runs what they are, but for the seed."""
        recipe = hashlib.sha256(RECIPE.read_bytes()).hexdigest()[:16]
        own = overrides_of(arm, tasks_of(arm, self.tasks), self.rows, rate)
        return [f"recipe={recipe}", f"parts={self._parts}", f"scored={kind}", *own]

    def found(self, arm: str, rate: str, kind: str) -> list[dict[str, Any]]:
        """Return the lines of an arm's finished runs, by seed."""
        done = read_done(self.lines, self.settings(arm, rate, kind))
        return [line for (name, _), line in sorted(done.items()) if name == arm]

    def carry_out(self, arm: str, seed: int, rate: str, kind: str) -> None:
        """Carry out one arm with one seed, unless its line is there."""

        def once(arm: str, seed: int) -> dict[str, Any]:
            return self._run(arm, seed, rate, kind)

        carry_out(self.lines, self.settings(arm, rate, kind), [arm], [seed], once)

    def choose_rate(self, *, carries_out: bool) -> str | None:
        """Return the learning rate of all arms; None if runs are missing and none is carried out.

        The best by the mean, over plain and distilled, of scores on the rows that are set aside.
        """
        means = {}
        for rate in RATES:
            scores = []
            for arm in (PLAIN, SOME):
                for seed in TUNING_SEEDS if carries_out else ():
                    self.carry_out(arm, seed, rate, "tuning")
                lines = self.found(arm, rate, "tuning")
                if {line["seed"] for line in lines} != {*TUNING_SEEDS}:
                    return None
                scores += [statistics.fmean(line["scores"].values()) for line in lines]
            means[rate] = statistics.fmean(scores)
        return max(means, key=lambda rate: means[rate])

    def _run(self, arm: str, seed: int, rate: str, kind: str) -> dict[str, Any]:
        """Carry out one arm with one seed; return its line, the predictions being packed beside."""
        from benchmarks.evidence.rows import pack_predictions
        from mtkd import pipeline
        from mtkd.artifacts import environment
        from mtkd.recipe import GlueRecipe, load_recipe
        from mtkd.stages import Run

        settings = self.settings(arm, rate, kind)
        digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]
        name = "".join(c if c.isalnum() else "-" for c in arm) + f"-{digest}-{seed}"
        tasks = tasks_of(arm, self.tasks)
        cards = ",".join(str(self.card(task, kind)) for task in tasks)
        overrides = overrides_of(arm, tasks, self.rows, rate)
        recipe = load_recipe(str(RECIPE), [f"tasks=[{cards}]", f"seed={seed}", *overrides])
        opened = pipeline.open_run(recipe, self.runs / name)
        pipeline.carry_out(opened, recipe, "evaluate", cache=self.runs / "cache")
        assert isinstance(opened, Run)
        assert isinstance(recipe, GlueRecipe)
        path = self.results / "rows" / f"{name}.npz"
        sha256 = pack_predictions(opened, models_of(recipe), path)
        return {"models": models_of(recipe), "predictions": path.name, "sha256": sha256,
                "scores": scores_of_student(opened.folder, opened.tasks),
                "seconds": seconds_by_stage(opened.folder), "machine": environment()}  # fmt: skip


def models_of(recipe: Any) -> list[str]:
    """Return the models whose predictions are kept."""
    teachers = [c.name for c in recipe.teachers.candidates] + [ENSEMBLE] if recipe.teachers else []
    return [*teachers, STUDENT, *([FINETUNED] if recipe.student.finetune else [])]


def scores_of_student(folder: Path, tasks: Any) -> dict[str, float]:
    """Return the student's score by task and dev split, as the run's own evaluation has it."""
    from mtkd.metrics import task_score

    content = json.loads((folder / "evaluation" / "metrics.json").read_text("utf-8"))
    found = content["models"][STUDENT]
    return {key: task_score(tasks[key.split("/")[0]], own) for key, own in found.items()}


def seconds_by_stage(folder: Path) -> dict[str, float]:
    """Return how long each stage's artefacts took, those from the cache included."""
    from mtkd.artifacts import read_manifest

    found: dict[str, float] = {}
    for path in sorted(folder.rglob("manifest.json")):
        manifest = read_manifest(path.parent)
        if manifest is not None:
            found[manifest.stage] = found.get(manifest.stage, 0.0) + manifest.seconds
    return {stage: round(seconds, 1) for stage, seconds in found.items()}


if __name__ == "__main__":
    main()
