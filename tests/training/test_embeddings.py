"""Losses between the texts of a batch: what is embedded, by which pass, and what a queue keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtkd.batching.masking import Masking, masking_weights
from mtkd.devices import start_accelerator
from mtkd.distillation import DistilledEncoder, Shape
from mtkd.distillation.pair import make_pair
from mtkd.errors import Interrupted
from mtkd.losses import seed_distillation, simcse, similarity_distillation
from mtkd.recipe import EmbeddingSettings, EncoderLosses, derive_seed
from mtkd.stages.compress.held_out import score_held_out
from mtkd.training.corpus import TrainingCorpus
from mtkd.training.encoder_goal import EncoderGoal
from tests.training.small import after_step, same, terminate, weights
from tests.training.small_corpus import WIDTH, WORDS, fit, model

ALL = {
    "mlm": {"weight": 1.0},
    "soft_mlm": {"weight": 1.0, "temperature": 1.0, "restrict_to_masked": True},
    "representation": {"weight": 0.5},
    "simcse": {"weight": 0.7, "temperature": 0.3},
    "contrastive": {"weight": 0.2, "temperature": 0.4, "teacher_temperature": 0.2},
    "seed": {"weight": 0.3, "temperature": 0.5, "teacher_temperature": 0.25},
}
PLACES = np.arange(6)


def goal_for(
    losses: dict[str, Any] = ALL, dropout: float = 0.1, **embeddings: Any
) -> tuple[EncoderGoal, DistilledEncoder]:
    """A goal, and a student that is not its teacher."""
    pair = make_pair(EncoderLosses.model_validate(losses), *[Shape(2, WIDTH, 2, WORDS)] * 2)
    teacher = DistilledEncoder(model(2, 1), pair.teacher).requires_grad_(False).eval()
    masks = Masking(masking_weights(np.ones(WORDS, dtype=np.int64), 0.7, {0, 1, 2, 3, 4}), 3)
    goal = EncoderGoal(pair.terms, pair.student, teacher, masks, seed=9,
                       embeddings=EmbeddingSettings(**embeddings))  # fmt: skip
    return goal, DistilledEncoder(model(2, 2, dropout=dropout), pair.student, queue=12)


def embed(encoder: DistilledEncoder, rows: list[np.ndarray], pooling: str) -> torch.Tensor:
    """Each text by itself, without padding, by transformers' own forward pass."""
    found = []
    for row in rows:
        ids = torch.tensor(row, dtype=torch.long)[None]
        with torch.no_grad():
            last = encoder.encoder(input_ids=ids).last_hidden_state[0]
        found.append(last[0] if pooling == "first" else last.mean(0))
    return torch.stack(found)


@pytest.mark.parametrize("inputs", ["masked", "unmasked"])
@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_losses_are_those_of_embeddings_of_each_text_by_itself(
    corpus: TrainingCorpus, inputs: str, pooling: str
) -> None:  # fmt: skip
    goal, student = goal_for(dropout=0.0, inputs=inputs, pooling=pooling)
    accelerator = start_accelerator("fp32")
    student.eval()
    student.queue.push(torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(4)))
    (piece,) = goal.pieces(corpus, PLACES, 0, 1, accelerator)
    total, parts = goal.loss(student, corpus, piece, 1.0, 0.0, accelerator)
    drawn = goal.drawn(corpus, PLACES, derive_seed(goal.seed, "masks", 0))
    rows = drawn.masked if inputs == "masked" else drawn.tokens
    own, other = (embed(each, rows, pooling) for each in (student, goal.teacher))
    contrastive, apart = similarity_distillation(own, other, 0.4, 0.2)
    seed, seed_apart = seed_distillation(own, other, student.queue.filled, 0.5, 0.25)
    by_hand = {
        "simcse": simcse(own, own, 0.3).mean(), "contrastive": contrastive.mean(),
        "contrastive_divergence": apart.mean(), "seed": seed.mean(),
        "seed_divergence": seed_apart.mean(),
    }  # fmt: skip
    for name, value in by_hand.items():
        assert parts[name].item() == pytest.approx(value.item(), abs=2e-4), name
    weighted = sum(ALL[name]["weight"] * parts[name].item() for name in ALL)
    assert total.item() == pytest.approx(weighted, rel=1e-5)


@pytest.mark.parametrize("inputs", ["masked", "unmasked"])
def test_other_losses_are_as_they_are_without_embeddings(
    corpus: TrainingCorpus, inputs: str
) -> None:  # fmt: skip
    plain = {name: ALL[name] for name in ("mlm", "soft_mlm", "representation")}
    found = []
    for losses in (plain, ALL):
        goal, student = goal_for(losses, dropout=0.0, inputs=inputs)
        accelerator = start_accelerator("fp32")
        (piece,) = goal.pieces(corpus, PLACES, 0, 1, accelerator)
        _, parts = goal.loss(student.eval(), corpus, piece, 1.0, 0.0, accelerator)
        found.append({name: parts[name].item() for name in plain})
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_a_text_is_embedded_by_two_draws_of_dropout(corpus: TrainingCorpus) -> None:
    """With one draw twice SimCSE would have nothing to learn but to spread texts."""
    goal, student = goal_for({"simcse": {"weight": 1.0}}, dropout=0.3)
    accelerator = start_accelerator("fp32")
    (piece,) = goal.pieces(corpus, PLACES, 0, 1, accelerator)
    assert len(piece.batch.inputs["input_ids"]) == 2 * len(PLACES)
    with torch.no_grad():
        states, _ = student.train()(piece.batch.inputs, None)
    one, two = piece.batch.embeddings(states.hidden[2], "mean")
    assert (one - two).abs().amax(1).min() > 1e-3


def test_a_batch_is_never_torn_though_pieces_are_asked_for(
    corpus: TrainingCorpus,
) -> None:
    goal, _ = goal_for()
    (piece,) = goal.pieces(corpus, PLACES, 0, 4, start_accelerator("fp32"))
    assert piece.batch.rows == len(PLACES)


def test_a_text_alone_has_no_neighbours_and_no_nan(corpus: TrainingCorpus) -> None:
    goal, student = goal_for()
    accelerator = start_accelerator("fp32")
    (piece,) = goal.pieces(corpus, PLACES[:1], 0, 1, accelerator)
    total, parts = goal.loss(student, corpus, piece, 1.0, 0.0, accelerator)
    total.backward()
    assert parts["contrastive"] == parts["seed"] == 0
    grads = [w.grad for w in student.parameters() if w.grad is not None]
    assert all(grad.isfinite().all() for grad in grads)


def test_the_queue_holds_the_teachers_embeddings_of_the_last_texts_alone(
    corpus: TrainingCorpus, tmp_path: Path
) -> None:  # fmt: skip
    """Not those of the look at memory before the first update, nor of held-out text after."""
    goal, student = goal_for(inputs="unmasked")
    rows = len(corpus.rows)
    fit(goal, student, corpus, tmp_path, epochs=1)
    assert int(student.queue.pushed) == rows
    texts = corpus.rows.tokens(np.arange(rows))
    known = embed(goal.teacher, texts, "mean")
    distances = torch.cdist(student.queue.filled, known)
    assert distances.min(dim=1).values.max() < 1e-3
    before = student.queue.slots.clone()
    score_held_out(student, goal, corpus, start_accelerator("fp32"))
    assert torch.equal(student.queue.slots, before)
    assert not student.queue.slots.requires_grad


def test_a_student_that_is_its_teacher_learns_nothing_from_it_at_equal_temperatures(
    corpus: TrainingCorpus,
) -> None:
    equal = {"weight": 1.0, "temperature": 0.2, "teacher_temperature": 0.2}
    losses = {"contrastive": equal, "seed": equal}
    goal, _ = goal_for(losses)
    pair = make_pair(EncoderLosses.model_validate(losses), *[Shape(2, WIDTH, 2, WORDS)] * 2)
    student = DistilledEncoder(model(2, 1, dropout=0.0), pair.student, queue=12)
    student.queue.push(torch.randn(12, WIDTH, generator=torch.Generator().manual_seed(4)))
    accelerator = start_accelerator("fp32")
    (piece,) = goal.pieces(corpus, PLACES, 0, 1, accelerator)
    total, parts = goal.loss(student, corpus, piece, 1.0, 0.0, accelerator)
    total.backward()
    for name in losses:
        assert parts[name] > 0.1
        assert parts[f"{name}_divergence"].item() == pytest.approx(0, abs=1e-6)
    largest = max(w.grad.abs().max().item() for w in student.parameters() if w.grad is not None)
    assert largest < 1e-5
    assert all(weight.grad is None for weight in goal.teacher.parameters())


@pytest.mark.parametrize("stop", [2, 5, 7])
def test_a_stopped_training_goes_on_with_the_same_queue_and_bytes(
    corpus: TrainingCorpus, tmp_path: Path, stop: int
) -> None:  # fmt: skip
    goal, student = goal_for()
    whole = fit(goal, student, corpus, tmp_path / "whole")
    goal, student = goal_for()
    with after_step(stop, terminate), pytest.raises(Interrupted):
        fit(goal, student, corpus, tmp_path / "stopped")
    goal, student = goal_for()
    again = fit(goal, student, corpus, tmp_path / "stopped")
    assert same(weights(whole), weights(again))
    assert torch.equal(whole.queue.slots, again.queue.slots)
    assert int(whole.queue.pushed) == 2 * len(corpus.rows)


def test_the_queue_is_no_part_of_the_model() -> None:
    _, student = goal_for()
    assert "queue.slots" in student.state_dict()
    assert not any("queue" in name for name in student.model.state_dict())
