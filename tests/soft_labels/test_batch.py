"""Rows of a store: their checksum, and what no soft label may be."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mtkd.errors import StoreError
from mtkd.soft_labels import StoreBatch, combine
from mtkd.soft_labels.batch import check_batch
from mtkd.task import Task
from tests.soft_labels.stores import GUIDS, LOGITS, MNLI, SCORES, STSB, make_info

PATH = Path("s.parquet")
NAN, INF = float("nan"), float("inf")


def batch(card: Task = MNLI, **changes: Any) -> StoreBatch:
    logits = SCORES if card is STSB else LOGITS
    gold = np.array([1.0, np.nan, 0.0])
    made = StoreBatch(pa.array(GUIDS), gold, logits, combine(make_info(card), logits))
    return dataclasses.replace(made, **changes)


def changed(values: np.ndarray, place: Any, value: float) -> np.ndarray:
    found = values.copy()
    found[place] = value
    return found


def with_targets(row: int, values: list[float], card: Task = MNLI) -> StoreBatch:
    targets = batch(card).targets.copy()
    targets[row] = values
    return batch(card, targets=targets)


def with_logits(place: Any, value: float, card: Task = MNLI) -> StoreBatch:
    return batch(card, logits=changed(batch(card).logits, place, value))


REFUSED = {
    "a sum above 1": (with_targets(1, [0.5, 0.5, 0.5]), "probabilities that do not sum to 1"),
    "a sum just below 1": (with_targets(1, [0.3, 0.3, 0.3997]), "do not sum to 1"),
    "logits for probabilities": (with_targets(1, [2.0, 0.0, -1.0]), "negative probabilities"),
    "a negative": (with_targets(1, [1.2, -0.2, 0.0]), "negative probabilities"),
    "NaN throughout": (with_targets(1, [NAN] * 3), "soft labels that are not finite"),
    "NaN in one class": (with_targets(1, [0.5, NAN, 0.5]), "soft labels that are not finite"),
    "NaN in the first class": (with_targets(1, [NAN, 0.5, 0.5]), "soft labels that are not finite"),
    "infinity": (with_targets(1, [INF, 0.0, 0.0]), "soft labels that are not finite"),
    "a score of NaN": (with_targets(1, [NAN], STSB), "soft labels that are not finite"),
    "a score of infinity": (with_targets(1, [INF], STSB), "soft labels that are not finite"),
    "one logit NaN": (with_logits((1, 0, 2), NAN), "logits that are not finite"),
    "one teacher NaN": (with_logits((1, 0), NAN), "logits that are not finite"),
    "one logit infinite": (with_logits((1, 1, 0), -INF), "logits that are not finite"),
    "one teacher's score NaN": (with_logits((1, 1), NAN, STSB), "logits that are not finite"),
}


@pytest.mark.parametrize(("found", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_soft_label_is_refused_with_its_row(found: StoreBatch, message: str) -> None:
    info = make_info(STSB if found.targets.shape[1] == 1 else MNLI)
    with pytest.raises(StoreError, match=r"s\.parquet: 1 rows with .*row 101, t/train/1; delete"):
        check_batch(PATH, info, found, start=100)
    with pytest.raises(StoreError, match=message):
        check_batch(PATH, info, found)


@pytest.mark.parametrize("label", [3.0, -1.0, 0.5, INF])
def test_gold_labels_that_are_no_class_are_refused(label: float) -> None:
    with pytest.raises(StoreError, match="gold labels that are none of 0 to 2"):
        check_batch(PATH, make_info(), batch(gold=np.array([0.0, label, NAN])))
    if np.isfinite(label):
        check_batch(PATH, make_info(STSB), batch(STSB, gold=np.array([0.0, label, NAN])))


@pytest.mark.parametrize("card", [MNLI, STSB])
def test_soft_labels_and_their_absence_pass(card: Task) -> None:
    check_batch(PATH, make_info(card), batch(card))
    without = batch(
        card,
        logits=changed(batch(card).logits, 1, NAN),
        targets=changed(batch(card).targets, 1, NAN),
    )
    check_batch(PATH, make_info(card), without)
    assert without.known.tolist() == [True, False, True]


def test_rounding_is_no_fault() -> None:
    check_batch(PATH, make_info(), with_targets(1, [0.3, 0.3, 0.39995]))


# --- the checksum -----------------------------------------------------------------------------


def test_every_value_is_in_the_checksum() -> None:
    made = batch()
    others = [
        batch(guids=pa.array([*GUIDS[:2], "t/train/8"])),
        batch(guids=pa.array([GUIDS[1], GUIDS[0], GUIDS[2]])),
        batch(guids=pa.array(["t/train/0t", "/train/1", "t/train/7"])),
        batch(gold=changed(made.gold, 0, 0.0)),
        batch(gold=changed(made.gold, 1, 0.0)),
        batch(logits=changed(made.logits, (2, 1, 2), np.nextafter(np.float32(1), np.float32(2)))),
        batch(targets=changed(made.targets, (0, 0), 0.0)),
        batch(logits=changed(made.logits, (1, 0, 0), -0.0)),
    ]
    assert len({made.sha256(), *(other.sha256() for other in others)}) == 1 + len(others)


def test_the_checksum_is_of_values_and_not_of_how_they_lie_in_memory() -> None:
    made = batch()
    same = batch(
        guids=pa.concat_arrays([pa.array(GUIDS[:1]), pa.array(["x", *GUIDS[1:]])[1:]]),
        logits=np.asfortranarray(made.logits),
        targets=np.asfortranarray(made.targets),
    )
    assert same.sha256() == made.sha256()


def test_nan_is_nan_whatever_its_bits() -> None:
    """0/0 has the sign bit set where np.nan has not, and a file keeps neither."""
    made = batch()
    other = batch(gold=changed(made.gold, 1, -np.nan))
    assert made.gold.tobytes() != other.gold.tobytes()
    assert made.sha256() == other.sha256()
