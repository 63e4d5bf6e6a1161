"""Small prepared splits of made-up rows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from mtkd.encoders import load_tokenizer
from mtkd.examples import Example, tokenise
from mtkd.examples.prepared import PreparedSplit
from mtkd.task import Task, load_task

RTE, STSB, QNLI, SST2 = (load_task(name) for name in ("rte", "stsb", "qnli", "sst2"))
_WORDS = (
    "the cat dog bird man child sleeps sees runs eats big small red happy sad and not "
    "story film good bad"
)


def sentence(rng: random.Random, longest: int = 9) -> str:
    return " ".join(rng.choices(_WORDS.split(), k=rng.randint(1, longest)))


def make_examples(task: Task, count: int, split: str = "train", seed: int = 0) -> list[Example]:
    """Rows of different lengths; each two rows of qnli share their first text."""
    rng = random.Random(f"{task.name}/{split}/{seed}")
    firsts = [sentence(rng) for _ in range(count)]
    if task.name == QNLI.name:
        firsts = [f"who sees {firsts[i // 2]}" for i in range(count)]
    seconds = [sentence(rng) for _ in range(count)]
    labels: list[float] = [
        i % 2 if task.kind == "classification" else round(rng.uniform(0, 5), 1)
        for i in range(count)
    ]
    texts = zip(firsts, seconds, strict=True) if len(task.texts) == 2 else zip(firsts, strict=True)
    return [
        Example(f"{task.name}/{split}/{i}", pair, label)
        for i, (pair, label) in enumerate(zip(texts, labels, strict=True))
    ]


def prepare(examples: Sequence[Example], encoder: str, path: Path) -> PreparedSplit:
    """Tokenise rows for an encoder into `path`, and open them."""
    tokenizer = load_tokenizer(encoder)
    tokenise(examples, tokenizer, 64, path)
    return PreparedSplit(path, tokenizer.pad_token_id)
