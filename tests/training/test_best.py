"""The weights a run ends with are those of the score it reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from torch import Tensor

from mtkd.devices import start_accelerator
from mtkd.model import MultiTaskModel
from mtkd.training import Evaluation
from mtkd.training.best import MEAN, BestWeights
from tests.training.small import Small, same, weights

Seen = list[dict[str, Tensor]]


def watched(*scores: tuple[float, float]) -> tuple[Seen, Callable[[MultiTaskModel], Evaluation]]:
    """Scores of rte and stsb, epoch by epoch, and the weights that each was given to."""
    seen: Seen = []

    def evaluate(model: MultiTaskModel) -> Evaluation:
        rte, stsb = scores[len(seen)]
        seen.append(weights(model))
        return Evaluation({"rte": rte, "stsb": stsb}, {"rte/dev": {"accuracy": rte}})

    return seen, evaluate


def test_the_epoch_with_the_best_mean_is_kept(small: Small, tmp_path: Path) -> None:
    seen, evaluate = watched((0.9, 0.1), (0.5, 0.7), (0.1, 0.9))
    model, progress = small.fit(tmp_path, keep="best", evaluate=evaluate)
    assert same(weights(model), seen[1])
    assert not same(seen[1], seen[2])
    assert progress.best == {MEAN: 0.6}
    assert [entry["mean"] for entry in progress.history] == [0.5, 0.6, 0.5]


def test_the_last_epoch_is_kept_when_asked(small: Small, tmp_path: Path) -> None:
    seen, evaluate = watched((0.9, 0.9), (0.5, 0.7), (0.1, 0.1))
    model, _ = small.fit(tmp_path, keep="last", evaluate=evaluate)
    assert same(weights(model), seen[2])
    assert not (tmp_path / "kept").exists()


def test_of_equal_epochs_the_first_is_kept(small: Small, tmp_path: Path) -> None:
    seen, evaluate = watched((0.5, 0.5), (0.5, 0.5), (0.5, 0.5))
    model, _ = small.fit(tmp_path, keep="best", evaluate=evaluate)
    assert same(weights(model), seen[0])


@pytest.mark.parametrize("keep", ["best", "last"])
def test_each_tasks_best_epoch_is_kept_besides(small: Small, tmp_path: Path, keep: str) -> None:
    seen, evaluate = watched((0.9, 0.1), (0.5, 0.7), (0.1, 0.9))
    model, progress = small.fit(tmp_path, keep=keep, keep_best_per_task=True, evaluate=evaluate)
    assert same(weights(model), seen[1 if keep == "best" else 2])
    assert progress.best == {MEAN: 0.6, "rte": 0.9, "stsb": 0.9}
    kept = BestWeights(tmp_path / "kept", start_accelerator("fp32"), progress.kept)
    for name, epoch in (("rte", 0), ("stsb", 2)):
        kept.load_into(model, name)
        assert same(weights(model), seen[epoch])


def test_a_task_called_mean_does_not_stand_for_the_mean(small: Small, tmp_path: Path) -> None:
    def evaluate(model: MultiTaskModel) -> Evaluation:
        return Evaluation({"mean": 0.9, "rte": 0.1}, {})

    _, progress = small.fit(tmp_path, keep_best_per_task=True, evaluate=evaluate, epochs=1)
    assert sorted(progress.best.values()) == [0.1, 0.5, 0.9]
    assert (progress.best[MEAN], progress.best["mean"]) == (0.5, 0.9)


@pytest.mark.parametrize(
    ("patience", "scores", "epochs"),
    [
        (1, [0.9, 0.8], 2),
        (2, [0.9, 0.8, 0.8], 3),
        (2, [0.9, 0.8, 0.95, 0.9, 0.9], 5),  # a better one starts the count anew
        (1, [0.9, 0.9], 2),  # as good is not better
        (3, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 6),
    ],
)
def test_training_stops_after_epochs_without_a_better_mean(
    small: Small, tmp_path: Path, patience: int, scores: list[float], epochs: int
) -> None:
    seen, evaluate = watched(*[(s, s) for s in scores])
    model, progress = small.fit(
        tmp_path, tasks=[small.task("stsb")], epochs=6, early_stopping=patience, keep="best",
        evaluate=evaluate,
    )  # fmt: skip
    assert len(progress.history) == len(seen) == epochs
    assert same(weights(model), seen[scores.index(max(scores))])
