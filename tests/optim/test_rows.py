"""Deferred rows are Adamax's rows: whatever was touched when, to rounding."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from mtkd.errors import RunDirError
from mtkd.optim import (
    DecoupledAdamax,
    DeferredRows,
    build_optimizer,
    check_deferred,
    clip_gradients,
    defer_rows,
)
from mtkd.recipe import TrainingSettings

ROWS, WIDTH = 50, 6


class Words(nn.Module):
    """An embedding and a layer, so that there are sparse and dense gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(ROWS, WIDTH, padding_idx=0)
        self.layer = nn.Linear(WIDTH, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.layer(self.embedding(ids).mean(dim=1))


def make(dtype: torch.dtype = torch.float32) -> tuple[Words, DecoupledAdamax]:
    torch.manual_seed(0)
    model = Words().to(dtype)
    groups = [{"params": list(model.parameters()), "decoupled_decay": 0.05, "full_lr": 1e-2}]
    return model, DecoupledAdamax(groups, lr=1e-2)


def ids_of(step: int) -> Tensor:
    """Common words in every other batch, rare ones once in hundreds; some never."""
    generator = torch.Generator().manual_seed(step)
    common = torch.randint(0, 8, (3, 4), generator=generator)
    rare = torch.randint(8, 45, (3, 4), generator=generator)
    return torch.where(torch.rand(3, 4, generator=generator) < 0.97, common, rare)


def step(model: Words, optimizer: DecoupledAdamax, number: int, scale: float = 1.0) -> None:
    for group in optimizer.param_groups:
        group["lr"] = 1e-2 * (1 - number / 700)
    loss = (model(ids_of(number)) - 1).square().mean() * scale
    loss.backward()
    clip_gradients(model.parameters(), 0.5)
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("steps", [1, 2, 255, 256, 257, 600])
@pytest.mark.parametrize("scale", [1.0, 1e-8], ids=["", "gradients about eps"])
def test_weights_are_those_of_adamax_on_all_rows(steps: int, scale: float) -> None:
    (exact, exact_optimizer), (dense, dense_optimizer) = make(torch.float64), make()
    deferred, optimizer = make()
    rows = DeferredRows(optimizer, deferred.embedding)
    before = deferred.embedding.weight.detach().clone()
    for number in range(steps):
        step(exact, exact_optimizer, number, scale)
        step(dense, dense_optimizer, number, scale)
        step(deferred, optimizer, number, scale)
    rows.close()
    rounding = (dense.embedding.weight - exact.embedding.weight).abs().max().item()
    error = (deferred.embedding.weight - exact.embedding.weight).abs().max().item()
    assert error <= 2 * rounding + 1e-7
    if steps > 100:
        moved = (deferred.embedding.weight - before).abs().amax(dim=1)
        assert (moved[1:8] > 1e-3).all()
        assert (moved[45:] > 1e-3).all()  # never looked up: weight decay alone
    state = exact_optimizer.state[exact.embedding.weight]
    torch.testing.assert_close(rows.exp_avg.double(), state["exp_avg"], rtol=2e-3, atol=1e-12)
    torch.testing.assert_close(rows.exp_inf.double(), state["exp_inf"], rtol=2e-3, atol=1e-12)


def test_a_row_that_comes_to_the_floor_of_u_moves_as_in_adamax() -> None:
    """One gradient of 1e-9, then 200 updates without: u = 1.1e-8 falls to eps = 1e-8 on the way."""
    found = []
    for defer in (False, True):
        model, optimizer = make()
        nn.init.constant_(model.embedding.weight, 1e-4)  # small, so that 1e-8 more is seen
        rows = DeferredRows(optimizer, model.embedding) if defer else None
        optimizer.param_groups[0]["decoupled_decay"] = 0.0
        for number in range(201):
            ids = torch.tensor([[5 if number == 0 else 3]])
            factor = 1e-9 if number == 0 else 0.0
            (model.embedding(ids).sum() * factor).backward()
            optimizer.param_groups[0]["lr"] = 1e-4
            optimizer.step()
            optimizer.zero_grad()
        if rows is not None:
            rows.close()
        found.append(model.embedding.weight[5].detach().double() - 1e-4)
    assert found[0].abs().min() > 1e-6
    torch.testing.assert_close(found[1], found[0], rtol=2e-4, atol=0)


def test_without_the_updates_it_has_not_had_a_row_would_be_elsewhere() -> None:
    """What a lazy optimiser does: the test above can fail."""
    dense, dense_optimizer = make()
    deferred, optimizer = make()
    rows = DeferredRows(optimizer, deferred.embedding)
    for number in range(60):
        step(dense, dense_optimizer, number)
        step(deferred, optimizer, number)
    with rows.as_they_are():
        lazy = deferred.state_dict()["embedding.weight"].clone()
    assert (lazy - dense.embedding.weight).abs().max() > 1e-3
    settled = deferred.state_dict()["embedding.weight"]
    torch.testing.assert_close(settled, dense.embedding.weight.detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("stop", [1, 100, 256, 300])
def test_going_on_from_a_checkpoint_ends_with_the_same_bits(stop: int) -> None:
    straight, optimizer = make()
    DeferredRows(optimizer, straight.embedding)
    for number in range(400):
        step(straight, optimizer, number)

    first, optimizer = make()
    rows = DeferredRows(optimizer, first.embedding)
    for number in range(stop):
        step(first, optimizer, number)
    with rows.as_they_are():
        saved = copy.deepcopy((first.state_dict(), optimizer.state_dict(), rows.tensors()))

    second, optimizer = make()
    rows = DeferredRows(optimizer, second.embedding)
    second.load_state_dict(saved[0])
    optimizer.load_state_dict(saved[1])
    rows.load(saved[2])
    for number in range(stop, 400):
        step(second, optimizer, number)
    for name, tensor in straight.state_dict().items():
        assert torch.equal(second.state_dict()[name], tensor), name


def test_saving_as_they_are_changes_nothing() -> None:
    ends = []
    for save in (False, True):
        model, optimizer = make()
        rows = DeferredRows(optimizer, model.embedding)
        for number in range(90):
            step(model, optimizer, number)
            if save:
                with rows.as_they_are():
                    model.state_dict()
        rows.close()
        ends.append(model.embedding.weight.detach())
    assert torch.equal(*ends)


def test_an_evaluation_sees_rows_that_are_up_to_date() -> None:
    dense, dense_optimizer = make()
    deferred, optimizer = make()
    DeferredRows(optimizer, deferred.embedding)
    for number in range(60):
        step(dense, dense_optimizer, number)
        step(deferred, optimizer, number)
    ids = torch.arange(ROWS).view(5, 10)
    with torch.no_grad():
        torch.testing.assert_close(deferred.eval()(ids), dense.eval()(ids), rtol=0, atol=1e-5)


def test_the_padding_row_has_no_gradient_but_decays() -> None:
    model, optimizer = make()
    with torch.no_grad():
        model.embedding.weight[0] = 1.0
    rows = DeferredRows(optimizer, model.embedding)
    step(model, optimizer, 0)
    rows.close()
    assert torch.allclose(model.embedding.weight[0], torch.tensor(1 - 1e-2 * 0.05))


def test_rows_that_are_read_past_the_embedding_are_noticed() -> None:
    model, optimizer = make()
    DeferredRows(optimizer, model.embedding)
    step(model, optimizer, 0)
    step(model, optimizer, 1)
    ids = torch.tensor([48])
    nn.functional.embedding(ids, model.embedding.weight, sparse=True).sum().backward()
    with pytest.raises(AssertionError, match="past the embedding"):
        optimizer.step()


def test_afterwards_the_embedding_is_an_ordinary_one() -> None:
    model, optimizer = make()
    rows = DeferredRows(optimizer, model.embedding)
    step(model, optimizer, 0)
    rows.close()
    loaded = {name: torch.ones_like(tensor) for name, tensor in model.state_dict().items()}
    model.load_state_dict(loaded)
    model(torch.tensor([[3, 4]])).sum().backward()
    assert not model.embedding.weight.grad.is_sparse
    assert torch.equal(model.state_dict()["embedding.weight"], loaded["embedding.weight"])


@pytest.mark.parametrize("limit", [0.3, 100.0, None])
def test_clipping_is_torchs(limit: float | None) -> None:
    dense, _ = make()
    sparse, _ = make()
    sparse.embedding.sparse = True
    for model in (dense, sparse):
        for _ in range(2):  # two pieces: rows stand twice in the sparse gradient
            model(torch.tensor([[3, 3, 4], [5, 3, 7]])).square().sum().backward()
    expected = torch.nn.utils.clip_grad_norm_(
        dense.parameters(), float("inf") if limit is None else limit
    )
    found = clip_gradients(sparse.parameters(), limit)
    torch.testing.assert_close(found, expected)
    for a, b in zip(sparse.parameters(), dense.parameters(), strict=True):
        gradient = a.grad.to_dense() if a.grad.is_sparse else a.grad
        torch.testing.assert_close(gradient, b.grad)


def test_a_checkpoint_of_the_other_kind_is_refused() -> None:
    model, optimizer = make()
    rows = DeferredRows(optimizer, model.embedding)
    check_deferred(rows.tensors(), rows, Path("run"))
    check_deferred({"optimizer.0.step": torch.ones(())}, None, Path("run"))
    with pytest.raises(RunDirError, match="another kind of device"):
        check_deferred(rows.tensors(), None, Path("run"))
    with pytest.raises(RunDirError, match="another kind of device"):
        check_deferred({}, rows, Path("run"))


def small_bert(**options: object) -> BertModel:
    return BertModel(BertConfig(vocab_size=50, hidden_size=8, num_hidden_layers=1,
                                num_attention_heads=2, intermediate_size=8, **options))  # fmt: skip


def test_only_a_plain_table_of_its_own_under_adamax_is_deferred() -> None:
    encoder = small_bert()
    adamw = build_optimizer(encoder, TrainingSettings(optimizer="adamw"))
    assert defer_rows(encoder, encoder, adamw) is None
    rows = defer_rows(encoder, encoder, build_optimizer(encoder, TrainingSettings()))
    assert rows is not None
    assert encoder.get_input_embeddings().sparse
    rows.close()

    tied = small_bert()
    tied.decoder = nn.Linear(8, 50, bias=False)
    tied.decoder.weight = tied.get_input_embeddings().weight
    assert defer_rows(tied, tied, build_optimizer(tied, TrainingSettings())) is None
    frozen = small_bert()
    frozen.get_input_embeddings().weight.requires_grad = False
    assert defer_rows(frozen, frozen, build_optimizer(frozen, TrainingSettings())) is None
