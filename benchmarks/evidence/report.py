"""docs/evidence.md: tables and pictures of all runs that are there, made anew each time."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.arms import read_done, spread
from benchmarks.evidence.arms import ARMS, COMPARISONS, STUDENT
from benchmarks.evidence.rows import gold_of, scored
from benchmarks.evidence.statistics import Interval, Scored, differences, holm, permutation_test
from benchmarks.harness import Table
from benchmarks.results import table_lines

if TYPE_CHECKING:
    from mtkd.task import Task

REPORT = Path(__file__).parents[2] / "docs/evidence.md"
QUESTIONS = {
    1: "Is the student better than plain multi-task training, its teachers, their ensemble?",
    2: "Do tasks without teachers gain?",
    3: "How much comes from what?",
    4: "A student of half the depth",
    5: "Few labels",
}
_TRAINING = ("refine", "teach", "distill")

Arms = Mapping[str, list[Mapping[str, Any]]]


def write_report(
    results: Path, settings: Sequence[str], cards: Mapping[str, Path], report: Path = REPORT
) -> None:
    """Write the report of the runs of some settings. Args: cards: of the tasks, as scored."""
    from mtkd.task import load_task

    tasks = {name: load_task(path) for name, path in cards.items()}
    gold = {name: gold_of(task) for name, task in tasks.items()}
    tuning = {name: load_task(path.with_name("tuning.yaml")) for name, path in cards.items()}
    tuning_gold = {name: gold_of(task) for name, task in tuning.items()}
    arms: dict[str, list[Mapping[str, Any]]] = {}
    for (arm, _), line in sorted(read_done(results / "runs.jsonl", settings).items()):
        arms.setdefault(arm, []).append(line)
    lines = [
        "# Evidence", "",
        "Made by `make evidence` of what stands in benchmarks/evidence/results/; the protocol, "
        "with its parts of the data, is benchmarks/evidence/PROTOCOL.md.", "",
        f"Settings: {'; '.join(settings)}. Rows that are scored: "
        + ", ".join(f"{name} {len(values):,}" for name, values in gold.items()) + ".", "",
        "## Scores", "", *table_lines(_scores(arms, results, tasks, gold)), "",
        "## Choosing settings", "", "Scores on the rows set aside for that.", "",
        *table_lines(_scores(arms, results, tuning, tuning_gold, tunes=True)), "",
    ]  # fmt: skip
    gaps: dict[str, Interval] = {}
    for question, title in QUESTIONS.items():
        table = _compared(question, arms, results, tasks, gold, gaps)
        lines += [f"## {question}. {title}", "",
                  *(table_lines(table) if table.rows else ["Not run yet."]), ""]  # fmt: skip
    lines += ["## Cost", "", *table_lines(_cost(arms)), ""]
    if gaps:
        name = draw(gaps, report.parent / "evidence")
        lines += ["## The differences", "", f"![Differences of the mean over tasks]({name})", ""]
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n".join(lines), "utf-8")
    print(f"wrote {report}")


def _scores(
    arms: Arms, results: Path, tasks: Mapping[str, Task], gold: Mapping[str, Any],
    *, tunes: bool = False,
) -> Table:  # fmt: skip
    rows = []
    for arm, lines in arms.items():
        if ARMS[arm].tunes != tunes:
            continue
        for model in lines[0]["models"]:
            found = scored(lines, results / "rows", model, tasks, gold)
            cells = [spread(list(found[t].scores)) if t in found else "" for t in tasks]
            mean = ""
            if len(found) == len(tasks):
                mean = spread(np.mean([each.scores for each in found.values()], axis=0).tolist())
            rows.append((arm, model, str(len(lines)), *cells, mean))
    return Table(("arm", "model", "seeds", *tasks, "mean"), tuple(rows))


def _compared(
    question: int, arms: Arms, results: Path, tasks: Mapping[str, Task],
    gold: Mapping[str, Any], gaps: dict[str, Interval],
) -> Table:  # fmt: skip
    rows = []
    for (one, own), (other, theirs) in COMPARISONS[question]:
        pair = _pair(arms.get(one, []), own, arms.get(other, []), theirs, results, tasks, gold)
        if pair is None:
            continue
        first, second, seeds = pair
        found = differences(first, second)
        p_values = holm({task: permutation_test(first[task], second[task]) for task in first})
        name = f"{_named(one, own)} less {_named(other, theirs)}"
        if len(first) == len(tasks):
            gaps[f"{question}: {name}"] = found["mean"]
        cells = [f"{found[t].cell()}, p {p_values[t]:.3f}" if t in first else "" for t in tasks]
        rows.append((name, str(seeds), *cells, found["mean"].cell()))
    return Table(("difference, in points", "seeds", *tasks, "mean"), tuple(rows))


def _pair(
    one: list[Mapping[str, Any]], own: str, other: list[Mapping[str, Any]], theirs: str,
    results: Path, tasks: Mapping[str, Task], gold: Mapping[str, Any],
) -> tuple[dict[str, Scored], dict[str, Scored], int] | None:  # fmt: skip
    """Return two models' predictions for the seeds and tasks that both have."""
    seeds = sorted({line["seed"] for line in one} & {line["seed"] for line in other})
    if not seeds:
        return None
    sides = [
        scored([line for line in lines if line["seed"] in seeds], results / "rows", model, tasks,
               gold)
        for lines, model in ((one, own), (other, theirs))
    ]  # fmt: skip
    both = [task for task in sides[0] if task in sides[1]]
    return {t: sides[0][t] for t in both}, {t: sides[1][t] for t in both}, len(seeds)


def _named(arm: str, model: str) -> str:
    return arm if model == STUDENT else f"{arm}: {model}"


def _cost(arms: Arms) -> Table:
    """Return the seconds of each arm's runs, and how much of them is not training."""
    rows = []
    for arm, lines in arms.items():
        seconds = [sum(line["seconds"].values()) for line in lines]
        training = [sum(line["seconds"].get(stage, 0.0) for stage in _TRAINING) for line in lines]
        share = 100 * (1 - sum(training) / sum(seconds))
        rows.append((arm, str(len(lines)), f"{statistics.median(seconds):,.0f}", f"{share:.0f} %"))
    columns = ("arm", "runs", "seconds a run, shared teachers included", "not training")
    return Table(columns, tuple(rows))


def draw(gaps: Mapping[str, Interval], folder: Path) -> str:
    """Draw each difference with its interval; return the picture's path from the report."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1 + 0.3 * len(gaps)), layout="constrained")
    axes = figure.subplots()
    names = list(gaps)[::-1]
    means = [gaps[name].mean for name in names]
    axes.axvline(0, color="0.6", linewidth=1)
    axes.errorbar(
        means,
        range(len(names)),
        xerr=[
            [gaps[name].mean - gaps[name].low for name in names],
            [gaps[name].high - gaps[name].mean for name in names],
        ],
        fmt="o",
        capsize=3,
    )
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("points of the mean over tasks, 95 % interval")
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("png", "svg"):
        figure.savefig(folder / f"differences.{kind}", dpi=150)
    return f"{folder.name}/differences.png"
