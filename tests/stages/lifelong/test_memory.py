"""What is remembered of earlier corpora is a sample of them, and what is forgotten stays so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtkd.stages.lifelong.memory import remembered

SIZES = st.lists(st.integers(1, 40), min_size=2, max_size=5)
STRATEGIES = st.sampled_from(["reservoir", "balanced"])


def corpora(sizes: list[int]) -> list[tuple[str, list[str]]]:
    return [(f"c{n}", [f"corpus/train/{i}" for i in range(size)]) for n, size in enumerate(sizes)]


@given(SIZES, st.integers(1, 60), STRATEGIES, st.integers(0, 9))
def test_it_holds_no_more_than_it_may_and_nothing_comes_back(sizes, rows, strategy, seed) -> None:
    before: set[int] = set()
    for count in range(1, len(sizes) + 1):
        seen = corpora(sizes[:count])
        found = remembered(seen, rows, strategy, seed)
        total = sum(sizes[:count])
        assert len(found) <= rows
        assert sorted(set(found.tolist())) == found.tolist()
        assert found.max() < total
        if strategy == "reservoir":
            assert len(found) == min(rows, total)
        new = set(range(total - sizes[count - 1], total))
        assert set(found.tolist()) <= before | new
        before = set(found.tolist())


def test_balanced_gives_each_corpus_as_many_and_reservoir_by_size() -> None:
    seen = corpora([900, 100])
    balanced = remembered(seen, 100, "balanced", 1)
    assert (balanced < 900).sum() == 50
    reservoir = np.mean([(remembered(seen, 100, "reservoir", s) < 900).sum() for s in range(40)])
    assert reservoir == pytest.approx(90, abs=2)


def test_each_row_is_kept_as_often_as_any_other() -> None:
    counts = np.zeros(20)
    for seed in range(400):
        counts[remembered(corpora([5, 15]), 10, "reservoir", seed)] += 1
    assert counts.min() > 200 - 5 * 10  # of 400 draws with probability a half: sd 10
    assert counts.max() < 200 + 5 * 10


def test_rows_of_two_corpora_with_the_same_guids_are_drawn_apart() -> None:
    found = remembered(corpora([50, 50]), 20, "balanced", 1)
    assert found[:10].tolist() != (found[10:] - 50).tolist()
