"""Words are asked for at the very tokens that were masked, whatever lies around them."""

from __future__ import annotations

import numpy as np
import torch

from mtkd.training.corpus import DrawnRows


def test_masked_and_real_positions_are_those_of_the_tokens() -> None:
    tokens = [np.array([11, 12, 13, 14, 15]), np.array([21, 22])]
    masked = [np.array([11, 12, 99, 14, 98]), np.array([21, 97])]
    chosen = [row >= 90 for row in masked]
    batch = DrawnRows(tokens, masked, chosen, pad_token_id=0).batch([1, 0], torch.device("cpu"))
    flat = batch.inputs["input_ids"].flatten()
    assert flat[batch.positions("masked")].tolist() == [97, 99, 98]
    assert batch.labels.tolist() == [22, 13, 15]
    assert flat[batch.positions("real")].tolist() == [97, 99, 98, 21, 11, 12, 14]
    assert batch.positions(None) is None
