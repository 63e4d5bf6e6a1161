"""`make evidence GLUE=glue_data`, or `python -m benchmarks.evidence GLUE_DATA [--questions 1 2]`.

Carries out PROTOCOL.md: runs what is missing of each question's arms, appends a line for each to
results/runs.jsonl and its predictions to results/rows/, then writes docs/evidence.md. Stopped, the
same command goes on.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.arms import carry_out, start
from benchmarks.evidence.arms import ARMS, RECIPE, SEEDS, TASKS, overrides_of
from benchmarks.evidence.parts import write_parts

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run what is missing, then write the report of all that is there."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[2])
    parser.add_argument("glue", type=Path, help="a glue_data folder")
    parser.add_argument("--questions", type=int, nargs="*", choices=[*SEEDS], default=[*SEEDS],
                        help="all unless told; none: the report alone")  # fmt: skip
    parser.add_argument("--arms", nargs="+", choices=[*ARMS], help="in place of questions")
    parser.add_argument("--seeds", type=int, nargs="+", help="else as many as the protocol has")
    parser.add_argument("--tasks", nargs="+", default=[*TASKS])
    parser.add_argument("--rows", type=int, default=1000, help="train rows a task")
    parser.add_argument("--runs", type=Path, default=Path("runs/evidence"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    start()
    for task in given.tasks:
        write_parts(task, given.glue, given.runs / "parts")
    settings = settings_of(given.tasks, given.rows)

    def once(arm: str, seed: int) -> dict[str, Any]:
        return run(arm, seed, given)

    for arm, seeds in wanted(given.questions, given.arms, given.seeds):
        carry_out(given.results / "runs.jsonl", settings, [arm], seeds, once)
    from benchmarks.evidence.report import write_report

    write_report(given.results, settings, {t: card_of(given.runs, t) for t in given.tasks})


def settings_of(tasks: list[str], rows: int) -> list[str]:
    """Return what lines of the results have in common that can be compared."""
    recipe = hashlib.sha256(RECIPE.read_bytes()).hexdigest()[:16]
    return [f"recipe={recipe}", f"tasks={','.join(tasks)}", f"rows={rows}"]


def wanted(
    questions: list[int], arms: list[str] | None, seeds: list[int] | None
) -> Iterator[tuple[str, list[int]]]:
    """Give arms with their seeds, question by question."""
    asked = [(arm, 1) for arm in arms or ()]
    if arms is None:
        asked = [(arm, max(SEEDS[q] for q in own.questions)) for question in questions
                 for arm, own in ARMS.items() if question in own.questions]  # fmt: skip
    for arm, number in dict(asked).items():
        yield arm, seeds or [*range(1, number + 1)]


def card_of(runs: Path, task: str, *, tunes: bool = False) -> Path:
    """Return the card of a task's parts."""
    return (runs / "parts" / task / ("tuning.yaml" if tunes else "final.yaml")).absolute()


def run(arm: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Carry out one arm with one seed; return its line, the predictions being packed beside."""
    from benchmarks.evidence.rows import pack_predictions
    from mtkd import pipeline
    from mtkd.artifacts import environment, fingerprint
    from mtkd.recipe import load_recipe

    cards = {task: card_of(given.runs, task, tunes=ARMS[arm].tunes) for task in given.tasks}
    overrides = overrides_of(arm, seed, cards, given.rows)
    slug = "".join(c if c.isalnum() else "-" for c in arm) + f"-{seed}-{given.rows}"
    opened = pipeline.open_run(load_recipe(str(RECIPE), overrides), given.runs / slug)
    pipeline.carry_out(opened, opened.recipe, "evaluate", cache=given.runs / "cache")
    models = pack_predictions(opened, given.results / "rows" / f"{slug}.npz")
    return {
        "recipe": fingerprint(opened.recipe.model_dump(mode="json", exclude={"data", "tasks"})),
        "models": models,
        "predictions": f"{slug}.npz",
        "seconds": seconds_by_stage(opened.folder),
        "machine": environment(),
    }


def seconds_by_stage(folder: Path) -> Mapping[str, float]:
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
