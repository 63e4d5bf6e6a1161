"""A NaN stops the run, named, and leaves the last good save as it was."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mtkd.errors import Diverged
from mtkd.training import Objective, TrainingTask
from tests.rows import RTE, STSB, make_examples, prepare
from tests.training.small import Small, after_step, interrupt


@pytest.fixture
def holed(small: Small, tmp_path: Path) -> TrainingTask:
    """STS-B with one row that has neither a gold nor a soft label."""
    examples = make_examples(STSB, 9)
    examples[4] = dataclasses.replace(examples[4], label=None)
    return TrainingTask(STSB, prepare(examples, small.encoder, tmp_path / "holed.arrow"))


def test_step_task_and_guids_are_named(small: Small, tmp_path: Path, holed: TrainingTask) -> None:
    with pytest.raises(Diverged, match=r"loss nan.* at step \d+, task stsb, on \d rows") as caught:
        small.fit(tmp_path / "run", tasks=[small.task("rte"), holed])
    assert "stsb/train/4" in str(caught.value)
    assert "rte/train" not in str(caught.value)


def test_nothing_after_the_last_save_is_kept(
    small: Small, tmp_path: Path, holed: TrainingTask
) -> None:
    with pytest.raises(Diverged) as caught:
        small.fit(tmp_path / "run", tasks=[small.task("rte"), holed], save_every="1 step")
    step = int(str(caught.value).split("at step ")[1].split(",")[0])
    assert step > 1
    state = json.loads((tmp_path / "run/checkpoint/state.json").read_text("utf-8"))
    assert state["step"] == step - 1
    log = (tmp_path / "run/log.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in log] == list(range(1, step))
    tensors = load_file(tmp_path / "run/checkpoint/tensors.safetensors")
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_of_a_large_batch_the_first_rows_are_named(small: Small, tmp_path: Path) -> None:
    rows = prepare(make_examples(RTE, 150), small.encoder, tmp_path / "rte.arrow")
    task = TrainingTask(RTE, rows)
    model = small.model([task])
    with torch.no_grad():
        model.encoder.embeddings.LayerNorm.bias[0] = math.nan
    with pytest.raises(Diverged, match=r"on 150 rows: .* and 50 more\.") as caught:
        small.fit(tmp_path / "run", tasks=[task], model=model, batch_size=150)
    named = str(caught.value).split("rows: ")[1].split(" and 50 more")[0].split(", ")
    assert len(set(named)) == 100
    assert set(named) <= set(rows.guids)


def test_the_lines_before_the_nan_are_in_the_log(
    small: Small, tmp_path: Path, holed: TrainingTask
) -> None:
    with pytest.raises(Diverged) as caught:
        small.fit(tmp_path / "run", tasks=[small.task("rte"), holed], log_every=100)
    step = int(str(caught.value).split("at step ")[1].split(",")[0])
    log = (tmp_path / "run/log.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in log] == list(range(1, step))


def test_a_nan_weight_is_found_at_the_first_step(small: Small, tmp_path: Path) -> None:
    model = small.model(small.tasks())
    with torch.no_grad():
        model.encoder.embeddings.LayerNorm.bias[0] = math.nan
    with pytest.raises(Diverged, match="at step 1,"):
        small.fit(tmp_path, model=model, save_every="1 step", log_every=100, keep="best")
    assert not (tmp_path / "checkpoint").exists()
    assert not (tmp_path / "kept").exists()


def test_a_signal_does_not_save_a_diverged_state(small: Small, tmp_path: Path) -> None:
    model = small.model(small.tasks())
    with torch.no_grad():
        model.encoder.embeddings.LayerNorm.bias[0] = math.nan
    with after_step(3, interrupt), pytest.raises(Diverged):
        small.fit(tmp_path, model=model, log_every=100)
    assert not (tmp_path / "checkpoint").exists()


def test_an_infinite_gradient_is_a_divergence_though_the_loss_is_finite(
    small: Small, tmp_path: Path
) -> None:
    model = small.model(small.tasks())
    model.heads["rte"].linear.weight.register_hook(lambda g: g * math.inf)
    with pytest.raises(Diverged, match=r"loss [\d.]+, gradient norm (nan|inf).*task rte"):
        small.fit(tmp_path, model=model, objective=Objective(0.0))
