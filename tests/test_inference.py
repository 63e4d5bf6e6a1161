"""Logits come back in the order of the file, whatever rows were run together."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mtkd import inference
from mtkd.devices import start_accelerator
from mtkd.errors import Interrupted, RunFailed
from mtkd.examples.prepared import PreparedSplit
from mtkd.inference import predict
from mtkd.model import MultiTaskModel, build_model
from mtkd.recipe import EncoderSettings
from mtkd.signals import stopped_by_signals
from tests.rows import RTE, STSB, make_examples, prepare
from tests.unlucky import Unlucky
from tests.widening import widen


@pytest.fixture
def split(tiny_encoder: str, tmp_path: Path) -> PreparedSplit:
    found = prepare(make_examples(RTE, 23), tiny_encoder, tmp_path / "rte.arrow")
    assert (np.diff(found.lengths) > 0).any()
    assert (np.diff(found.lengths) < 0).any()
    return found


@pytest.fixture
def model(tiny_encoder: str) -> MultiTaskModel:
    tasks = {"rte": RTE, "stsb": STSB}
    model = build_model(EncoderSettings(encoder=tiny_encoder), tasks, {}, 1)
    widen(model)
    return model


def test_rows_come_in_file_order(model: MultiTaskModel, split: PreparedSplit) -> None:
    found = predict(model, "rte", split, start_accelerator("fp32"))
    assert found.shape == (23, 2)
    assert found.dtype == np.float32
    with torch.no_grad():
        for row in range(len(split)):
            alone = model("rte", **split.batch([row]))[0].numpy()
            np.testing.assert_allclose(found[row], alone, rtol=0, atol=1e-5)
    assert len(np.unique(found.round(2), axis=0)) > 15  # rows could be told apart


@pytest.mark.parametrize("tokens", [1, 40, 100, 100_000])
def test_the_rows_of_a_batch_do_not_matter_to_each_other(
    model: MultiTaskModel, split: PreparedSplit, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = predict(model, "rte", split, start_accelerator("fp32"))
    monkeypatch.setattr(inference, "CPU_TOKENS", tokens)
    found = predict(model, "rte", split, start_accelerator("fp32"))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_regression_scores_are_one_column(model: MultiTaskModel, split: PreparedSplit) -> None:
    assert predict(model, "stsb", split, start_accelerator("fp32")).shape == (23, 1)


def test_dropout_is_off_though_the_model_was_training(
    model: MultiTaskModel, split: PreparedSplit
) -> None:
    model.train()
    accelerator = start_accelerator("fp32")
    first = predict(model, "rte", split, accelerator)
    model.train()
    assert np.array_equal(predict(model, "rte", split, accelerator), first)


def test_bf16_is_close_to_fp32_and_comes_as_float32(
    model: MultiTaskModel, split: PreparedSplit
) -> None:
    exact = predict(model, "rte", split, start_accelerator("fp32"))
    found = predict(model, "rte", split, start_accelerator("bf16"))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, rtol=0.1, atol=0.1)
    assert not np.array_equal(found, exact)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_first_row_with_a_logit_that_is_not_finite_is_named(
    model: MultiTaskModel, split: PreparedSplit, value: float
) -> None:
    bad = int(split.batch([7])["input_ids"][0, 1])
    has_it = [bad in split.batch([row])["input_ids"][0] for row in range(len(split))]
    with torch.no_grad():
        model.encoder.embeddings.word_embeddings.weight[bad] = value
    message = rf"^{sum(has_it)} rows .* first rte/train/{has_it.index(True)};"
    with pytest.raises(RunFailed, match=message):
        predict(model, "rte", split, start_accelerator("fp32"))


def test_a_split_without_rows_has_no_logits(
    model: MultiTaskModel, tiny_encoder: str, tmp_path: Path
) -> None:
    empty = prepare([], tiny_encoder, tmp_path / "empty.arrow")
    assert predict(model, "rte", empty, start_accelerator("fp32")).shape == (0, 2)


# --- on a GPU that is full ------------------------------------------------------------------------


class FullDevice:
    """Stands for a GPU on which as many tokens fit at once as `room` says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room, self.tried = 10**9, []  # type: ignore[var-annotated]
        monkeypatch.setattr(inference, "_predict", self._predict)
        # a device without numbers: what is scored on it is made up below
        self.accelerator = SimpleNamespace(device=torch.device("meta"), num_processes=1)

    def _predict(self, *arguments: Any) -> list[Any]:
        rows, tokens = arguments[-2:]
        self.tried.append(tokens)
        if tokens > self.room:
            raise torch.OutOfMemoryError
        return [(np.arange(len(rows)), np.zeros((len(rows), 2), np.float32))]

    def score(self, model: MultiTaskModel, split: PreparedSplit) -> list[int]:
        """Return the tokens at once that one call tries."""
        self.tried = []
        predict(model, "rte", split, self.accelerator)  # type: ignore[arg-type]
        return self.tried


def test_a_full_device_gets_fewer_rows_at_once_and_says_so(
    model: MultiTaskModel, split: PreparedSplit, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    device = FullDevice(monkeypatch)
    device.room = 20_000
    assert device.score(model, split) == [65_536, 32_768, 16_384]
    assert "rte: scores 16384 tokens at once, since 32768 do not fit" in caplog.text
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_what_once_did_not_fit_is_nothing_to_the_next_call(
    model: MultiTaskModel, split: PreparedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run that goes on, in a new process, would score in other batches."""
    device = FullDevice(monkeypatch)
    before = device.score(model, split)
    device.room = 20_000
    device.score(model, split)
    device.room = 10**9
    assert device.score(model, split) == before == [inference.GPU_TOKENS]


def test_a_device_without_room_for_the_longest_row_is_an_error(
    model: MultiTaskModel, split: PreparedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = FullDevice(monkeypatch)
    device.room = 0
    with pytest.raises(torch.OutOfMemoryError):
        device.score(model, split)
    assert min(device.tried) < split.lengths.max() <= 2 * min(device.tried)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_was_lost_stops_it_after_the_batch(
    model: MultiTaskModel, split: PreparedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "CPU_TOKENS", 1)
    batches = []

    def unlucky(*_: object) -> None:
        batches.append(Unlucky())
        batches[-1] = None

    model.register_forward_hook(unlucky)

    @stopped_by_signals()
    def command() -> None:
        predict(model, "rte", split, start_accelerator("fp32"))

    with pytest.raises(Interrupted):
        command()
    assert len(batches) == 1 < len(split)
