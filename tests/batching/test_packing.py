"""Batches by a bound on tokens; padding."""

from __future__ import annotations

import os
from itertools import chain, combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtkd.batching import count_steps, epoch_order
from mtkd.batching.packing import pack
from mtkd.recipe import DataSettings, TrainingSettings
from mtkd.recipe.training import Sampling
from mtkd.task import load_task

some_lengths = st.lists(st.integers(1, 130), min_size=1, max_size=80).map(np.array)


def settings(**given: object) -> TrainingSettings:
    return TrainingSettings(**{"max_tokens": 256, "bucket_batches": 4, "epochs": 3, **given})


def packed(lengths: np.ndarray, groups: np.ndarray | None = None, **given: object) -> list:
    return pack(lengths, settings(**given), np.random.default_rng(0), groups)


@given(lengths=some_lengths, max_tokens=st.integers(1, 600), buckets=st.sampled_from([0, 2, 50]))
def test_each_row_is_in_one_batch_and_no_batch_is_over_the_bound(
    lengths: np.ndarray, max_tokens: int, buckets: int
) -> None:
    batches = packed(lengths, max_tokens=max_tokens, bucket_batches=buckets)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for rows in batches:
        assert len(rows) == 1 or len(rows) * lengths[rows].max() <= max_tokens


@given(lengths=some_lengths)
def test_a_batch_ends_only_where_the_next_row_would_not_fit(lengths: np.ndarray) -> None:
    batches = packed(lengths, bucket_batches=0)
    for rows, following in pairwise(batches):
        wider = max(lengths[rows].max(), lengths[following[0]])
        assert (len(rows) + 1) * wider > 256


@given(lengths=some_lengths, sizes=st.lists(st.integers(1, 6), min_size=80, max_size=80))
def test_a_group_that_fits_is_not_torn(lengths: np.ndarray, sizes: list[int]) -> None:
    groups = np.repeat(np.arange(80), sizes)[: len(lengths)]
    batches = packed(lengths, groups)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    where = {int(row): number for number, rows in enumerate(batches) for row in rows}
    for group in set(groups.tolist()):
        rows = np.flatnonzero(groups == group)
        if len(rows) * lengths[rows].max() <= 256:
            assert len({where[int(row)] for row in rows}) == 1
    for rows in batches:
        assert len(rows) == 1 or len(rows) * lengths[rows].max() <= 256


@pytest.mark.parametrize("strategy", ["proportional", "sqrt", "round_robin"])
def test_the_number_of_updates_is_known_beforehand(strategy: str) -> None:
    rng = np.random.default_rng(2)
    lengths = {"rte": rng.integers(20, 120, 90), "cola": rng.integers(4, 20, 300)}
    given = settings(sampling=Sampling(strategy=strategy))
    orders = [epoch_order(lengths, given, 7, epoch) for epoch in range(3)]
    assert count_steps(lengths, given, 7) == sum(len(order) for order in orders)
    assert {task for task, _ in orders[0]} == {"rte", "cola"}


def test_buckets_are_drawn_anew_each_epoch_and_batches_are_in_random_order() -> None:
    lengths = {"rte": np.random.default_rng(2).integers(20, 120, 400)}
    first, second = (epoch_order(lengths, settings(), 7, epoch) for epoch in (0, 1))
    sets = [{tuple(sorted(rows.tolist())) for _, rows in order} for order in (first, second)]
    assert len(sets[0] & sets[1]) < len(sets[0]) / 10
    longest = [lengths["rte"][rows].max() for _, rows in first]
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)
    again = epoch_order(lengths, settings(), 7, 0)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("rows", [300, 600, 5000])
def test_rows_that_met_seldom_meet_again_in_the_next_epoch(rows: int) -> None:
    """At the defaults; tasks that fit in one window would have hardly other batches."""
    lengths = {"rte": np.random.default_rng(2).integers(20, 120, rows)}

    def met(epoch: int) -> set[tuple[int, int]]:
        order = epoch_order(lengths, TrainingSettings(), 7, epoch)
        pairs = (combinations(sorted(batch.tolist()), 2) for _, batch in order)
        return set(chain.from_iterable(pairs))

    first, second = met(0), met(1)
    assert len(first & second) / len(first) < 0.6


@pytest.mark.parametrize("by", [{}, {"max_tokens": 2048}], ids=["batch_size", "max_tokens"])
@pytest.mark.skipif("MTKD_GLUE" not in os.environ, reason="needs official files in MTKD_GLUE")
def test_on_real_glue_less_than_5_percent_of_tokens_is_padding(by: dict, tmp_path: Path) -> None:
    from mtkd.encoders import load_tokenizer
    from mtkd.examples import read_examples, tokenise
    from mtkd.examples.prepared import PreparedSplit

    data = DataSettings(source="directory", root=os.environ["MTKD_GLUE"])
    tokenizer = load_tokenizer("bundled:all-MiniLM-L6-v2")
    lengths = {}
    for name in ("rte", "mrpc", "cola", "stsb"):
        path = tmp_path / f"{name}.arrow"
        tokenise(read_examples(load_task(name), "train", data), tokenizer, 128, path)
        lengths[name] = PreparedSplit(path, 0).lengths
    order = epoch_order(lengths, TrainingSettings(**by), seed=1, epoch=0)
    padded = sum(len(rows) * lengths[name][rows].max() for name, rows in order)
    real = sum(lengths[name][rows].sum() for name, rows in order)
    assert 1 - real / padded < 0.05
