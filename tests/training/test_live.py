"""Losses between encoders on rows of a task are means over rows or real tokens, padded or not."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from mtkd.devices import start_accelerator
from mtkd.distillation import shape_of
from mtkd.distillation.pair import make_pair
from mtkd.encoders import load_tokenizer
from mtkd.examples.prepared import PreparedSplit
from mtkd.model import build_model
from mtkd.recipe import EncoderLosses, EncoderSettings
from mtkd.stages.live_dev import mean_losses
from mtkd.training import Objective, TrainingTask
from mtkd.training.live import LiveObjective, LiveTeacher, StudentOfEncoders
from tests.rows import RTE, make_examples, prepare
from tests.training.small import soft_targets

EVERY = {
    "cosine": {"weight": 1.0},
    "hidden_mse": {"weight": 0.5},
    "embedding_mse": {"weight": 2.0},
    "attention_mse": {"weight": 0.25},
    "pkd": {"weight": 3.0},
    "minilm": {"weight": 1.5, "relation_heads": 4},
}
ROWS = 9


@pytest.fixture
def rows(tiny_encoder: str, tmp_path: Path) -> PreparedSplit:
    found = prepare(make_examples(RTE, ROWS), tiny_encoder, tmp_path / "rows.arrow")
    assert len(set(found.lengths)) > 2  # so that there is padding
    return found


@pytest.fixture
def goal(rows: PreparedSplit, tiny_encoder: str) -> tuple[StudentOfEncoders, LiveObjective]:
    """A student and a teacher that differ, with every loss on states between them."""
    student, teacher = (
        build_model(EncoderSettings(encoder=tiny_encoder, dropout=dropout), {"rte": RTE}, {}, seed)
        for seed, dropout in ((1, 0.0), (2, 0.5))
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(3)
        for weight in teacher.encoder.parameters():
            weight += 0.05 * torch.randn(weight.shape)
    shape = shape_of(student.encoder.config.to_dict())
    pair = make_pair(EncoderLosses.model_validate(EVERY), shape, shape)
    live = LiveTeacher(teacher.encoder.train(), rows, pair.teacher, pair.state_terms)
    own = StudentOfEncoders(student, ["rte"], pair.student, pair.projected, alone=True)
    return own.eval(), LiveObjective(None, {"rte": live})


def losses(
    goal: tuple[StudentOfEncoders, LiveObjective], rows: PreparedSplit, which: np.ndarray
) -> dict[str, float]:
    """Those of some rows together, by the loop's own way."""
    student, objective = goal
    accelerator, task = start_accelerator("fp32"), TrainingTask(RTE, rows)
    piece = objective.whole(task, which, accelerator)
    with torch.no_grad():
        total, parts = objective.loss(student, task, piece, 1.0, 0.0, accelerator)
    return {"loss": total.item(), **{name: part.item() for name, part in parts.items()}}


def by_row(goal: tuple[StudentOfEncoders, LiveObjective], rows: PreparedSplit) -> dict[str, float]:
    """The same of each row by itself, without padding, put together by each term's own unit."""
    (terms,) = (teacher.terms for teacher in goal[1].teachers.values())
    alone = [losses(goal, rows, np.array([number])) for number in range(ROWS)]
    weights = {"row": np.ones(ROWS), "token": rows.lengths.astype(float)}
    means = {t.name: float(np.average([one[t.name] for one in alone], weights=weights[t.unit]))
             for t in terms}  # fmt: skip
    assert {t.name: t.unit for t in terms} == {
        "cosine": "token", "hidden_mse": "token", "embedding_mse": "token",
        "attention_mse": "row", "pkd": "row", "minilm": "token",
    }  # fmt: skip
    return {"loss": sum(EVERY[name]["weight"] * mean for name, mean in means.items()), **means}


def test_a_padded_batchs_losses_are_means_over_its_rows_or_real_tokens(goal, rows) -> None:
    assert losses(goal, rows, np.arange(ROWS)) == pytest.approx(by_row(goal, rows), rel=1e-4)


def test_the_pieces_of_a_batch_have_its_losses_between_them(goal, rows) -> None:
    accelerator, task = start_accelerator("fp32"), TrainingTask(RTE, rows)
    student, objective = goal
    sums: dict[str, float] = {}
    for piece in objective.pieces(task, np.arange(ROWS), 0, 4, accelerator):
        with torch.no_grad():
            _, parts = objective.loss(student, task, piece, 1.0, 0.0, accelerator)
        for name, part in parts.items():
            sums[name] = sums.get(name, 0.0) + part.item()
    whole = losses(goal, rows, np.arange(ROWS))
    assert sums == pytest.approx({name: whole[name] for name in sums}, rel=1e-4)
    assert sums.keys() == EVERY.keys()


def test_losses_on_dev_are_means_over_all_its_rows_or_tokens(goal, rows, monkeypatch) -> None:
    monkeypatch.setattr("mtkd.stages.live_dev._ROWS", 4)
    student, objective = goal
    task = TrainingTask(RTE, rows)
    student.train()
    found = mean_losses(student, task, objective, start_accelerator("fp32"))
    assert found == pytest.approx(by_row(goal, rows), rel=1e-4)


def test_no_gradient_reaches_a_live_teacher(goal, rows) -> None:
    student, objective = goal
    accelerator, task = start_accelerator("fp32"), TrainingTask(RTE, rows)
    piece = objective.whole(task, np.arange(ROWS), accelerator)
    total, _ = objective.loss(student, task, piece, 1.0, 0.0, accelerator)
    total.backward()
    (teacher,) = objective.teachers.values()
    assert all(weight.grad is None for weight in teacher.encoder.parameters())
    moved = [name for name, weight in student.encoder.named_parameters() if weight.grad is not None]
    assert any("layer.0.attention" in name for name in moved)


def test_a_narrower_students_states_are_projected(
    rows: PreparedSplit, tiny_encoder: str, tmp_path: Path
) -> None:
    wide = build_model(EncoderSettings(encoder=tiny_encoder), {"rte": RTE}, {}, 1).encoder
    config = copy.deepcopy(wide.config)
    config.hidden_size, config.intermediate_size = 16, 32
    type(wide)(config).save_pretrained(tmp_path / "narrow")
    load_tokenizer(tiny_encoder).save_pretrained(tmp_path / "narrow")
    narrow = build_model(EncoderSettings(encoder=str(tmp_path / "narrow")), {"rte": RTE}, {}, 1)
    pair = make_pair(EncoderLosses.model_validate({"embedding_mse": {"weight": 1.0}}),
                     shape_of(config.to_dict()), shape_of(wide.config.to_dict()))  # fmt: skip
    live = LiveTeacher(wide, rows, pair.teacher, pair.state_terms)
    student = StudentOfEncoders(narrow, ["rte"], pair.student, pair.projected).eval()
    found = losses((student, LiveObjective(None, {"rte": live})), rows, np.arange(ROWS))
    batch = rows.batch(np.arange(ROWS))
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    with torch.no_grad():
        own, other = (encoder.eval()(**inputs, output_hidden_states=True).hidden_states[0]
                      for encoder in (narrow.encoder, wide))  # fmt: skip
        matrix = student.heads["projection"].weight
        apart = (own @ matrix.T - other)[batch["attention_mask"].bool()]
    assert found["loss"] == pytest.approx(apart.square().mean().item(), rel=1e-4)


@pytest.mark.parametrize("done", [0.0, 0.25, 1.0])
def test_labels_beside_the_losses_are_annealed_as_without_them(goal, rows, done: float) -> None:
    student, objective = goal
    labels = Objective(anneal=True, temperature=2.0)
    task = TrainingTask(RTE, rows, soft_targets(2, ROWS))
    both = LiveObjective(labels, objective.teachers)
    accelerator = start_accelerator("fp32")
    with torch.no_grad():
        piece = both.whole(task, np.arange(ROWS), accelerator)
        _, parts = both.loss(student, task, piece, 1.0, done, accelerator)
        piece = labels.whole(task, np.arange(ROWS), accelerator)
        alone, _ = labels.loss(student.model, task, piece, 1.0, done, accelerator)
    assert parts["labels"].item() == pytest.approx(alone.item(), rel=1e-5)
