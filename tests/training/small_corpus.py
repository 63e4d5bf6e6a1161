"""A training of a second on a corpus: a few rows of made-up tokens, tiny BERTs, and the loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from transformers import AutoModelForMaskedLM, BertConfig

from mtkd.devices import start_accelerator
from mtkd.distillation import DistilledEncoder
from mtkd.examples.prepared import PreparedSplit
from mtkd.recipe import TrainingSettings
from mtkd.training import Evaluation, train
from mtkd.training.corpus import TrainingCorpus
from mtkd.training.encoder_goal import EncoderGoal

WORDS, WIDTH = 60, 16
SETTINGS = TrainingSettings(epochs=2, batch_size=4, learning_rate=1e-3, precision="fp32",
                            optimizer="adamw", keep="last", log_every=2)  # fmt: skip


def model(layers: int, seed: int, width: int = WIDTH, dropout: float = 0.1) -> Any:
    config = BertConfig(
        vocab_size=WORDS, hidden_size=width, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=40, hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )  # fmt: skip
    torch.manual_seed(seed)
    return AutoModelForMaskedLM.from_config(config)


def make_corpus(folder: Path) -> TrainingCorpus:
    """17 rows of 4 to 20 tokens."""
    draw = np.random.default_rng(2)
    rows = [[1, *draw.integers(5, WORDS, n).tolist(), 2] for n in draw.integers(2, 18, 17)]
    path = folder / "train.arrow"
    columns = {
        "guid": [f"corpus/train/{number}" for number in range(len(rows))],
        "input_ids": pa.array(rows, pa.list_(pa.int32())),
        "length": [len(row) for row in rows],
    }
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return TrainingCorpus(PreparedSplit(path, 0))


def fit(goal: EncoderGoal, student: DistilledEncoder, corpus: TrainingCorpus, folder: Path,
        **settings: Any) -> DistilledEncoder:  # fmt: skip
    chosen = TrainingSettings(**{**SETTINGS.model_dump(), **settings})
    train(
        student, [corpus], chosen, goal, start_accelerator("fp32"), seed=11, folder=folder,
        evaluate=lambda _: Evaluation({"corpus": 0.0}, {"corpus/dev": {"loss": 0.0}}),
        title="student",
    )  # fmt: skip
    return student
