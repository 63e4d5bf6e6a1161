from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from transformers import (
    AutoModelForMaskedLM,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    PreTrainedModel,
    RobertaConfig,
)

from mtkd.distillation import DistilledEncoder, Needs, States
from mtkd.distillation.states import depth, forward
from mtkd.errors import EncoderError
from tests.distillation.teachers import logits_of

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2,
         "intermediate_size": 32, "max_position_embeddings": 40}  # fmt: skip
CONFIGS = {
    "bert": BertConfig(**SIZES),
    "roberta": RobertaConfig(**SIZES, pad_token_id=1),
    "electra": ElectraConfig(**SIZES, embedding_size=8),
    "modernbert": ModernBertConfig(**SIZES, pad_token_id=0, cls_token_id=1, sep_token_id=2,
                                   bos_token_id=1, eos_token_id=2),
    "distilbert": DistilBertConfig(vocab_size=50, dim=16, n_layers=3, n_heads=2, hidden_dim=32,
                                   max_position_embeddings=40),
}  # fmt: skip
ALL = Needs("real", frozenset({0, 1, 2, 3}), frozenset({1, 3}), frozenset({3}))
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
IDS = torch.tensor([[7, 8, 9, 10, 11], [12, 13, 14, 1, 1]])
REAL = MASK.flatten().nonzero().squeeze(1)


def model(kind: str) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return AutoModelForMaskedLM.from_config(copy.deepcopy(CONFIGS[kind])).eval()


def inputs(ids: Tensor = IDS) -> dict[str, Tensor]:
    return {"input_ids": ids, "attention_mask": MASK}


def logits(found: States) -> Tensor:
    assert found.words is not None
    return logits_of(found.words)


@pytest.mark.parametrize("kind", CONFIGS)
def test_logits_and_states_are_those_of_transformers(kind: str) -> None:
    plain, own = model(kind), DistilledEncoder(model(kind), ALL).eval()
    with torch.no_grad():
        wanted = plain(**inputs(), output_hidden_states=True)
        found, _ = own(inputs(), REAL)
    torch.testing.assert_close(logits(found), wanted.logits.flatten(0, 1)[REAL],
                               atol=1e-5, rtol=0)  # fmt: skip
    real = MASK.bool()
    for number in (0, 1, 2):
        torch.testing.assert_close(found.hidden[number][real], wanted.hidden_states[number][real],
                                   atol=1e-5, rtol=0)  # fmt: skip
    last = plain.base_model(**inputs()).last_hidden_state
    torch.testing.assert_close(found.hidden[3][real], last[real], atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", CONFIGS)
def test_scores_give_the_attention_that_transformers_shows(kind: str) -> None:
    plain = model(kind)
    plain.set_attn_implementation("eager")
    with torch.no_grad():
        wanted = plain.base_model(**inputs(), output_attentions=True).attentions
        found, _ = DistilledEncoder(model(kind), ALL).eval()(inputs(), REAL)
    hidden = torch.where(MASK.bool(), 0.0, -torch.inf)[:, None, None, :]
    for layer in (1, 3):
        weights = (found.scores(layer) + hidden).softmax(-1)
        for row, length in enumerate(MASK.sum(1).tolist()):
            torch.testing.assert_close(weights[row, :, :length], wanted[layer - 1][row, :, :length],
                                       atol=1e-5, rtol=0)  # fmt: skip


@pytest.mark.parametrize("kind", CONFIGS)
def test_what_stands_at_padding_changes_nothing(kind: str) -> None:
    own = DistilledEncoder(model(kind), ALL).eval()
    other = IDS.clone()
    other[1, 3:] = torch.tensor([30, 40])
    with torch.no_grad():
        (one, _), (two, _) = own(inputs(), REAL), own(inputs(other), REAL)
    torch.testing.assert_close(logits(one), logits(two), atol=1e-6, rtol=0)


def test_only_what_is_needed_is_computed_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    bert = model("bert")
    asked: list[bool] = []
    original = type(bert.base_model).forward

    def noting(self, **options):
        asked.append(options["output_hidden_states"])
        return original(self, **options)

    monkeypatch.setattr(type(bert.base_model), "forward", noting)
    for needs in (Needs(hidden=frozenset({3})), Needs(hidden=frozenset({1, 3}))):
        found = forward(bert, needs, inputs(), None)
        assert found.words is None
        assert set(found.hidden) == set(needs.hidden)
        assert not found.attention
    assert asked == [False, True]


def test_words_are_those_at_the_places_asked_for_only() -> None:
    bert = model("bert")
    wanted = bert(**inputs()).logits.flatten(0, 1)[[6, 2]]
    found = forward(bert, Needs("masked"), inputs(), torch.tensor([6, 2]))
    torch.testing.assert_close(logits(found), wanted, atol=1e-5, rtol=0)


def test_no_gradient_reaches_a_teacher() -> None:
    teacher = DistilledEncoder(model("bert"), ALL)  # its weights would take one
    shown = teacher.shown(inputs(), REAL)
    assert shown.words is not None
    tensors = [shown.words.states, *shown.hidden.values(), shown.scores(1), shown.attention[3].key]
    assert not any(tensor.requires_grad for tensor in tensors)


def test_a_teacher_drops_nothing_even_while_its_student_trains() -> None:
    teacher = DistilledEncoder(model("bert"), Needs("real")).train()
    one, two = teacher.shown(inputs(), REAL), teacher.shown(inputs(), REAL)
    assert torch.equal(logits(one), logits(two))


def test_a_projection_is_learnt_beside_and_is_no_part_of_the_model() -> None:
    own = DistilledEncoder(model("bert"), Needs(hidden=frozenset({1})), projected=24)
    found, _ = own(inputs(), None)
    assert found.hidden[1].shape == (2, 5, 24)
    assert "heads.projection.weight" in dict(own.named_parameters())
    assert not any("projection" in name for name, _ in own.model.named_parameters())


def test_an_encoder_that_hides_its_attention_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bert = model("bert")
    bert.set_attn_implementation("eager")  # as those have it that know no other
    with pytest.raises(EncoderError, match="does not show its queries and keys"):
        forward(bert, ALL, inputs(), REAL)
    assert depth(bert) == 3
