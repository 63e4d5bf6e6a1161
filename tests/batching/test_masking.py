from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtkd.batching.masking import Masking, masking_weights

WORDS, CLS, SEP, MASK = 40, 0, 1, 2
EVEN = masking_weights(np.zeros(WORDS, dtype=np.int64), 0.0, {CLS, SEP, MASK})


def rows(*lengths: int, seed: int = 0) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [np.array([CLS, *draw.integers(3, WORDS, n), SEP]) for n in lengths]


def test_known_weights() -> None:
    found = masking_weights(np.array([1, 10, 100, 1000]), 0.7, set())
    assert found.tolist() == pytest.approx([0.801744, 0.159969, 0.031918, 0.006368], abs=1e-6)


def test_a_word_that_never_occurs_counts_as_one_that_does_once() -> None:
    found = masking_weights(np.array([0, 1]), 0.7, set())
    assert found.tolist() == [0.5, 0.5]


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.floats(0.01, 0.99), st.integers(0))
def test_the_share_of_all_tokens_is_drawn_and_specials_never(lengths, share, seed) -> None:
    own = rows(*lengths)
    masked, chosen = Masking(EVEN, MASK, share).draw(own, np.random.default_rng(seed))
    total, words = sum(map(len, own)), sum(lengths)
    assert sum(int(row.sum()) for row in chosen) == min(int(np.ceil(share * total)), words)
    for before, after, drawn in zip(own, masked, chosen, strict=True):
        assert not drawn[[0, -1]].any()
        assert (before[~drawn] == after[~drawn]).all()


def test_of_the_drawn_eight_in_ten_are_masked_one_stays_and_one_is_any_word() -> None:
    own = rows(*[400] * 50)
    masked, chosen = Masking(EVEN, MASK).draw(own, np.random.default_rng(3))
    drawn = np.concatenate(chosen)
    before, after = np.concatenate(own)[drawn], np.concatenate(masked)[drawn]
    count = drawn.sum()
    assert (after == MASK).mean() == pytest.approx(0.8 + 0.1 / WORDS, abs=4 * (0.16 / count) ** 0.5)
    assert (after == before).mean() == pytest.approx(
        0.1 + 0.1 / WORDS, abs=4 * (0.09 / count) ** 0.5
    )
    others = after[(after != MASK) & (after != before)]
    assert len(np.unique(others)) >= WORDS - 3  # from the whole vocabulary


def test_a_token_is_drawn_in_proportion_to_its_weight() -> None:
    counts = np.zeros(WORDS, dtype=np.int64)
    counts[3], counts[4] = 1, 1000
    masking = Masking(masking_weights(counts, 0.7, {CLS, SEP, MASK}), MASK, share=0.01)
    own = [np.array([3, 4] * 50)] * 20  # one drawn in a hundred: almost with replacement
    rng = np.random.default_rng(5)
    found = np.zeros(WORDS)
    for _ in range(400):
        _, chosen = masking.draw(own, rng)
        np.add.at(found, np.concatenate(own)[np.concatenate(chosen)], 1)
    assert found[3] / found[4] == pytest.approx(1000**0.7, rel=0.25)


def test_a_batch_with_nothing_to_mask_is_left_as_it_is() -> None:
    own = rows(0, 0)
    masked, chosen = Masking(EVEN, MASK).draw(own, np.random.default_rng(1))
    assert [row.tolist() for row in masked] == [[CLS, SEP]] * 2
    assert not any(row.any() for row in chosen)


def test_the_same_generator_draws_the_same() -> None:
    one, two = (Masking(EVEN, MASK).draw(rows(9, 30), np.random.default_rng(7)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(one[0], two[0], strict=True))
    other, _ = Masking(EVEN, MASK).draw(rows(9, 30), np.random.default_rng(8))
    assert any((a != b).any() for a, b in zip(one[0], other, strict=True))
