import contextlib
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from mtkd import checkpoint
from mtkd.checkpoint import (
    load_checkpoint,
    load_model_tensors,
    load_optimizer_tensors,
    load_tensors,
    model_tensors,
    optimizer_tensors,
    save_checkpoint,
    save_tensors,
)
from mtkd.errors import RunDirError
from mtkd.optim import build_optimizer, set_learning_rates
from mtkd.recipe import TrainingSettings

STATE = {"epoch": 1, "step": 7, "best": {"_mean": 0.5}, "history": [{"mean": 0.5}]}


def new_model(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    shared = nn.Linear(4, 4)
    return nn.ModuleDict(
        {
            "encoder": shared,
            "norm": nn.LayerNorm(4),
            "head": nn.Linear(4, 2),
            "other_head": nn.Linear(4, 3),
        }
    )


def run(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range, settings) -> None:
    for step in steps:
        set_learning_rates(optimizer, step, 20, settings)
        inputs = torch.randn(3, 4, generator=torch.Generator().manual_seed(step))
        loss = model["head"](model["norm"](model["encoder"](inputs))).square().sum()
        loss.backward()  # `other_head` never has a gradient, so it has no optimiser state
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("name", ["adamax", "adamw"])
def test_going_on_from_a_checkpoint_ends_with_the_same_bits(name, tmp_path):
    settings = TrainingSettings(optimizer=name, learning_rate=0.01, layer_decay=0.9)
    whole = new_model(0)
    run(whole, build_optimizer(whole, settings), range(20), settings)

    model = new_model(0)
    optimizer = build_optimizer(model, settings)
    run(model, optimizer, range(11), settings)
    save_checkpoint(tmp_path / "c", model_tensors(model) | optimizer_tensors(optimizer), STATE)

    resumed = new_model(1)  # other weights, to be replaced
    optimizer = build_optimizer(resumed, settings)
    tensors, state = load_checkpoint(tmp_path / "c")
    load_model_tensors(resumed, tensors)
    load_optimizer_tensors(optimizer, tensors)
    assert state == STATE
    run(resumed, optimizer, range(11, 20), settings)
    for name, weight in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], weight), name


@pytest.mark.parametrize("name", ["adamax", "adamw"])
def test_the_state_of_the_optimiser_comes_back_whole(name, tmp_path):
    settings = TrainingSettings(optimizer=name)
    model = new_model(0)
    optimizer = build_optimizer(model, settings)
    run(model, optimizer, range(3), settings)
    save_checkpoint(tmp_path / "c", optimizer_tensors(optimizer), {})
    other = build_optimizer(new_model(1), settings)
    load_optimizer_tensors(other, load_checkpoint(tmp_path / "c")[0])
    before, after = (o.state_dict()["state"] for o in (optimizer, other))
    assert before.keys() == after.keys()
    for index, values in before.items():
        assert values.keys() == after[index].keys()
        for key, value in values.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(after[index][key]))


def test_without_its_moments_the_optimiser_would_end_elsewhere():
    settings = TrainingSettings(learning_rate=0.01)
    whole, half = new_model(0), new_model(0)
    run(whole, build_optimizer(whole, settings), range(20), settings)
    run(half, build_optimizer(half, settings), range(10), settings)
    run(half, build_optimizer(half, settings), range(10, 20), settings)  # a new optimiser
    assert not torch.equal(whole["encoder"].weight, half["encoder"].weight)


def test_a_missing_weight_is_not_passed_over():
    tensors = model_tensors(new_model(0))
    del tensors["model.head.bias"]
    with pytest.raises(RuntimeError, match=r"head\.bias"):
        load_model_tensors(new_model(1), tensors)


def test_no_checkpoint_is_none(tmp_path):
    assert load_checkpoint(tmp_path / "c") is None


def test_a_new_checkpoint_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path):
    for step in (1, 2):
        save_checkpoint(tmp_path / "c", {"a": torch.full((2,), float(step))}, {"step": step})
    tensors, state = load_checkpoint(tmp_path / "c")
    assert tensors["a"].tolist() == [2, 2]
    assert state == {"step": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json"])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.97])
def test_a_truncated_file_is_an_error_that_names_it(file, keep, tmp_path):
    save_checkpoint(tmp_path / "c", {"a": torch.ones(100)}, STATE)
    path = tmp_path / "c" / file
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(RunDirError, match=rf"{path}: not as it was written .*; delete {tmp_path} "):
        load_checkpoint(tmp_path / "c")


@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json"])
def test_a_flipped_bit_is_an_error_wherever_it_is(file, tmp_path):
    save_checkpoint(tmp_path / "c", {"a": torch.ones(9), "b": torch.arange(4)}, STATE)
    path = tmp_path / "c" / file
    whole = path.read_bytes()
    for position in range(len(whole)):
        content = bytearray(whole)
        content[position] ^= 1 << position % 8
        path.write_bytes(content)
        if chr(whole[position]).isspace() and chr(content[position]).isspace():
            continue  # white space between names and numbers means nothing
        with pytest.raises(RunDirError, match=rf"{path}: not as it was written"):
            load_checkpoint(tmp_path / "c")


def test_kept_weights_with_a_flipped_bit_are_not_loaded(tmp_path):
    save_tensors(tmp_path / "a.safetensors", {"a": torch.ones(100)})
    content = bytearray((tmp_path / "a.safetensors").read_bytes())
    content[-3] ^= 1
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(RunDirError, match=r"a\.safetensors: not as it was written"):
        load_tensors(tmp_path / "a.safetensors")


@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json"])
def test_a_missing_file_is_an_error(file, tmp_path):
    save_checkpoint(tmp_path / "c", {"a": torch.ones(1)}, STATE)
    (tmp_path / "c" / file).unlink()
    with pytest.raises(RunDirError, match=f"{file}: not as it was written"):
        load_checkpoint(tmp_path / "c")


@pytest.mark.parametrize(("renames", "step"), [(0, 1), (1, 1), (2, 2)])
def test_killed_between_any_renames_there_is_still_a_whole_checkpoint(
    renames, step, tmp_path, monkeypatch
):
    """Hours of training hang on it: neither the old nor the new one may be lost."""
    save_checkpoint(tmp_path / "c", {"a": torch.ones(2)}, {"step": 1})
    real, left = os.replace, iter(range(renames))

    def replace(source: Path, target: Path) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with contextlib.suppress(KeyboardInterrupt):
        save_checkpoint(tmp_path / "c", {"a": torch.full((2,), 2.0)}, {"step": 2})
    monkeypatch.setattr(os, "replace", real)
    tensors, state = load_checkpoint(tmp_path / "c")
    assert tensors["a"].tolist() == [step, step]
    assert state == {"step": step}
    save_checkpoint(tmp_path / "c", {}, {"step": 3})  # and saving goes on
    assert load_checkpoint(tmp_path / "c") == ({}, {"step": 3})
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_views_and_shared_tensors_are_saved_as_they_read(tmp_path):
    whole = torch.arange(6.0).reshape(2, 3)
    save_checkpoint(tmp_path / "c", {"a": whole.T, "b": whole, "c": whole[0]}, {})
    tensors, _ = load_checkpoint(tmp_path / "c")
    assert torch.equal(tensors["a"], whole.T)
    assert torch.equal(tensors["c"], whole[0])


def test_a_state_that_json_cannot_hold_is_refused_before_the_old_one_goes(tmp_path):
    save_checkpoint(tmp_path / "c", {}, {"step": 1})
    with pytest.raises(ValueError, match="JSON"):
        save_checkpoint(tmp_path / "c", {}, {"loss": float("nan")})
    assert load_checkpoint(tmp_path / "c") == ({}, {"step": 1})


def test_nothing_is_pickled(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("pickled")

    for name in ("save", "load"):
        monkeypatch.setattr(torch, name, refuse)
    model = new_model(0)
    optimizer = build_optimizer(model, TrainingSettings())
    run(model, optimizer, range(1), TrainingSettings())
    tensors: dict[str, Tensor] = model_tensors(model) | optimizer_tensors(optimizer)
    save_checkpoint(tmp_path / "c", tensors, STATE)
    load_checkpoint(tmp_path / "c")
    files = sorted(path.name for path in (tmp_path / "c").iterdir())
    assert files == ["state.json", "tensors.safetensors"]
    assert load_file(tmp_path / "c" / files[1]).keys() == tensors.keys()
    state = json.loads((tmp_path / "c" / files[0]).read_text("utf-8"))
    assert state.pop("checksum")
    assert state == STATE
    source = Path(checkpoint.__file__).read_text("utf-8")
    assert "import pickle" not in source
    assert "torch.load" not in source
