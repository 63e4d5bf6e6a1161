"""Predictions are kept window by window: a stop costs one window, and changes no byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from mtkd import inference
from mtkd.errors import RunDirError
from mtkd.stages import Run, predictions, scoring
from mtkd.stages.predictions import (
    PredictionReader,
    Scoring,
    predictions_unit,
    read_predictions,
)


def unit(run: Run) -> Any:
    encoder = run.recipe.student.encoder
    scoring = Scoring("uncased", "teachers/uncased/rte", encoder, "rte", ("train", "dev"))
    return predictions_unit(run, "soften", scoring)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Windows of 10 rows; the number of rows of each window that is predicted."""
    found: list[int] = []
    original = scoring.predict

    def counting(*arguments: Any, **named: Any) -> Any:
        logits = original(*arguments, **named)
        found.append(len(logits))
        return logits

    monkeypatch.setattr(scoring, "WINDOW", 10)
    monkeypatch.setattr(scoring, "predict", counting)
    return found


def test_a_stopped_attempt_goes_on_with_the_next_window_and_ends_with_the_same_bytes(
    folds_run: Run, tmp_path: Path, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir(), stopped.mkdir()
    unit(folds_run).build(whole)
    assert calls == [10, 10, 10, 10, 8, 10, 10, 4]
    counting = scoring.predict

    def stops_in_the_third(*arguments: Any, **named: Any) -> Any:
        if len(calls) == 8 + 2:
            raise KeyboardInterrupt
        return counting(*arguments, **named)

    monkeypatch.setattr(scoring, "predict", stops_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        unit(folds_run).build(stopped)
    monkeypatch.setattr(scoring, "predict", counting)
    unit(folds_run).build(stopped)
    assert calls[10:] == [10, 10, 8, 10, 10, 4]  # the first two windows were kept
    for split in ("train", "dev"):
        name = f"{split}.parquet"
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()
    assert sorted(path.name for path in stopped.iterdir()) == ["dev.parquet", "train.parquet"]


def test_how_many_tokens_fitted_at_once_is_recorded_and_reused(
    folds_run: Run, tmp_path: Path, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU that has room for 100 at first, and for all when the run goes on."""
    tried: list[int] = []
    room = 100
    original = inference._predict

    def limited(*arguments: Any) -> Any:
        tried.append(arguments[-1])
        if arguments[-1] > room:
            raise torch.OutOfMemoryError
        if room == 100 and len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(inference, "_predict", limited)
    monkeypatch.setattr(inference, "CPU_TOKENS", 256)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        unit(folds_run).build(tmp_path)
    assert tried == [256, 128, 64, 64, 64]  # of the second window on what fits is known
    room = 10**9
    tried.clear()
    unit(folds_run).build(tmp_path)
    windows_of_train = 5 - 2
    assert tried == [64] * windows_of_train + [256] * 3  # another split has room for itself
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dev.parquet", "train.parquet"]


def test_windows_do_not_change_what_a_row_gets(
    folds_run: Run, tmp_path: Path, calls: list[int]
) -> None:
    _, whole = read_predictions(folds_run, "uncased", "rte", "dev")
    unit(folds_run).build(tmp_path)
    parts = [logits for _, logits in predictions.iter_predictions(tmp_path / "dev.parquet", 7)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


def test_a_reader_gives_rows_in_pieces_of_any_size_and_refuses_others(folds_run: Run) -> None:
    guids, logits = read_predictions(folds_run, "uncased", "rte", "train")
    reader = PredictionReader(folds_run, "uncased", "rte", "train")
    column = pa.array(guids, pa.string())
    first, second = reader.take(column[:7]), reader.take(column[7:])
    np.testing.assert_array_equal(np.concatenate([first, second]), logits)
    other = PredictionReader(folds_run, "uncased", "rte", "train")
    with pytest.raises(RunDirError, match="other rows"):
        other.take(column[1:8])
    with pytest.raises(RunDirError, match="other rows"):
        reader.take(column[:1])  # there are no more


def test_a_flipped_bit_in_kept_predictions_is_refused(folds_run: Run, tmp_path: Path) -> None:
    unit(folds_run).build(tmp_path)
    path = tmp_path / "train.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunDirError, match="cannot be read"):
        list(predictions.iter_predictions(path, 100))


def test_a_split_that_was_finished_before_the_stop_is_not_predicted_again(
    folds_run: Run, tmp_path: Path, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = scoring.predict

    def stops_in_dev(*arguments: Any, **named: Any) -> Any:
        if len(calls) == 5:
            raise KeyboardInterrupt
        return counting(*arguments, **named)

    monkeypatch.setattr(scoring, "predict", stops_in_dev)
    with pytest.raises(KeyboardInterrupt):
        unit(folds_run).build(tmp_path)
    monkeypatch.setattr(scoring, "predict", counting)
    unit(folds_run).build(tmp_path)
    assert calls[5:] == [10, 10, 4]


@pytest.mark.parametrize("kept", ["nothing", "half of it", "a flipped bit", "another window"])
def test_a_kept_window_that_is_broken_or_of_other_rows_is_predicted_anew(
    folds_run: Run, tmp_path: Path, calls: list[int], kept: str
) -> None:
    part = tmp_path / "train.parts" / "0.safetensors"
    rows = 20 if kept == "another window" else 10
    scoring._keep(part, np.zeros((rows, 2), dtype=np.float32))
    whole_file = bytearray(part.read_bytes())
    if kept == "a flipped bit":
        whole_file[-3] ^= 1
    ends = {"nothing": 0, "half of it": len(whole_file) // 2}
    part.write_bytes(whole_file[: ends.get(kept, len(whole_file))])
    unit(folds_run).build(tmp_path)
    assert calls == [10, 10, 10, 10, 8, 10, 10, 4]
    _, whole = read_predictions(folds_run, "uncased", "rte", "train")
    parts = [logits for _, logits in predictions.iter_predictions(tmp_path / "train.parquet", 99)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
