"""A task's model as transformers' own gives the same logits on every encoder that can be had."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification

from mtkd.errors import EncoderError
from mtkd.model import MultiTaskModel, head_config
from mtkd.recipe import HeadSettings
from mtkd.sequence_classifier import sequence_classifier
from mtkd.task import load_task
from tests.test_model import CONFIGS


def a_model(kind: str, pooling: str = "first", head: str = "linear") -> MultiTaskModel:
    torch.manual_seed(3)
    settings = HeadSettings(type=head, pooling=pooling)
    tasks = {name: load_task(name) for name in ("mnli", "stsb")}
    encoder = AutoModel.from_config(CONFIGS[kind])
    return MultiTaskModel(encoder, {n: head_config(t, settings) for n, t in tasks.items()}).eval()


@pytest.mark.parametrize("task", ["mnli", "stsb"])
@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "electra", "deberta-v2"])
def test_logits_are_the_same_after_a_round_trip_through_transformers(
    kind: str, task: str, tmp_path: Path
) -> None:
    model = a_model(kind)
    sequence_classifier(model, task).save_pretrained(tmp_path)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    ids = torch.randint(5, 60, (6, 20), generator=torch.Generator().manual_seed(9))
    mask = torch.ones_like(ids)
    mask[2, 7:] = 0
    with torch.inference_mode():
        expected = model(task, torch.zeros_like(ids), mask, input_ids=ids)
        found = plain(input_ids=ids, attention_mask=mask).logits
    assert expected.std() > 1e-3  # logits that differ from row to row, or the test says little
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    labels = list(load_task(task).labels) or ["score"]
    assert [plain.config.id2label[i] for i in range(len(labels))] == labels


@pytest.mark.parametrize(
    ("kind", "pooling", "head"),
    [("bert", "mean", "linear"), ("bert", "first", "san"), ("modernbert", "first", "linear")],
)
def test_heads_without_a_class_in_transformers_are_refused(
    kind: str, pooling: str, head: str
) -> None:
    with pytest.raises(EncoderError, match=r"transformers has no class.*pooling=first"):
        sequence_classifier(a_model(kind, pooling, head), "mnli")
