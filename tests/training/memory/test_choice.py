"""What is named as a way out fits, and one more row does not; no batch exceeds its bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtkd.batching import epoch_order
from mtkd.recipe import TrainingSettings
from mtkd.training.cut import cut
from mtkd.training.memory.choice import (
    Load,
    NeedOf,
    choose,
    largest_batch,
    smallest_accumulation,
    ways_out,
)

ROWS = Load(rows=1000, longest=100)
CONSTANT, A_ROW, LEAN_ROW = 50.0, 10.0, 2.0


def need_of(load: Load = ROWS) -> NeedOf:
    """A step needs 50 bytes, and 10 a row, or 2 with checkpointing."""

    def need(settings: TrainingSettings) -> float:
        a_row = LEAN_ROW if settings.gradient_checkpointing else A_ROW
        return CONSTANT + a_row * load.at_once(settings, processes=1)

    return need


# --- the bound on rows at once --------------------------------------------------------------------


@given(
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=25),
    ranked=st.booleans(),
    batch_size=st.integers(1, 20),
    max_tokens=st.none() | st.integers(1, 300),
    pieces=st.integers(1, 6),
    processes=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_no_process_runs_more_at_once_than_the_bound(
    sizes, ranked, batch_size, max_tokens, pieces, processes, seed
):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    lengths = np.random.default_rng(seed).integers(3, 30, len(groups))
    settings = TrainingSettings(
        batch_size=batch_size, max_tokens=max_tokens, accumulation=pieces, bucket_batches=2
    )
    own = groups if ranked else None
    load = Load(len(groups), int(lengths.max()), max(sizes) if ranked else 1)
    most = load.at_once(settings, processes) * load.longest
    order = epoch_order({"t": lengths}, settings, seed, 0, {"t": groups} if ranked else None)
    for _, rows in order:
        for piece in cut(rows, pieces, own):
            for part in cut(piece, processes, own) if len(piece) else []:
                assert len(part) == 0 or len(part) * lengths[part].max() <= most


@pytest.mark.parametrize("batch_size", [1, 8, 32])
def test_without_groups_some_batch_reaches_the_bound(batch_size):
    lengths = np.random.default_rng(0).integers(3, 90, 320)
    settings = TrainingSettings(batch_size=batch_size)
    load = Load(len(lengths), int(lengths.max()))
    costs = [len(r) * lengths[r].max() for _, r in epoch_order({"t": lengths}, settings, 1, 0)]
    assert max(costs) == load.at_once(settings, 1) * load.longest


def test_batches_by_tokens_of_short_rows_divide_less_evenly():
    """Five rows of 80 tokens in four pieces: one has two rows, more than one of 100 tokens."""
    lengths = np.array([100] + [80] * 5)
    settings = TrainingSettings(max_tokens=400, accumulation=4)
    (piece, *_) = cut(np.arange(1, 6), 4)
    assert Load(6, 100).at_once(settings, 1) * 100 >= len(piece) * lengths[piece].max() == 160


# --- ways out -------------------------------------------------------------------------------------


@pytest.mark.parametrize("available", [61, 100, 155, 209.5, 365])
def test_the_batch_size_named_fits_and_one_more_row_does_not(available):
    settings, need = TrainingSettings(), need_of()
    size = largest_batch(settings, "batch_size", need, available)
    assert size is not None
    assert need(TrainingSettings(batch_size=size)) <= available
    assert need(TrainingSettings(batch_size=size + 1)) > available


@pytest.mark.parametrize("available", [61, 100, 155, 209.5, 365])
def test_the_accumulation_named_fits_and_one_piece_less_does_not(available):
    settings, need = TrainingSettings(), need_of()
    pieces = smallest_accumulation(settings, need, available, most=32)
    assert pieces is not None
    assert need(TrainingSettings(accumulation=pieces)) <= available
    assert need(TrainingSettings(accumulation=pieces - 1)) > available


@pytest.mark.parametrize("available", [170, 300])
def test_the_max_tokens_named_fit_and_one_more_does_not(available):
    settings, need = TrainingSettings(max_tokens=4000), need_of()
    tokens = largest_batch(settings, "max_tokens", need, available)
    assert tokens is not None
    assert need(TrainingSettings(max_tokens=tokens)) <= available
    assert need(TrainingSettings(max_tokens=tokens + 1)) > available
    (_, _, last) = ways_out(settings, need, available, most=40, checkpointing=True)
    assert last == f"training.max_tokens={tokens}, other updates"


def test_each_way_out_is_named_by_its_key():
    ways = ways_out(TrainingSettings(), need_of(), 150, most=32, checkpointing=True)
    assert [way.split(",")[0] for way in ways] == [
        "training.accumulation=4",
        "training.gradient_checkpointing=true",
        "training.batch_size=10",
    ]


def test_checkpointing_is_no_way_out_where_it_is_on_or_cannot_be_had():
    for settings, can in ((TrainingSettings(gradient_checkpointing=True), True),
                          (TrainingSettings(), False)):  # fmt: skip
        ways = ways_out(settings, need_of(), 80, most=32, checkpointing=can)
        assert ways
        assert not any("gradient_checkpointing" in way for way in ways)


def test_where_neither_alone_does_pieces_and_checkpointing_are_named_together():
    ways = ways_out(TrainingSettings(), need_of(), 55, most=32, checkpointing=True)
    assert ways == ["training.gradient_checkpointing=true training.accumulation=16"]
    both = TrainingSettings(gradient_checkpointing=True, accumulation=16)
    assert need_of()(both) <= 55


def test_where_nothing_helps_nothing_is_named():
    assert ways_out(TrainingSettings(), need_of(), 51, most=32, checkpointing=True) == []


# --- batch_size: auto -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("available", "accumulation", "checkpointing"),
    [(370, 1, False), (369, 2, False), (130, 4, False), (100, 8, False), (60, 32, False),
     (59, 8, True), (52, 32, True)],
)  # fmt: skip
def test_auto_doubles_the_pieces_and_then_turns_to_checkpointing(
    available, accumulation, checkpointing
):
    settings = TrainingSettings(batch_size="auto")
    chosen = choose(settings, need_of(), available, most=32, checkpointing=True)
    assert chosen is not None
    assert (chosen.accumulation, chosen.gradient_checkpointing) == (accumulation, checkpointing)
    assert chosen.rows_per_update == 32


def test_auto_ends_at_one_row_a_piece_where_doubling_would_pass_it():
    settings = TrainingSettings(batch_size="auto", accumulation=3)
    chosen = choose(settings, need_of(), 60, most=32, checkpointing=False)
    assert chosen is not None
    assert chosen.accumulation == 32


def test_auto_finds_nothing_where_one_row_does_not_fit():
    settings = TrainingSettings(batch_size="auto")
    assert choose(settings, need_of(), 51, most=32, checkpointing=True) is None
    assert choose(settings, need_of(), 59, most=32, checkpointing=False) is None
