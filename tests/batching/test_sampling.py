import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtkd.batching import batches_per_task
from mtkd.batching import sampling as sampling_module
from mtkd.errors import DataError, RecipeError
from mtkd.recipe import Sampling

GLUE = {"cola": 268, "mnli": 12272, "qqp": 11371, "rte": 78, "wnli": 20}  # batches of 32
SIZES = st.dictionaries(
    st.sampled_from("abcdefgh"), st.integers(min_value=1, max_value=20_000), min_size=1
)


def power(exponent: float) -> Sampling:
    return Sampling(strategy="power", sampling_exponent=exponent)


def test_proportional_sampling_gives_every_batch_once():
    assert batches_per_task(GLUE, Sampling(), 0, 5) == GLUE


@pytest.mark.parametrize("exponent", [0.0, 0.3, 0.5, 0.75, 1.0])
def test_shares_follow_size_to_the_exponent(exponent):
    counts = batches_per_task(GLUE, power(exponent), 0, 5)
    whole = sum(n**exponent for n in GLUE.values())
    for task, n in GLUE.items():
        assert abs(counts[task] - sum(GLUE.values()) * n**exponent / whole) < 1


def test_a_task_too_small_for_its_share_takes_one_batch_from_the_largest():
    available = {"a": 1000, "b": 500, "c": 1, "d": 1}
    assert batches_per_task(available, power(1.0), 0, 5) == available
    sampling = Sampling(strategy="main_auxiliary", main="d", ratio=6)
    assert batches_per_task(available, sampling, 0, 5) == {"a": 3, "b": 2, "c": 1, "d": 1}


def test_sqrt_is_the_power_one_half():
    assert batches_per_task(GLUE, Sampling(strategy="sqrt"), 3, 5) == batches_per_task(
        GLUE, power(0.5), 3, 5
    )


@given(
    available=SIZES,
    exponent=st.floats(min_value=0, max_value=1),
    strategy=st.sampled_from(["proportional", "sqrt", "power", "annealed", "round_robin"]),
    epoch=st.integers(min_value=0, max_value=4),
)
def test_the_total_is_kept_and_no_task_gets_none(available, exponent, strategy, epoch):
    wants = {"sampling_exponent": exponent} if strategy in {"power", "annealed"} else {}
    counts = batches_per_task(available, Sampling(strategy=strategy, **wants), epoch, 5)
    assert counts.keys() == available.keys()
    assert sum(counts.values()) == sum(available.values())
    assert min(counts.values()) >= 1


def test_a_task_that_would_never_be_drawn_is_refused_by_name(monkeypatch):
    """As by shares that are rounded down and no more."""
    monkeypatch.setattr(sampling_module, "_apportion", rounded_down)
    given = Sampling(strategy="main_auxiliary", main="mnli", ratio=0.001)
    said = r"training\.sampling: .*main_auxiliary draws no batch of cola, rte, wnli in epoch 3"
    with pytest.raises(RecipeError, match=said):
        batches_per_task(GLUE, given, 2, 5)


def rounded_down(shares, total):
    return {task: int(total * share / sum(shares.values())) for task, share in shares.items()}


def test_annealing_goes_from_proportional_to_the_exponent():
    annealed = Sampling(strategy="annealed", sampling_exponent=0.2)
    by_epoch = [batches_per_task(GLUE, annealed, epoch, 5) for epoch in range(5)]
    first, last = by_epoch[0], by_epoch[-1]
    assert first == GLUE
    assert last == batches_per_task(GLUE, power(0.2), 4, 5)
    assert by_epoch[2] == batches_per_task(GLUE, power(0.6), 2, 5)  # half way
    rte = [counts["rte"] for counts in by_epoch]
    assert rte == sorted(rte)
    assert rte[0] < rte[-1]


def test_annealing_over_one_epoch_is_proportional():
    annealed = Sampling(strategy="annealed", sampling_exponent=0.2)
    assert batches_per_task({"a": 9, "b": 1}, annealed, 0, 1) == {"a": 9, "b": 1}


def test_round_robin_gives_each_task_as_many():
    counts = batches_per_task(GLUE, Sampling(strategy="round_robin"), 0, 5)
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("ratio", [0.1, 0.5, 2.0])
def test_auxiliary_tasks_get_the_ratio_of_the_main_one(ratio):
    sampling = Sampling(strategy="main_auxiliary", main="cola", ratio=ratio)
    counts = batches_per_task(GLUE, sampling, 0, 5)
    assert counts["cola"] == GLUE["cola"]
    others = {task: n for task, n in counts.items() if task != "cola"}
    assert sum(others.values()) == round(ratio * GLUE["cola"])
    assert others["mnli"] > others["rte"] >= 1


def test_fewer_wanted_batches_than_auxiliary_tasks_still_give_each_one():
    sampling = Sampling(strategy="main_auxiliary", main="a", ratio=0.01)
    available = {"a": 3, "b": 50, "c": 1, "d": 7}
    assert batches_per_task(available, sampling, 0, 5) == {"a": 3, "b": 1, "c": 1, "d": 1}


def test_as_many_batches_as_tasks_give_each_one():
    assert batches_per_task({"a": 1, "b": 1}, power(0.3), 0, 5) == {"a": 1, "b": 1}


def test_a_task_fine_tuned_by_itself_needs_no_main_task():
    sampling = Sampling(strategy="main_auxiliary", main="mnli", ratio=0.5)
    assert batches_per_task({"rte": 78}, sampling, 0, 5) == {"rte": 78}
    assert batches_per_task({"mnli": 9}, sampling, 0, 5) == {"mnli": 9}


def test_several_tasks_without_the_main_one_are_refused():
    sampling = Sampling(strategy="main_auxiliary", main="mnli", ratio=0.5)
    with pytest.raises(RecipeError, match=r"sampling\.main: mnli is not among .*\(cola, rte\)"):
        batches_per_task({"rte": 78, "cola": 268}, sampling, 0, 5)


@pytest.mark.parametrize("strategy", ["proportional", "sqrt", "round_robin"])
def test_a_task_without_rows_is_refused_not_left_out(strategy):
    with pytest.raises(DataError, match="rte: no rows to train on"):
        batches_per_task({"rte": 0, "cola": 2}, Sampling(strategy=strategy), 0, 5)


def test_the_order_of_tasks_in_the_mapping_is_of_no_consequence():
    backwards = dict(reversed(GLUE.items()))
    for sampling in (power(0.37), Sampling(strategy="main_auxiliary", main="rte", ratio=1.3)):
        assert batches_per_task(GLUE, sampling, 1, 5) == batches_per_task(backwards, sampling, 1, 5)
    assert math.isclose(sum(GLUE.values()), sum(batches_per_task(GLUE, power(0.37), 1, 5).values()))
