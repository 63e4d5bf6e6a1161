"""docs/evidence.md: tables and pictures of all runs that are there, made anew each time."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.arms import spread
from benchmarks.evidence.arms import (
    ARMS,
    COMPARISONS,
    PLAIN,
    RATES,
    SEEN,
    SOME,
    Comparison,
    chosen_tasks,
)
from benchmarks.evidence.rows import Line, gold_of, scored
from benchmarks.evidence.statistics import Difference, Scored, differences, holm
from benchmarks.harness import Table
from benchmarks.results import table_lines

if TYPE_CHECKING:
    from benchmarks.evidence.__main__ import Evidence
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
_NOTHING = "Not run yet."


class Runs:
    """All finished runs of the arms at one learning rate, and what is right in the scored rows."""

    def __init__(self, evidence: Evidence, rate: str) -> None:
        from mtkd.task import load_task

        self.folder = evidence.results / "rows"
        self.cards: dict[str, Task] = {
            task: load_task(evidence.card(task, "final")) for task in evidence.tasks
        }
        self.gold = {task: gold_of(card) for task, card in self.cards.items()}
        found = {arm: evidence.found(arm, rate, "final") for arm in ARMS}
        self.arms: dict[str, list[Line]] = {arm: [*lines] for arm, lines in found.items() if lines}

    def scored(self, lines: Sequence[Line], model: str) -> dict[str, Scored]:
        """Return what a model predicted of each task, in these runs of one arm."""
        return scored(lines, self.folder, model, self.cards, self.gold)

    def compared(self, comparison: Comparison) -> dict[str, Difference]:
        """Return differences by task and their "mean"; empty where either side has no run yet."""
        arms = [self.arms.get(arm, []) for arm, _ in comparison.sides]
        seeds = {line["seed"] for line in arms[0]} & {line["seed"] for line in arms[1]}
        one, other = (
            self.scored([line for line in lines if line["seed"] in seeds], model)
            for lines, (_, model) in zip(arms, comparison.sides, strict=True)
        ) if seeds else ({}, {})  # fmt: skip
        tasks = [t for t in chosen_tasks(comparison.which, [*self.cards])
                 if t in one and t in other and t not in SEEN]  # fmt: skip
        if not tasks:
            return {}
        return differences({t: one[t] for t in tasks}, {t: other[t] for t in tasks})


def write_report(evidence: Evidence, rate: str | None) -> Path:
    """Write the report; into docs/ where these are the protocol's own results, else beside them.

    Args: rate: of learning, that was chosen; None where that is not done.
    """
    path = REPORT if evidence.is_protocols else evidence.results / "evidence.md"
    lines = [
        "# Evidence", "",
        "Made by `make evidence` of what stands in benchmarks/evidence/results/, by the protocol "
        f"in benchmarks/evidence/PROTOCOL.md. Tasks: {', '.join(evidence.tasks)}; at most "
        f"{evidence.rows:,} train rows each.", "",
        "## The learning rate", "", *_rates(evidence, rate), "",
    ]  # fmt: skip
    gaps: dict[str, Difference] = {}
    if rate is not None:
        runs = Runs(evidence, rate)
        counts = ", ".join(f"{task} {len(gold):,}" for task, gold in runs.gold.items())
        text = (f"Rows that are scored: {counts}. The mean is over tasks whose text the encoder "
                "has not seen.")  # fmt: skip
        lines += ["## Scores", "", text, "", *table_lines(_scores(runs)), ""]
        for question, title in QUESTIONS.items():
            table = _differences(question, runs, gaps)
            lines += [f"## {question}. {title}", "",
                      *(table_lines(table) if table.rows else [_NOTHING]), ""]  # fmt: skip
        lines += ["## Cost", "", *table_lines(_cost(runs)), ""]
    if gaps:
        name = draw(gaps, path.parent / "evidence")
        lines += ["## The differences", "", f"![Differences of the mean over tasks]({name})", ""]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), "utf-8")
    print(f"wrote {path}")
    return path


def _rates(evidence: Evidence, rate: str | None) -> list[str]:
    rows = []
    for each in RATES:
        cells = []
        for arm in (PLAIN, SOME):
            lines = evidence.found(arm, each, "tuning")
            means = [100 * statistics.fmean(line["scores"].values()) for line in lines]
            cells.append(spread(means) if means else "")
        rows.append((each, *cells, "yes" if each == rate else ""))
    text = "Mean scores on the rows set aside for choosing it."
    return [text, "", *table_lines(Table(("rate", PLAIN, SOME, "chosen"), tuple(rows)))]


def _scores(runs: Runs) -> Table:
    majority = {}
    for task, gold in runs.gold.items():
        values, counts = np.unique(gold, return_counts=True)
        own = np.full((1, len(gold)), values[counts.argmax()])
        majority[task] = Scored(runs.cards[task].metrics, gold, own)
    rows = [("the same answer everywhere", "", "", *_cells(majority, runs))]
    for arm, lines in runs.arms.items():
        for model in lines[0]["models"]:
            rows.append((arm, model, str(len(lines)), *_cells(runs.scored(lines, model), runs)))
    return Table(("arm", "model", "seeds", *runs.cards, "mean"), tuple(rows))


def _cells(found: Mapping[str, Scored], runs: Runs) -> list[str]:
    """Return a score with its deviation over seeds: of each task, and of all if all are there."""
    cells = [spread(found[t].scores.tolist()) if t in found else "" for t in runs.cards]
    counted = [task for task in runs.cards if task not in SEEN]
    mean = ""
    if counted and all(task in found for task in counted):
        mean = spread(np.mean([found[task].scores for task in counted], axis=0).tolist())
    return [*cells, mean]


def _differences(question: int, runs: Runs, gaps: dict[str, Difference]) -> Table:
    rows = []
    for comparison in COMPARISONS[question]:
        found = runs.compared(comparison)
        if not found:
            continue
        mean = found.pop("mean")
        gaps[f"{comparison.name} ({mean.seeds} seeds)"] = mean
        p_values = {task: each.p for task, each in found.items() if each.p is not None}
        corrected = holm(p_values)
        cells = [_cell(found[t], corrected.get(t)) if t in found else "" for t in runs.cards]
        rows.append((comparison.name, str(mean.seeds), *cells, _cell(mean, mean.p)))
    return Table(("difference, in points", "seeds", *runs.cards, "mean"), tuple(rows))


def _cell(difference: Difference, p: float | None) -> str:
    return difference.cell() + ("" if p is None else f", p {p:.4f}")


def _cost(runs: Runs) -> Table:
    """Return the seconds of each arm's runs, and how much of them is not training."""
    rows = []
    for arm, lines in runs.arms.items():
        seconds: list[float] = [sum(line["seconds"].values()) for line in lines]
        training = [sum(line["seconds"].get(stage, 0.0) for stage in _TRAINING) for line in lines]
        share = 100 * (1 - sum(training) / sum(seconds))
        rows.append((arm, str(len(lines)), f"{statistics.median(seconds):,.0f}", f"{share:.0f} %"))
    columns = ("arm", "runs", "seconds a run, shared teachers included", "not training")
    return Table(columns, tuple(rows))


def draw(gaps: Mapping[str, Difference], folder: Path) -> str:
    """Draw each difference with its interval; return the picture's path from the report."""
    from matplotlib.figure import Figure

    names = [name for name in gaps if np.isfinite(gaps[name].low)][::-1]
    figure = Figure(figsize=(9, 1 + 0.3 * len(names)), layout="constrained")
    axes = figure.subplots()
    below: Any = [gaps[name].mean - gaps[name].low for name in names]
    above: Any = [gaps[name].high - gaps[name].mean for name in names]
    axes.axvline(0, color="0.6", linewidth=1)
    means = [gaps[name].mean for name in names]
    axes.errorbar(means, range(len(names)), xerr=[below, above], fmt="o", capsize=3)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("points of the mean over tasks, 95 % interval")
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("png", "svg"):
        figure.savefig(folder / f"differences.{kind}", dpi=150)
    return f"{folder.name}/differences.png"
