import copy
import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from mtkd.model import MultiTaskModel
from mtkd.optim import (
    DecoupledAdamax,
    build_optimizer,
    learning_rate_factor,
    parameter_groups,
    set_learning_rates,
)
from mtkd.recipe import TrainingSettings


def settings(**changes: object) -> TrainingSettings:
    return TrainingSettings.model_validate({"learning_rate": 1e-3, **changes})


def adamax(weights: list[Tensor], lr: float, decay: float) -> DecoupledAdamax:
    return DecoupledAdamax([{"params": weights, "lr": lr, "decoupled_decay": decay}], lr=lr)


def tiny_model(layers: int = 3) -> MultiTaskModel:
    from transformers import BertConfig, BertModel

    config = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=layers,
                        num_attention_heads=2, intermediate_size=16)  # fmt: skip
    head = {"type": "linear", "pooling": "first", "dropout": 0.1, "steps": 5, "step_dropout": 0.1,
            "outputs": 2, "labels": ["no", "yes"], "positive": None}  # fmt: skip
    return MultiTaskModel(BertModel(config), {"rte": head, "wnli": head})


# --- Adamax ---------------------------------------------------------------------------------------


def test_adamax_without_decay_is_torchs_own_bit_for_bit():
    torch.manual_seed(0)
    ours = [torch.randn(4, 3), torch.randn(5)]
    theirs = [w.clone() for w in ours]
    optimizers = [adamax(ours, 0.01, 0.0), torch.optim.Adamax(theirs, lr=0.01)]
    for _ in range(20):
        for own, other in zip(ours, theirs, strict=True):
            own.grad = torch.randn_like(own)
            other.grad = own.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    assert all(torch.equal(own, other) for own, other in zip(ours, theirs, strict=True))


def test_a_step_is_the_formula_with_decay_outside_the_gradient():
    weight, gradient = torch.tensor([2.0, -3.0]), torch.tensor([0.5, -0.25])
    expected = weight.double().clone()
    optimizer = adamax([weight], 0.1, 0.01)
    mean, largest = torch.zeros(2).double(), torch.zeros(2).double()
    for step in (1, 2):
        weight.grad = gradient * step
        optimizer.step()
        # Kingma and Ba 2015, algorithm 2, after Loshchilov and Hutter's shrinking
        expected *= 1 - 0.1 * 0.01
        mean = 0.9 * mean + 0.1 * gradient * step
        largest = torch.maximum(0.999 * largest, (gradient * step).abs().double() + 1e-8)
        expected -= 0.1 / (1 - 0.9**step) * mean / largest
    torch.testing.assert_close(weight, expected.float())


def test_decay_is_no_l2_term_that_outweighs_clipped_gradients():
    """torch.optim.Adamax(weight_decay=...) moves such a weight by a whole learning rate a step."""
    lr, decay = 1e-3, 0.01

    def quiet_weight(optimizer_of: Callable[[list[Tensor]], torch.optim.Optimizer]) -> float:
        weight = nn.Parameter(torch.ones(2, dtype=torch.float64))
        optimizer = optimizer_of([weight])
        (weight * torch.tensor([1e6, 1e-9])).sum().backward()
        nn.utils.clip_grad_norm_([weight], 1.0)  # leaves the second gradient at 1e-15
        optimizer.step()
        return weight[1].item()

    ours = quiet_weight(lambda weights: adamax(weights, lr, decay))
    assert ours == pytest.approx(1 - lr * decay, abs=1e-9)
    theirs = quiet_weight(lambda weights: torch.optim.Adamax(weights, lr=lr, weight_decay=decay))
    assert theirs == pytest.approx(1 - lr, rel=1e-6)  # the trap: a hundred times as much


def test_weights_without_a_gradient_are_left_alone():
    used, unused = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    optimizer = adamax([used, unused], 0.1, 0.5)
    used.sum().backward()
    optimizer.step()
    assert torch.equal(unused, torch.ones(2, 2))
    assert (used < 0.96).all()


@pytest.mark.parametrize("name", ["adamax", "adamw"])
def test_a_batch_of_one_task_leaves_the_other_tasks_heads_alone(name):
    model = tiny_model()
    optimizer = build_optimizer(model, settings(optimizer=name, weight_decay=0.5))
    before = copy.deepcopy(model.state_dict())
    ids = torch.tensor([[1, 2, 3, 4]])
    mask = torch.ones_like(ids)
    model("rte", segments=mask, attention_mask=mask, input_ids=ids).sum().backward()
    optimizer.step()
    moved = {n for n, weight in model.state_dict().items() if not torch.equal(weight, before[n])}
    assert not any(n.startswith("heads.wnli.") for n in moved)
    assert {n for n, _ in model.named_parameters() if n.startswith("heads.rte.")} <= moved


def test_a_hook_for_all_optimisers_is_called_once_a_step():
    torch.optim.Adamax([nn.Parameter(torch.ones(1))])  # torch wraps the parent's step as well
    weight = nn.Parameter(torch.ones(2, 2))
    optimizer = adamax([weight], 0.1, 0.5)
    weight.grad = torch.ones(2, 2)
    calls: list[object] = []
    handle = register_optimizer_step_pre_hook(lambda *_: calls.append(1))
    optimizer.step()
    handle.remove()
    assert len(calls) == 1


# --- groups ---------------------------------------------------------------------------------------


def settings_by_name(model: nn.Module, groups: list[dict[str, object]]) -> dict[str, dict]:
    names = {id(p): name for name, p in model.named_parameters()}
    return {names[id(p)]: group for group in groups for p in group["params"]}


def test_every_trainable_weight_is_in_one_group():
    model = tiny_model()
    frozen = model.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
    groups = parameter_groups(model, settings(layer_decay=0.9))
    members = [p for group in groups for p in group["params"]]
    assert len(members) == len({id(p) for p in members})
    assert {id(p) for p in members} == {id(p) for p in model.parameters()} - {id(frozen)}


def test_biases_and_layer_norms_do_not_decay():
    model = tiny_model()
    found = settings_by_name(model, parameter_groups(model, settings(weight_decay=0.01)))
    for name, group in found.items():
        spared = name.endswith("bias") or "LayerNorm" in name
        assert group["decoupled_decay"] == (0.0 if spared else 0.01), name
        assert group["weight_decay"] == 0.0  # never inside the gradient


@pytest.mark.parametrize(
    ("part", "down"),
    [
        ("heads.rte.", 0),
        ("encoder.pooler.", 0),
        ("encoder.encoder.layer.2.", 1),
        ("encoder.encoder.layer.1.", 2),
        ("encoder.encoder.layer.0.", 3),
        ("encoder.embeddings.", 4),
    ],
)
def test_the_rate_falls_by_layer_decay_from_the_heads_down(part, down):
    model = tiny_model(layers=3)
    found = settings_by_name(model, parameter_groups(model, settings(layer_decay=0.8)))
    rates = {group["lr"] for name, group in found.items() if name.startswith(part)}
    assert rates == {1e-3 * 0.8**down}


@pytest.mark.parametrize("kind", ["distilbert", "modernbert", "roberta", "deberta-v2"])
def test_layers_are_found_in_encoders_that_call_them_otherwise(kind):
    from transformers import AutoConfig, AutoModel

    size = {"dim": 8, "n_heads": 2, "n_layers": 2, "hidden_dim": 16} if kind == "distilbert" else {
        "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 16
    }  # fmt: skip
    config = AutoConfig.for_model(kind, vocab_size=20, pad_token_id=0, **size)
    model = MultiTaskModel(AutoModel.from_config(config), {})
    found = settings_by_name(model, parameter_groups(model, settings(layer_decay=0.5)))
    for name, group in found.items():
        if ".0." in name and "layer" in name:
            assert group["lr"] == 1e-3 * 0.5**2, name
        elif ".1." in name and "layer" in name:
            assert group["lr"] == 1e-3 * 0.5, name
        elif "embed" in name:
            assert group["lr"] == 1e-3 * 0.5**3, name


def test_numbered_modules_of_a_head_are_no_layers_of_the_encoder():
    model = tiny_model(layers=2)
    model.heads["rte"] = nn.Sequential(nn.Module())
    model.heads["rte"][0].layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(9)])
    found = settings_by_name(model, parameter_groups(model, settings(layer_decay=0.5)))
    assert found["heads.rte.0.layers.8.weight"]["lr"] == 1e-3
    assert found["encoder.encoder.layer.1.output.dense.weight"]["lr"] == 1e-3 * 0.5


def test_adamw_decays_by_itself():
    model = tiny_model()
    optimizer = build_optimizer(model, settings(optimizer="adamw", weight_decay=0.01))
    assert isinstance(optimizer, torch.optim.AdamW)
    found = settings_by_name(model, optimizer.param_groups)
    assert found["encoder.encoder.layer.0.output.dense.weight"]["weight_decay"] == 0.01
    assert found["encoder.encoder.layer.0.output.dense.bias"]["weight_decay"] == 0.0
    assert found["encoder.encoder.layer.0.output.LayerNorm.weight"]["weight_decay"] == 0.0


@pytest.mark.parametrize("name", ["adamax", "adamw"])
def test_both_optimisers_shrink_a_weight_whose_gradient_is_zero_by_rate_times_decay(name):
    model = nn.Linear(3, 3)
    optimizer = build_optimizer(model, settings(optimizer=name, weight_decay=0.01))
    before = model.weight.detach().clone()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    torch.testing.assert_close(model.weight.detach(), before * (1 - 1e-3 * 0.01))


# --- schedule -------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 10, 1000])
def test_every_update_moves_and_none_exceeds_the_rate(schedule, warmup, steps):
    given = settings(schedule=schedule, warmup=warmup)
    factors = [learning_rate_factor(step, steps, given) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)
    assert max(factors) == 1


def test_warm_up_rises_linearly_to_the_whole_rate():
    given = settings(warmup=0.1)
    factors = [learning_rate_factor(step, 100, given) for step in range(11)]
    assert factors == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0])


def test_linear_falls_by_the_same_to_almost_nothing():
    given = settings(warmup=0.1, schedule="linear")
    factors = [learning_rate_factor(step, 100, given) for step in range(10, 100)]
    falls = [a - b for a, b in pairwise(factors)]
    assert falls == pytest.approx([1 / 90] * 89)
    assert factors[-1] == pytest.approx(1 / 90)


def test_cosine_is_half_way_down_in_the_middle():
    given = settings(warmup=0.0, schedule="cosine")
    assert learning_rate_factor(50, 100, given) == pytest.approx(0.5)
    assert learning_rate_factor(25, 100, given) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert learning_rate_factor(99, 100, given) < 0.001


def test_constant_stays():
    given = settings(warmup=0.2, schedule="constant")
    assert {learning_rate_factor(step, 100, given) for step in range(20, 100)} == {1.0}


def test_each_group_keeps_its_share_of_the_rate_throughout():
    model = tiny_model()
    given = settings(layer_decay=0.5, warmup=0.1)
    optimizer = build_optimizer(model, given)
    for step in (0, 5, 37, 99, 5):  # in any order: a rate depends on the step alone
        rate = set_learning_rates(optimizer, step, 100, given)
        assert rate == 1e-3 * learning_rate_factor(step, 100, given)
        found = settings_by_name(model, optimizer.param_groups)
        embeddings = found["encoder.embeddings.word_embeddings.weight"]["lr"]
        assert embeddings == pytest.approx(rate * 0.5**4)
        assert {g["lr"] for name, g in found.items() if name.startswith("heads.")} == {rate}


@pytest.mark.parametrize("kind", ["adamax", "adamw"])
def test_betas_and_eps_reach_the_optimiser_and_are_its_own_where_not_given(kind: str) -> None:
    layer = nn.Linear(2, 2)
    given = TrainingSettings(optimizer=kind, betas=(0.9, 0.98), eps=1e-6)
    (group, *_) = build_optimizer(layer, given).param_groups
    assert (group["betas"], group["eps"]) == ((0.9, 0.98), 1e-6)
    (group, *_) = build_optimizer(layer, TrainingSettings(optimizer=kind)).param_groups
    assert (group["betas"], group["eps"]) == ((0.9, 0.999), 1e-8)
