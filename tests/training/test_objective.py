"""Which loss each row gets, against numbers computed by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mtkd.errors import ShapeError
from mtkd.examples.prepared import PreparedSplit
from mtkd.soft_labels import SoftTargets
from mtkd.task import Task
from mtkd.training import Objective, TrainingTask
from mtkd.training.batch import make_batch
from tests.rows import QNLI, RTE, STSB, make_examples, prepare
from tests.training.small import Small

ROWS = np.array([3, 0, 2, 1])
LOGITS = torch.tensor([[1.0, -0.5], [0.2, 0.4], [-2.0, 1.0], [0.0, 3.0]])
SCORES = torch.tensor([[1.0], [4.5], [2.0], [3.0]])


@pytest.fixture
def rows(small: Small, tmp_path: Path) -> dict[str, PreparedSplit]:
    """Four rows a task; row 2 has no gold label."""
    found = {}
    for task in (RTE, STSB, QNLI):
        examples = make_examples(task, 4)
        examples[2] = dataclasses.replace(examples[2], label=None)
        found[task.name] = prepare(examples, small.encoder, tmp_path / f"{task.name}.arrow")
    return found


def soft(targets: list[list[float]]) -> SoftTargets:
    """Targets of rows 0 to 3; the last one has none."""
    filled = np.array([*targets, [np.nan] * len(targets[0])], dtype=np.float32)
    return SoftTargets(filled, np.isfinite(filled).all(axis=1))


Q = [[0.3, 0.7], [0.9, 0.1], [0.6, 0.4]]
MEAN_SCORES = [[0.5], [2.5], [4.0]]


def losses(
    task: Task, split: PreparedSplit, targets: SoftTargets | None, objective: Objective,
    share: float, logits: Tensor,
) -> Tensor:  # fmt: skip
    return row_losses(objective, TrainingTask(task, split, targets), ROWS, logits, share)


def row_losses(
    objective: Objective, task: TrainingTask, rows: np.ndarray, logits: Tensor, share: float
) -> Tensor:
    return objective.row_losses(task, make_batch(task, rows).targets, logits, share)


def cross_entropy(place: int, target: list[float], temperature: float = 1.0) -> float:
    logs = F.log_softmax(LOGITS[place] / temperature, dim=0)
    return -sum(q * float(log) for q, log in zip(target, logs, strict=True))


def test_the_soft_share_falls_from_one_to_nothing() -> None:
    shares = [Objective(anneal=True).soft_share(step / 10) for step in range(11)]
    assert shares == pytest.approx([1 - step / 10 for step in range(11)])
    assert [Objective(0.3).soft_share(step / 10) for step in range(3)] == [0.3] * 3


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_gold_and_soft_are_mixed_where_a_row_has_both(
    rows: dict[str, PreparedSplit], temperature: float
) -> None:
    """Row 3 has no soft label and falls back to gold, row 2 no gold label and uses soft alone."""
    found = losses(RTE, rows["rte"], soft(Q), Objective(temperature=temperature), 0.25, LOGITS)

    def soft_loss(place: int, target: list[float]) -> float:
        return cross_entropy(place, target, temperature) * temperature**2

    expected = [
        cross_entropy(0, [0, 1]),
        0.75 * cross_entropy(1, [1, 0]) + 0.25 * soft_loss(1, Q[0]),
        soft_loss(2, Q[2]),
        0.75 * cross_entropy(3, [0, 1]) + 0.25 * soft_loss(3, Q[1]),
    ]
    assert found.tolist() == pytest.approx(expected, rel=1e-5)


def test_rows_without_one_of_the_labels_leave_no_nan_in_the_gradient(
    rows: dict[str, PreparedSplit],
) -> None:
    for task, targets, logits in ((RTE, Q, LOGITS), (STSB, MEAN_SCORES, SCORES)):
        leaf = logits.clone().requires_grad_()
        found = losses(task, rows[task.name], soft(targets), Objective(), 0.5, leaf)
        found.sum().backward()
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()
        assert (leaf.grad != 0).all()


def test_a_row_with_neither_label_is_nan_and_not_nothing(rows: dict[str, PreparedSplit]) -> None:
    for task, logits in ((RTE, LOGITS), (STSB, SCORES)):
        found = losses(task, rows[task.name], None, Objective(), 0.5, logits)
        assert found.isnan().tolist() == [False, False, True, False]


def test_regression_uses_the_squared_distance_to_the_mean_score(
    rows: dict[str, PreparedSplit],
) -> None:
    gold = rows["stsb"].labels
    found = losses(STSB, rows["stsb"], soft(MEAN_SCORES), Objective(temperature=9.0), 0.25, SCORES)
    expected = [
        (1.0 - gold[3]) ** 2,
        0.75 * (4.5 - gold[0]) ** 2 + 0.25 * (4.5 - 0.5) ** 2,
        (2.0 - 4.0) ** 2,
        0.75 * (3.0 - gold[1]) ** 2 + 0.25 * (3.0 - 2.5) ** 2,
    ]
    assert found.shape == (4,)
    assert found.tolist() == pytest.approx(expected, rel=1e-5)


def test_the_gradient_keeps_its_size_when_the_temperature_changes(
    rows: dict[str, PreparedSplit],
) -> None:
    """Without T squared the soft loss would all but vanish at T = 100."""
    sizes = []
    for temperature in (50.0, 100.0):
        leaf = LOGITS.clone().requires_grad_()
        objective = Objective(1.0, temperature=temperature)
        targets = torch.softmax(torch.tensor(Q) * 4 / temperature, dim=1).tolist()
        losses(RTE, rows["rte"], soft(targets), objective, 1.0, leaf)[1].backward()
        assert leaf.grad is not None
        sizes.append(leaf.grad.norm().item())
    assert sizes[1] == pytest.approx(sizes[0], rel=0.05)
    assert sizes[0] > 0.1


def test_soft_labels_are_those_of_the_row_and_not_of_its_place(
    rows: dict[str, PreparedSplit],
) -> None:
    found = losses(RTE, rows["rte"], soft(Q), Objective(1.0), 1.0, LOGITS)
    assert found[1].item() == pytest.approx(cross_entropy(1, Q[0]), rel=1e-5)
    assert found[3].item() == pytest.approx(cross_entropy(3, Q[1]), rel=1e-5)


def test_classification_soft_labels_are_no_scores(rows: dict[str, PreparedSplit]) -> None:
    with pytest.raises(ShapeError):
        losses(RTE, rows["rte"], soft([[0.2, 0.3, 0.5]] * 3), Objective(), 0.5, LOGITS)


def test_ranking_adds_the_choice_among_the_candidates_of_a_question(small: Small) -> None:
    split = small.splits["qnli"]  # rows 2k and 2k + 1 share a question; 2k is the answer
    rows = np.array([0, 1, 3, 2])
    scores = torch.tensor([0.5, -1.0, 2.0, 0.25])
    logits = torch.stack([scores, torch.zeros(4)], dim=1)
    ranked = row_losses(Objective(), TrainingTask(QNLI, split, ranked=True), rows, logits, 0.0)
    pointwise = row_losses(Objective(), TrainingTask(QNLI, split), rows, logits, 0.0)
    first = -F.log_softmax(scores[:2], dim=0)[0].item()
    second = -F.log_softmax(scores[2:], dim=0)[1].item()
    assert QNLI.labels[0] == QNLI.positive
    assert (ranked - pointwise).tolist() == pytest.approx([first, 0, 0, second], rel=1e-5)


def test_a_row_without_gold_is_no_rival_of_the_answers_of_its_question(
    small: Small, tmp_path: Path
) -> None:
    """Rows 0 and 1 share a question; row 1 has no gold label and only a soft one."""
    examples = make_examples(QNLI, 4)
    examples[1] = dataclasses.replace(examples[1], label=None)
    split = prepare(examples, small.encoder, tmp_path / "qnli.arrow")
    known = SoftTargets(np.full((4, 2), 0.5, dtype=np.float32), np.ones(4, dtype=bool))
    task = TrainingTask(QNLI, split, known, ranked=True)
    pointwise = TrainingTask(QNLI, split, known)
    rows, logits = np.array([0, 1]), torch.tensor([[0.5, 0.0], [9.0, 0.0]])
    found = row_losses(Objective(), task, rows, logits, 0.0)
    expected = row_losses(Objective(), pointwise, rows, logits, 0.0)
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_a_rows_loss_is_multiplied_by_its_weight(rows: dict[str, PreparedSplit]) -> None:
    plain = TrainingTask(RTE, rows["rte"], soft(Q))
    heavy = dataclasses.replace(plain, weights=np.array([1, 2, 0.5, 0], dtype=np.float32))
    before = row_losses(Objective(), plain, ROWS, LOGITS, 0.5)
    after = row_losses(Objective(), heavy, ROWS, LOGITS, 0.5)
    expected = before * torch.tensor([0.0, 1.0, 0.5, 2.0])  # of rows 3, 0, 2, 1
    torch.testing.assert_close(after, torch.where(expected.isnan(), after, expected))
