"""What must not change a run: when it is done, in which order tasks stand, unused soft labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mtkd.encoders import load_tokenizer
from mtkd.errors import Interrupted, RecipeError
from mtkd.model import MultiTaskModel
from mtkd.training import Evaluation, Objective
from mtkd.training import loop as loop_module
from mtkd.training.memory import MemoryPlan
from tests.training.small import Small, after_step, same, terminate, weights


def test_the_same_seed_twice_writes_the_same_bytes(small: Small, tmp_path: Path) -> None:
    files = []
    for attempt in ("one", "two"):
        torch.manual_seed(len(files))  # what ran before in the process does not matter
        model, _ = small.fit(tmp_path / attempt, epochs=1)
        model.save(tmp_path / attempt, load_tokenizer(small.encoder))
        files.append({p.name: p.read_bytes() for p in (tmp_path / attempt).iterdir()})
    assert files[0] == files[1]
    assert {"config.json", "model.safetensors", "log.jsonl"} <= files[0].keys()


def test_the_order_of_tasks_does_not_matter(small: Small, tmp_path: Path) -> None:
    ends = [
        weights(small.fit(tmp_path / str(i), tasks=tasks, epochs=1)[0])
        for i, tasks in enumerate([small.tasks(), small.tasks()[::-1]])
    ]
    assert same(*ends)


def test_a_student_with_no_weight_on_soft_labels_is_the_baseline(
    small: Small, tmp_path: Path
) -> None:
    baseline, _ = small.fit(
        tmp_path / "baseline", tasks=[small.task("rte"), small.task("stsb")],
        objective=Objective(0.0),
    )  # fmt: skip
    student, _ = small.fit(
        tmp_path / "student", tasks=[small.task("rte", soft=True), small.task("stsb", soft=True)],
        objective=Objective(0.0, temperature=3.0),
    )  # fmt: skip
    assert same(weights(student), weights(baseline))


def test_student_and_baseline_see_the_same_batches(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[tuple[str, list[int]]]] = []
    original = Objective.pieces

    def pieces(self: Objective, task, rows: np.ndarray, *rest):
        seen[-1].append((task.name, rows.tolist()))
        return original(self, task, rows, *rest)

    monkeypatch.setattr(Objective, "pieces", pieces)
    for soft, weight in ((True, 0.5), (False, 0.0)):
        seen.append([])
        tasks = [small.task("rte", soft=soft), small.task("stsb")]
        small.fit(tmp_path / str(soft), tasks=tasks, objective=Objective(weight))
    assert seen[0] == seen[1]
    rte = [row for name, rows in seen[0] for row in rows if name == "rte"]
    assert sorted(rte) == sorted([*range(13)] * 3)  # each row once an epoch


def test_an_evaluation_leaves_no_trace_in_training(small: Small, tmp_path: Path) -> None:
    """Neither evaluation mode, which has no dropout, nor random numbers it drew."""

    def evaluate(model: MultiTaskModel) -> Evaluation:
        return Evaluation({"rte": 0.0}, {})

    plain, _ = small.fit(tmp_path / "plain")
    other, _ = small.fit(tmp_path / "other", evaluate=evaluate)
    assert same(weights(plain), weights(other))


def test_the_look_at_memory_leaves_no_trace_in_training(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, _ = small.fit(tmp_path / "looked", epochs=1)
    monkeypatch.setattr(loop_module, "plan_memory", lambda *_, **__: MemoryPlan(4, 1, False))
    blind, _ = small.fit(tmp_path / "blind", epochs=1)
    assert same(weights(looked), weights(blind))


def test_little_memory_cuts_batches_and_the_run_goes_on_with_that_plan(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces draw other dropout, so a resumed run may not choose anew on a larger machine."""
    plenty, _ = small.fit(tmp_path / "plenty", dropout=0.0, batch_size="auto")
    where = "mtkd.training.memory.plan.available_memory"
    for room in range(200_000, 20_000_000, 50_000):  # the least that it can be cut to fit
        monkeypatch.setattr(where, lambda *_, room=room: room)
        try:
            with after_step(3, terminate), pytest.raises(Interrupted):
                small.fit(tmp_path / "little", dropout=0.0, batch_size="auto")
        except RecipeError:
            continue
        break
    monkeypatch.setattr(where, lambda *_: 10**12)
    little, progress = small.fit(tmp_path / "little", dropout=0.0, batch_size="auto")
    assert progress.memory["accumulation"] > 1
    assert progress.memory["batch_size"] == 32
    for name, tensor in weights(plenty).items():
        torch.testing.assert_close(weights(little)[name], tensor, rtol=0, atol=1e-5)
