"""`pipeline("text-classification")` over rows, as people score them: it tokenises as it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from benchmarks.machine import clock
from benchmarks.peers.run_glue import classifier
from benchmarks.rows import ENCODER, MAX_LENGTH, TaskRows
from mtkd.devices import resolve_precision
from mtkd.encoders import load_tokenizer


def scorers(
    rows: Mapping[str, TaskRows], *, batch_size: int | None, best: bool = False
) -> Callable[[], float]:
    """Return what measures the seconds in which a teacher scores every task's rows.

    Args: batch_size: None for a loop that gives the pipeline one row after another. best: in
        mtkd's number format, rows of like length together.
    """
    from transformers import pipeline

    tokenizer = load_tokenizer(ENCODER)
    pipes = {
        name: pipeline(
            "text-classification",
            model=classifier(task_rows),
            tokenizer=tokenizer,
            device=0 if torch.cuda.is_available() else -1,
            function_to_apply="none",
            top_k=None,
        )
        for name, task_rows in rows.items()
    }
    texts = {name: r.texts() for name, r in rows.items()}
    bf16 = best and resolve_precision("auto") == "bf16"
    if best:
        for name, r in rows.items():
            order = np.argsort(-r.split.lengths[r.chosen], kind="stable")
            texts[name] = [texts[name][i] for i in order]
    cut = {"truncation": True, "max_length": MAX_LENGTH}

    def score() -> float:
        started = clock()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            for name, pipe in pipes.items():
                if batch_size is None:
                    for row in texts[name]:
                        pipe(row, **cut)
                else:
                    pipe(texts[name], batch_size=batch_size, **cut)
        return clock() - started

    return score
