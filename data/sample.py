"""The rows of each task and split: balanced, without duplicates or leaks, noisy in train only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from .acceptability import acceptability
from .answers import answer
from .domains import DOMAINS, OTHER_DOMAINS, Domain
from .inference import three_way, two_way
from .pairs import paraphrase
from .pronouns import pronoun
from .questions import question_pair
from .sentiment import sentiment
from .similarity import similarity

SEED = 20190420
# share of the training rows of a classification task whose label is another than it should be
LABEL_NOISE = 0.05
# standard deviation of what is added to the scores of STS-B's training rows, which run from 0 to 5
SCORE_NOISE = 0.3
# share of the rows with a stray quotation mark, as cut-out quotations leave them in GLUE's files
_STRAY_QUOTES = 0.03

ROWS = {"train": 300, "dev": 150, "test": 100, "unlabelled": 300, "diagnostic": 150}


@dataclass(frozen=True)
class Row:
    """One row; ``label`` is what the file says, ``clean`` what is right."""

    texts: tuple[str, ...]
    label: str
    clean: str
    domain: str
    phenomenon: str


@dataclass(frozen=True)
class Task:
    """A task of the sample.

    ``make(rng, domain, label)`` returns (texts, phenomenon), and for regression the score too.
    ``labels`` are dealt in turn, so a label named twice is twice as frequent.
    """

    folder: str
    make: Callable[[Random, Domain, str], Any]
    labels: tuple[str, ...]
    splits: tuple[str, ...] = ("train", "dev", "test")
    symmetric: bool = field(default=False, kw_only=True)


_TRUTH = ("entailment", "not_entailment")
_NLI = ("entailment", "neutral", "contradiction")
_MNLI_SPLITS = (
    "train",
    "dev_matched",
    "dev_mismatched",
    "test_matched",
    "test_mismatched",
    "diagnostic",
    "unlabelled",
)
_WITH_UNLABELLED = ("train", "dev", "test", "unlabelled")

TASKS = (
    Task("CoLA", acceptability, ("0", "1")),
    Task("SST-2", sentiment, ("0", "1")),
    Task("MRPC", paraphrase, ("1", "0", "1"), symmetric=True),
    Task("STS-B", similarity, (), symmetric=True),
    Task("QQP", question_pair, ("0", "1", "0"), _WITH_UNLABELLED, symmetric=True),
    Task("MNLI", three_way, _NLI, _MNLI_SPLITS),
    Task("QNLI", answer, _TRUTH, _WITH_UNLABELLED),
    Task("RTE", two_way, _TRUTH, _WITH_UNLABELLED),
    Task("WNLI", pronoun, ("0", "1")),
)


def draw(task: Task, seed: int = SEED) -> Iterator[tuple[str, list[Row]]]:
    """Yield (split, rows) of a task; rows depend on seed, task and earlier splits only."""
    seen: set[tuple[str, ...]] = set()
    for split in task.splits:
        rng = Random(f"{seed}/{task.folder}/{split}")
        rows = _draw_split(rng, task, split, seen)
        yield split, _with_noise(rng, task, rows) if split == "train" else rows


def _draw_split(rng: Random, task: Task, split: str, seen: set[tuple[str, ...]]) -> list[Row]:
    count = ROWS[split.split("_")[0]]
    domains = _domains(split)
    deck = [task.labels[i % len(task.labels)] if task.labels else "" for i in range(count)]
    rng.shuffle(deck)
    rows: list[Row] = []
    while len(rows) < count:
        domain = rng.choice(domains)
        label = deck[len(rows)]
        texts, phenomenon, *score = task.make(rng, domain, label)
        key = tuple(sorted(texts)) if task.symmetric else texts
        if key in seen or len(set(texts)) < len(texts):
            continue
        seen.add(key)
        clean = f"{score[0]:.3f}" if score else label
        rows.append(Row(_stray_quote(rng, texts), clean, clean, domain.name, phenomenon))
    return rows


def _domains(split: str) -> tuple[Domain, ...]:
    if split == "diagnostic":
        return DOMAINS + OTHER_DOMAINS
    return OTHER_DOMAINS if split.endswith("mismatched") else DOMAINS


def _stray_quote(rng: Random, texts: tuple[str, ...]) -> tuple[str, ...]:
    if rng.random() >= _STRAY_QUOTES:
        return texts
    at = rng.randrange(len(texts))
    marked = rng.choice((f'"{texts[at]}', f'{texts[at]}"'))
    return (*texts[:at], marked, *texts[at + 1 :])


def _with_noise(rng: Random, task: Task, rows: list[Row]) -> list[Row]:
    if not task.labels:
        scores = (min(max(float(row.clean) + rng.gauss(0, SCORE_NOISE), 0.0), 5.0) for row in rows)
        return [replace(row, label=f"{score:.3f}") for row, score in zip(rows, scores, strict=True)]
    wrong = set(rng.sample(range(len(rows)), round(LABEL_NOISE * len(rows))))
    names = list(dict.fromkeys(task.labels))
    return [
        replace(row, label=rng.choice([name for name in names if name != row.clean]))
        if index in wrong
        else row
        for index, row in enumerate(rows)
    ]
