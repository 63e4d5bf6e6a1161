from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtkd.batching import epoch_order, inference_batches, steps_per_epoch
from mtkd.errors import DataError
from mtkd.recipe import Sampling, TrainingSettings

SIZES = {"cola": 200, "mnli": 1100, "rte": 70, "stsb": 33}


def lengths_of(sizes: dict[str, int], seed: int = 0) -> dict[str, np.ndarray]:
    """Lengths with the long tail of GLUE's pairs."""
    rng = np.random.default_rng(seed)
    return {
        task: np.clip(rng.lognormal(3.4, 0.5, n), 5, 128).astype(np.int64)
        for task, n in sizes.items()
    }


def settings(**changes: object) -> TrainingSettings:
    return TrainingSettings.model_validate({"batch_size": 8, **changes})


def plain(order: list[tuple[str, np.ndarray]]) -> list[tuple[str, list[int]]]:
    return [(task, rows.tolist()) for task, rows in order]


def padding(batches: list[np.ndarray], lengths: np.ndarray) -> float:
    """Share of pad tokens."""
    taken = sum(len(rows) * lengths[rows].max() for rows in batches)
    return 1 - sum(lengths[rows].sum() for rows in batches) / taken


# --- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bucket_batches", [0, 1, 16])
@pytest.mark.parametrize("batch_size", [1, 7, 8, 2000])
def test_an_epoch_has_every_row_exactly_once(batch_size, bucket_batches):
    given_settings = settings(batch_size=batch_size, bucket_batches=bucket_batches)
    order = epoch_order(lengths_of(SIZES), given_settings, 1, 0)
    for task, size in SIZES.items():
        batches = [rows for name, rows in order if name == task]
        assert sorted(np.concatenate(batches).tolist()) == list(range(size))
        assert sum(len(rows) < batch_size for rows in batches) == bool(size % batch_size)
        assert max(map(len, batches)) <= batch_size


def test_a_task_with_more_batches_than_rows_goes_through_its_rows_again_in_a_new_order():
    order = epoch_order(lengths_of(SIZES), settings(sampling={"strategy": "round_robin"}), 1, 0)
    rows = np.concatenate([rows for task, rows in order if task == "rte"])
    times = Counter(rows.tolist())
    assert len(times) == SIZES["rte"]
    assert max(times.values()) - min(times.values()) <= 1
    passes = [rows[: SIZES["rte"]].tolist(), rows[SIZES["rte"] : 2 * SIZES["rte"]].tolist()]
    assert sorted(passes[0]) == sorted(passes[1])
    assert passes[0] != passes[1]


def test_a_task_with_fewer_batches_than_rows_leaves_out_others_each_epoch():
    given_settings = settings(sampling={"strategy": "power", "sampling_exponent": 0.0})
    seen = [
        {
            row
            for task, rows in epoch_order(lengths_of(SIZES), given_settings, 1, epoch)
            if task == "mnli"
            for row in rows.tolist()
        }
        for epoch in range(2)
    ]
    assert len(seen[0]) < SIZES["mnli"]
    assert seen[0] - seen[1]


def test_a_task_without_rows_is_refused_rather_than_sought_for_ever():
    given_settings = settings(sampling={"strategy": "sqrt"})
    with pytest.raises(DataError, match="rte: no rows"):
        epoch_order(
            {**lengths_of({"cola": 9}), "rte": np.array([], np.int64)}, given_settings, 1, 0
        )


# --- order ----------------------------------------------------------------------------------------

STRATEGIES: list[dict[str, object]] = [
    {"strategy": "proportional"},
    {"strategy": "sqrt"},
    {"strategy": "annealed", "sampling_exponent": 0.3},
    {"strategy": "round_robin"},
    {"strategy": "main_auxiliary", "main": "rte", "ratio": 2.5},
]


@pytest.mark.parametrize("sampling", STRATEGIES, ids=lambda s: s["strategy"])
def test_the_order_follows_from_seed_and_epoch_alone(sampling):
    lengths, given_settings = lengths_of(SIZES), settings(sampling=sampling)
    first = plain(epoch_order(lengths, given_settings, 1, 0))
    np.random.seed(99)  # the global generator must not matter
    backwards = dict(reversed(lengths.items()))
    assert plain(epoch_order(backwards, given_settings, 1, 0)) == first
    assert plain(epoch_order(lengths, given_settings, 1, 1)) != first
    assert plain(epoch_order(lengths, given_settings, 2, 0)) != first


@pytest.mark.parametrize("sampling", STRATEGIES, ids=lambda s: s["strategy"])
def test_the_steps_that_are_announced_are_those_that_are_taken(sampling):
    given_settings = settings(sampling=sampling, epochs=3)
    assert steps_per_epoch(SIZES, given_settings) == [
        len(epoch_order(lengths_of(SIZES), given_settings, 5, epoch)) for epoch in range(3)
    ]


def test_rows_of_a_task_do_not_depend_on_which_tasks_stand_beside_it():
    alone = epoch_order(lengths_of({"rte": 70}), settings(), 1, 0)
    beside = epoch_order({**lengths_of(SIZES), **lengths_of({"rte": 70})}, settings(), 1, 0)
    batches = {tuple(rows) for task, rows in beside if task == "rte"}
    assert {tuple(rows) for _, rows in alone} == batches


def test_tasks_are_mixed_not_one_after_another():
    tasks = [task for task, _ in epoch_order(lengths_of(SIZES), settings(), 1, 0)]
    changes = sum(a != b for a, b in pairwise(tasks))
    assert changes > 30  # one after another there would be 3; at random about 70
    mnli = [i for i, task in enumerate(tasks) if task == "mnli"]
    assert 0.4 < np.mean(mnli) / len(tasks) < 0.6


def test_round_robin_alternates():
    given_settings = settings(sampling={"strategy": "round_robin"})
    tasks = [task for task, _ in epoch_order(lengths_of(SIZES), given_settings, 1, 0)]
    whole = tasks[: len(tasks) // len(SIZES) * len(SIZES)]
    assert whole == sorted(SIZES) * (len(whole) // len(SIZES))


# --- bucketing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [16, 32])
def test_bucketing_keeps_padding_low(batch_size):
    lengths = lengths_of({"mnli": 20_000})
    in_buckets, shuffled = (
        [rows for _, rows in epoch_order(lengths, settings(batch_size=batch_size, **bucket), 1, 0)]
        for bucket in ({}, {"bucket_batches": 0})
    )
    assert padding(in_buckets, lengths["mnli"]) < 0.1
    assert padding(shuffled, lengths["mnli"]) > 0.4


@pytest.mark.parametrize("strategy", ["proportional", "round_robin"])
def test_bucketed_batches_are_not_ordered_by_length(strategy):
    lengths = lengths_of({"mnli": 4000})
    given_settings = settings(batch_size=16, sampling={"strategy": strategy})
    batches = [rows for _, rows in epoch_order(lengths, given_settings, 1, 0)]
    longest = np.array([lengths["mnli"][rows].max() for rows in batches])
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.2
    assert abs(np.corrcoef(longest[1:], longest[:-1])[0, 1]) < 0.2


def test_bucketed_rows_meet_others_in_the_next_epoch():
    lengths = lengths_of({"mnli": 4000})
    one, two = (
        {frozenset(rows.tolist()) for _, rows in epoch_order(lengths, settings(), 1, epoch)}
        for epoch in (0, 1)
    )
    assert not one & two


# --- groups ---------------------------------------------------------------------------------------


@st.composite
def grouped(draw: st.DrawFn) -> tuple[np.ndarray, int, int]:
    """Groups of any sizes in any order, a batch size, buckets."""
    sizes = draw(st.lists(st.integers(min_value=1, max_value=12), min_size=1, max_size=40))
    numbers = [group for group, size in enumerate(sizes) for _ in range(size)]
    return (
        np.array(draw(st.permutations(numbers)), dtype=np.int64),
        draw(st.integers(min_value=1, max_value=9)),
        draw(st.sampled_from([0, 2, 16])),
    )


@given(case=grouped())
def test_a_group_lies_in_one_batch_unless_it_is_larger(case):
    groups, batch_size, bucket_batches = case
    lengths = {"qnli": np.random.default_rng(len(groups)).integers(5, 60, len(groups))}
    given_settings = settings(batch_size=batch_size, bucket_batches=bucket_batches)
    order = epoch_order(lengths, given_settings, 1, 0, {"qnli": groups})
    batches = [rows for _, rows in order]
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(groups)))
    assert [len(batches)] == steps_per_epoch({"qnli": len(groups)}, given_settings)[:1]
    assert all(0 < len(rows) <= 2 * batch_size for rows in batches)
    for rows in batches:  # and within it side by side, for who cuts the batch further
        runs = 1 + np.count_nonzero(np.diff(groups[rows]))
        assert runs == len(set(groups[rows].tolist()))
    for group, size in Counter(groups.tolist()).items():
        homes = sum(bool((groups[rows] == group).any()) for rows in batches)
        assert homes == 1 or size > batch_size
        assert homes <= -(-size // batch_size)


def test_groups_of_two_are_whole_where_three_rows_make_a_batch():
    groups = np.repeat(np.arange(6), 2)
    order = epoch_order({"qnli": np.full(12, 9)}, settings(batch_size=3), 1, 0, {"qnli": groups})
    for _, rows in order:
        assert all(count == 2 for count in Counter(groups[rows].tolist()).values())


def test_batches_of_groups_are_about_as_large_as_others():
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 1500, 4000)  # 2 or 3 a question, as in QNLI
    lengths = lengths_of({"qnli": 4000})
    order = epoch_order(lengths, settings(batch_size=32), 1, 0, {"qnli": groups})
    sizes = [len(rows) for _, rows in order]
    assert min(sizes) >= 24
    assert max(sizes) <= 40


def test_grouped_rows_are_bucketed_by_the_longest_of_their_group():
    lengths = np.random.default_rng(3).integers(10, 100, 4000)
    groups = np.arange(4000) // 2
    longest = np.maximum(lengths[::2], lengths[1::2])
    order = epoch_order({"qnli": lengths}, settings(batch_size=32), 1, 0, {"qnli": groups})
    assert np.mean([np.ptp(longest[groups[rows]]) for _, rows in order]) < 10


def test_a_small_group_among_such_as_fill_a_batch_costs_no_batch():
    groups = np.repeat(np.arange(3), [1, 7, 7])
    for seed in range(100):  # the small one comes first in few of them
        order = epoch_order(
            {"qnli": np.full(15, 9)}, settings(batch_size=7), seed, 0, {"qnli": groups}
        )
        assert sorted(groups[rows].tolist() for _, rows in order) == [[0], [1] * 7, [2] * 7]


def test_only_tasks_with_groups_are_grouped():
    lengths = lengths_of(SIZES)
    groups = {"rte": np.arange(SIZES["rte"]) // 2}
    with_groups = epoch_order(lengths, settings(), 1, 0, groups)
    without = epoch_order(lengths, settings(), 1, 0)
    for task in SIZES:
        one, other = (
            {tuple(rows) for name, rows in order if name == task}
            for order in (with_groups, without)
        )
        assert (one == other) == (task != "rte")


# --- inference ------------------------------------------------------------------------------------


@given(
    lengths=st.lists(st.integers(min_value=1, max_value=130), max_size=60),
    max_tokens=st.integers(min_value=1, max_value=1024),
)
def test_inference_takes_each_row_once_longest_first_within_the_bound(lengths, max_tokens):
    array = np.array(lengths, dtype=np.int64)
    batches = inference_batches(array, max_tokens)
    flat = np.concatenate(batches) if batches else np.array([], np.int64)
    assert sorted(flat.tolist()) == list(range(len(lengths)))
    assert array[flat].tolist() == sorted(lengths, reverse=True)
    for rows in batches:
        assert len(rows) == 1 or len(rows) * array[rows].max() <= max_tokens


def test_inference_fills_its_batches():
    batches = inference_batches(np.full(100, 16), 512)
    assert [len(rows) for rows in batches] == [32, 32, 32, 4]


def test_sampling_is_taken_from_the_settings():
    order = epoch_order(lengths_of(SIZES), settings(sampling=Sampling(strategy="sqrt")), 1, 0)
    tasks = Counter(task for task, _ in order)
    assert tasks["rte"] > -(-SIZES["rte"] // 8)
    assert tasks["mnli"] < -(-SIZES["mnli"] // 8)
