"""An encoder's goal in the loop: its loss does not depend on how a batch is run, and it resumes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtkd.batching.masking import Masking, masking_weights
from mtkd.devices import start_accelerator
from mtkd.distillation import DistilledEncoder, Shape, WordTerm
from mtkd.distillation.pair import make_pair
from mtkd.errors import Interrupted
from mtkd.recipe import EncoderLosses
from mtkd.stages.compress.held_out import score_held_out
from mtkd.training.corpus import TrainingCorpus
from mtkd.training.encoder_goal import EncoderGoal
from tests.distillation.teachers import logits_of
from tests.training.small import after_step, same, terminate, weights
from tests.training.small_corpus import WIDTH, WORDS, fit, model

EVERY = EncoderLosses.model_validate(
    {
        "soft_mlm": {"weight": 5.0}, "mlm": {"weight": 2.0}, "cosine": {"weight": 1.0},
        "hidden_mse": {"weight": 1.0}, "embedding_mse": {"weight": 1.0},
        "attention_mse": {"weight": 1.0}, "pkd": {"weight": 10.0},
        "minilm": {"weight": 1.0, "relation_heads": 4},
    }
)  # fmt: skip
NARROW = EncoderLosses.model_validate(
    {"hidden_mse": {"weight": 1.0}, "soft_mlm": {"weight": 1.0, "restrict_to_masked": True}}
)


def goal_for(losses: EncoderLosses, student_width: int = WIDTH) -> tuple[EncoderGoal, Any]:
    """A goal, and a function that gives its student anew."""
    shapes = Shape(2, student_width, 2, WORDS), Shape(4, WIDTH, 2, WORDS)
    pair = make_pair(losses, *shapes)
    teacher = DistilledEncoder(model(4, 1), pair.teacher).requires_grad_(False).eval()
    masks = Masking(masking_weights(np.ones(WORDS, dtype=np.int64), 0.7, {0, 1, 2, 3, 4}), 3)

    def student(dropout: float = 0.1) -> DistilledEncoder:
        return DistilledEncoder(model(2, 2, student_width, dropout), pair.student, pair.projected)

    return EncoderGoal(pair.terms, pair.student, teacher, masks, seed=9), student


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_every_loss_has_the_same_gradient_in_any_number_of_pieces(
    corpus: TrainingCorpus, parts: int
) -> None:
    goal, student = goal_for(EVERY)
    accelerator = start_accelerator("fp32")
    rows = np.arange(10)
    found = []
    for pieces in (1, parts):
        own = student().eval()
        total, terms = 0.0, dict.fromkeys((t.name for t in goal.terms), 0.0)
        for piece in goal.pieces(corpus, rows, 3, pieces, accelerator):
            loss, named = goal.loss(own, corpus, piece, 1.0, 0.0, accelerator)
            loss.backward()
            total += loss.item()
            terms = {name: value + named[name].item() for name, value in terms.items()}
        by_hand = sum(t.weight * terms[t.name] for t in goal.terms)
        assert total == pytest.approx(by_hand, rel=1e-5)
        found.append((terms, {n: p.grad for n, p in own.named_parameters() if p.grad is not None}))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-5, abs=1e-7)
    assert found[0][1].keys() == found[1][1].keys()
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(found[1][1][name], gradient, atol=1e-5, rtol=1e-4)


def test_losses_are_means_over_all_of_a_batch_by_their_own_unit(corpus: TrainingCorpus) -> None:
    goal, student = goal_for(EVERY)
    accelerator, own = start_accelerator("fp32"), student().eval()
    (piece,) = goal.pieces(corpus, np.arange(7), 0, 1, accelerator)
    _, named = goal.loss(own, corpus, piece, 1.0, 0.0, accelerator)
    with torch.no_grad():
        shown, _ = own(piece.batch.inputs, piece.batch.positions("real"))
        taught = goal.teacher.shown(piece.batch.inputs, piece.batch.positions("real"))
    words = logits_of(shown.words), logits_of(taught.words), piece.batch.labels
    for term in goal.terms:
        given = words if isinstance(term, WordTerm) else (shown, taught, piece.batch)
        by_hand = term.values(*given).mean()
        torch.testing.assert_close(named[term.name], by_hand, msg=term.name)


def test_a_batch_with_nothing_masked_has_no_mlm_loss_and_no_nan(corpus: TrainingCorpus) -> None:
    goal, student = goal_for(EVERY)
    never = Masking(np.zeros(WORDS), 3)
    goal = EncoderGoal(goal.terms, goal.needs, goal.teacher, never, 9)
    accelerator, own = start_accelerator("fp32"), student()
    (piece,) = goal.pieces(corpus, np.arange(5), 0, 1, accelerator)
    loss, named = goal.loss(own, corpus, piece, 1.0, 0.0, accelerator)
    loss.backward()
    assert named["mlm"] == 0
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in own.parameters() if p.grad is not None)


def test_no_gradient_reaches_the_teacher(corpus: TrainingCorpus) -> None:
    goal, student = goal_for(EVERY)
    assert goal.teacher is not None
    goal.teacher.requires_grad_(True)  # it would take one
    accelerator = start_accelerator("fp32")
    (piece,) = goal.pieces(corpus, np.arange(5), 0, 1, accelerator)
    goal.loss(student(), corpus, piece, 1.0, 0.0, accelerator)[0].backward()
    assert all(p.grad is None for p in goal.teacher.parameters())


def test_masks_follow_from_the_number_of_the_update(corpus: TrainingCorpus) -> None:
    goal, _ = goal_for(EVERY)
    accelerator, rows = start_accelerator("fp32"), np.arange(10)
    one, again, other = (
        goal.pieces(corpus, rows, step, 1, accelerator)[0].batch.inputs["input_ids"]
        for step in (4, 4, 5)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_updates_are_counted_on_over_epochs(corpus: TrainingCorpus, tmp_path: Path) -> None:
    """Else the second epoch would draw the masks of the first."""
    goal, student = goal_for(NARROW)
    steps = []

    @dataclasses.dataclass(frozen=True)
    class Counting(EncoderGoal):
        def pieces(self, corpus: Any, rows: Any, step: int, *rest: Any) -> Any:
            steps.append(step)
            return super().pieces(corpus, rows, step, *rest)

    fit(Counting(**vars(goal)), student(), corpus, tmp_path)
    assert steps == list(range(10))


@pytest.mark.parametrize("width", [WIDTH, 8])
def test_a_run_that_is_stopped_and_gone_on_with_ends_with_the_same_weights(
    corpus: TrainingCorpus, tmp_path: Path, width: int
) -> None:
    """Of a narrower student the learnt projection has to come back too."""
    losses = EVERY if width == WIDTH else NARROW
    goal, student = goal_for(losses, width)
    whole = fit(goal, student(), corpus, tmp_path / "whole")
    assert ("heads.projection.weight" in whole.state_dict()) == (width != WIDTH)
    for more, step in ((2, 2), (5, 7)):  # in the first epoch, of 5 updates, and in the second
        with after_step(more, terminate), pytest.raises(Interrupted, match=f"step {step} of 10"):
            fit(goal, student(), corpus, tmp_path / "stopped")
    stopped = fit(goal, student(), corpus, tmp_path / "stopped")
    assert same(weights(stopped), weights(whole))
    log = [folder / "log.jsonl" for folder in (tmp_path / "whole", tmp_path / "stopped")]
    assert log[0].read_bytes() == log[1].read_bytes()


def test_the_log_has_every_term_and_their_weighted_sum(
    corpus: TrainingCorpus, tmp_path: Path
) -> None:
    goal, student = goal_for(EVERY)
    fit(goal, student(), corpus, tmp_path, epochs=1)
    lines = list(_updates(tmp_path / "log.jsonl"))
    assert len(lines) == 5
    for line in lines:
        total = sum(term.weight * line[term.name] for term in goal.terms)
        assert line["loss"] == pytest.approx(total, rel=1e-4)


def _updates(path: Path) -> Iterator[dict[str, Any]]:
    import json

    for text in path.read_text("utf-8").splitlines():
        line = json.loads(text)
        if "dev" not in line:
            yield line


def test_a_projection_is_learnt(corpus: TrainingCorpus, tmp_path: Path) -> None:
    goal, student = goal_for(NARROW, student_width=8)
    before, own = student(), student()
    fit(goal, own, corpus, tmp_path)
    one, other = (each.heads["projection"].weight for each in (before, own))
    assert not torch.equal(one, other)


def test_held_out_rows_are_scored_without_dropout(corpus: TrainingCorpus) -> None:
    goal, student = goal_for(EVERY)
    accelerator = start_accelerator("fp32")
    noisy, quiet = student(dropout=0.5).train(), student(dropout=0.0)
    one, other = (score_held_out(own, goal, corpus, accelerator) for own in (noisy, quiet))
    assert one == pytest.approx(other, rel=1e-6)


def test_where_the_head_alone_learns_the_encoder_is_as_it_was_and_has_no_dropout(
    corpus: TrainingCorpus, tmp_path: Path
) -> None:
    goal, _ = goal_for(EncoderLosses.model_validate({"mlm": {"weight": 1.0}}))
    goal = dataclasses.replace(goal, teacher=None)
    before = model(2, 2)
    own = DistilledEncoder(model(2, 2), goal.needs, head_alone=True)
    fit(goal, own, corpus, tmp_path)
    changed = {name for name, weight in own.model.named_parameters()
               if not torch.equal(weight, dict(before.named_parameters())[name])}  # fmt: skip
    assert {name.split(".")[0] for name in changed} == {"cls"}
    assert "cls.predictions.transform.dense.weight" in changed
    own.train()
    assert not own.encoder.training
    assert own.model.cls.training
