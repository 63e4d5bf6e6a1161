"""Training an encoder on the benchmarks' rows, as `mtkd compress` and `mtkd lifelong` do."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.rows import ENCODER, TaskRows

if TYPE_CHECKING:
    from mtkd.distillation import DistilledEncoder, Term
    from mtkd.recipe import EmbeddingSettings


@dataclasses.dataclass(frozen=True)
class Source:
    """Some rows as a corpus of its own, as the loop takes it."""

    rows: Any
    name: str
    places: Any
    ranked: bool = False


class Blocks:
    """Rows joined to blocks of as many tokens each, as prepared rows are read.

    Args: tokens: of a block.
    """

    def __init__(self, rows: Iterable[TaskRows], tokens: int) -> None:
        import numpy as np

        rows = tuple(rows)
        joined = np.concatenate([t for task in rows for t in task.split.tokens(task.chosen)])
        self.blocks = joined[: len(joined) // tokens * tokens].reshape(-1, tokens)
        self.lengths = np.full(len(self.blocks), tokens)
        self.pad_token_id = rows[0].split.pad_token_id

    def tokens(self, rows: Any) -> list[Any]:
        """Return the token ids of some blocks."""
        return list(self.blocks[rows])


def sources_of(rows: Mapping[str, TaskRows]) -> list[Source]:
    """Return each task's chosen rows as a corpus."""
    return [Source(task.split, name, task.chosen) for name, task in rows.items()]


def seconds_of_training(
    sources: Sequence[Source],
    student: DistilledEncoder,
    terms: tuple[Term, ...],
    teacher: DistilledEncoder | None,
    settings: Mapping[str, Any],
    embeddings: EmbeddingSettings | None = None,
) -> float:
    """Return how long a training takes, its first and last update and all between them.

    Args: settings: of `TrainingSettings`, beside those that both pipelines share.
    """
    import numpy as np

    from benchmarks.machine import clock
    from mtkd.batching.masking import Masking, masking_weights
    from mtkd.devices import start_accelerator
    from mtkd.encoders import load_tokenizer
    from mtkd.recipe import EmbeddingSettings, TrainingSettings
    from mtkd.training import Evaluation, train
    from mtkd.training.encoder_goal import EncoderGoal

    tokenizer = load_tokenizer(ENCODER)
    counts = np.ones(len(tokenizer), dtype=np.int64)
    masking = Masking(masking_weights(counts, 0.7, tokenizer.all_special_ids),
                      tokenizer.mask_token_id)  # fmt: skip
    accelerator = start_accelerator("auto")
    if teacher is not None:
        teacher.to(accelerator.device)
    goal = EncoderGoal(terms, student.needs, teacher, masking, 1, embeddings or EmbeddingSettings())
    training = TrainingSettings.model_validate(
        {"optimizer": "adamw", "keep": "last", "learning_rate": 5e-4, **settings}
    )
    with tempfile.TemporaryDirectory() as folder:
        started = clock()
        train(student, sources, training, goal, accelerator, seed=1, folder=Path(folder),
              evaluate=lambda _: Evaluation({"none": 0.0}, {}), title="benchmark")  # fmt: skip
        return clock() - started
