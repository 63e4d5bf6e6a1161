"""The same batch padded more, as it is, and not at all: the same logits and gradients."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModel, BertConfig, DistilBertConfig, ElectraConfig, RobertaConfig

from mtkd.errors import EncoderError
from mtkd.model import MultiTaskModel

SIZE = {"vocab_size": 60, "max_position_embeddings": 48}
BERT_LIKE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
             "intermediate_size": 48, "hidden_dropout_prob": 0.0,
             "attention_probs_dropout_prob": 0.0}  # fmt: skip
CONFIGS = {
    "bert": BertConfig(**SIZE, **BERT_LIKE),
    "electra": ElectraConfig(**SIZE, **BERT_LIKE, embedding_size=32),
    "roberta": RobertaConfig(**SIZE, **BERT_LIKE, type_vocab_size=2, pad_token_id=1),
}
LENGTHS = [20, 7, 3, 31, 12]


def make(config: object) -> MultiTaskModel:
    torch.manual_seed(2)
    head = {"dropout": 0.0, "steps": 3, "step_dropout": 0.0, "outputs": 3,
            "labels": ["a", "b", "c"], "positive": None}  # fmt: skip
    heads = {
        "first": {**head, "type": "linear", "pooling": "first"},
        "mean": {**head, "type": "linear", "pooling": "mean"},
        "san": {**head, "type": "san", "pooling": "first"},
    }
    model = MultiTaskModel(AutoModel.from_config(config), heads).train()
    with torch.no_grad():  # as large as in a trained encoder: else all rows look alike
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4)
    return model


def batch(width: int, pad: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(4)
    rows = [torch.randint(5, 60, (n,), generator=generator) for n in LENGTHS]
    ids = torch.stack([F.pad(row, (0, width - len(row)), value=pad) for row in rows])
    mask = torch.stack([(torch.arange(width) < n).long() for n in LENGTHS])
    second = torch.stack([(torch.arange(width) >= n // 2).long() for n in LENGTHS]) * mask
    return {"input_ids": ids, "attention_mask": mask, "segments": (1 + second) * mask,
            "token_type_ids": second}  # fmt: skip


def gradients(
    model: MultiTaskModel, task: str, run: Callable[[], Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    model.zero_grad()
    logits = run()
    labels = torch.tensor([0, 2, 1, 1, 0])
    F.cross_entropy(logits, labels).backward()
    return logits.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("task", ["first", "mean", "san"])
@pytest.mark.parametrize("kind", CONFIGS)
def test_padding_changes_no_logit_and_no_gradient(kind: str, task: str) -> None:
    model = make(CONFIGS[kind])
    pad = CONFIGS[kind].pad_token_id
    runs = []
    for width, context in ((31, nullcontext), (44, nullcontext), (31, model.without_padding)):
        with context():
            inputs = batch(width, pad)
            runs.append(gradients(model, task, lambda x=inputs: model(task, **x)))
    (expected, by_name), *others = runs
    assert expected.std(0).min() > 0.01  # rows could be told apart
    assert sum(gradient.abs().max() > 1e-3 for gradient in by_name.values()) > len(by_name) / 2
    for logits, found in others:
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
        assert found.keys() == by_name.keys()
        for name, gradient in found.items():
            torch.testing.assert_close(gradient, by_name[name], rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_row_of_a_bucket_has_the_gradient_that_it_has_alone(kind: str) -> None:
    """Batches of like rows, of unlike rows, of one row: the mean over rows is the same."""
    model = make(CONFIGS[kind])
    inputs = batch(31, CONFIGS[kind].pad_token_id)
    labels = torch.tensor([0, 2, 1, 1, 0])

    def gradient(parts: list[list[int]]) -> dict[str, Tensor]:
        model.zero_grad()
        for part in parts:
            width = max(LENGTHS[row] for row in part)
            rows = {name: tensor[part, :width] for name, tensor in inputs.items()}
            loss = F.cross_entropy(model("mean", **rows), labels[part], reduction="sum")
            (loss / len(LENGTHS)).backward()
        return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}

    expected = gradient([[0, 1, 2, 3, 4]])
    for parts in ([[2, 1], [4, 0], [3]], [[0], [1], [2], [3], [4]], [[3, 2], [0, 1, 4]]):
        for name, found in gradient(parts).items():
            torch.testing.assert_close(found, expected[name], rtol=0, atol=1e-5, msg=name)


def test_dropout_without_padding_is_drawn_and_keeps_expectation() -> None:
    config = BertConfig(**SIZE, **{**BERT_LIKE, "attention_probs_dropout_prob": 0.4})
    model = make(config)
    inputs = batch(31, 0)
    with model.without_padding(), torch.no_grad():
        drawn = torch.stack([model("mean", **inputs) for _ in range(50)])
    assert (drawn.std(0) > 0).all()


def test_an_encoder_of_another_kind_is_refused() -> None:
    config = DistilBertConfig(**SIZE, dim=32, n_layers=1, n_heads=2, hidden_dim=48)
    context = make(config).without_padding()
    with pytest.raises(EncoderError, match=r"training\.unpad: a distilbert encoder"), context:
        pass
