"""A queue of embeddings is a list that forgets its first ones."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtkd.distillation import EmbeddingQueue
from mtkd.errors import ShapeError


def numbered(first: int, count: int, width: int = 2) -> torch.Tensor:
    return torch.arange(first, first + count, dtype=torch.float32)[:, None].expand(count, width)


def test_known_slots() -> None:
    queue = EmbeddingQueue(4, 1)
    queue.push(numbered(1, 3, 1))
    assert queue.filled.flatten().tolist() == [1, 2, 3]
    queue.push(numbered(4, 3, 1))
    assert queue.slots.flatten().tolist() == [5, 6, 3, 4]


@given(st.integers(1, 12), st.lists(st.integers(0, 12), max_size=8))
def test_it_holds_what_a_list_of_the_last_would(size: int, counts: list[int]) -> None:
    queue, plain = EmbeddingQueue(size, 2), []
    for count in counts:
        if count > size:
            with pytest.raises(ShapeError, match="at most"):
                queue.push(numbered(0, count))
            continue
        start = len(plain)
        queue.push(numbered(start, count))
        plain += range(start, start + count)
    assert sorted(queue.filled[:, 0].tolist()) == plain[-size:]


def test_its_state_is_saved_whole_and_put_back() -> None:
    queue, other = EmbeddingQueue(5, 2), EmbeddingQueue(5, 2)
    queue.push(numbered(0, 5))
    queue.push(numbered(5, 2))
    other.load_state_dict(queue.state_dict())
    for each in (queue, other):
        each.push(numbered(7, 3))
    assert torch.equal(queue.slots, other.slots)
    assert list(queue.parameters()) == []


def test_what_is_pushed_carries_no_gradient() -> None:
    queue, embeddings = EmbeddingQueue(3, 2), torch.ones(2, 2, requires_grad=True)
    queue.push(embeddings * 2)
    assert not queue.filled.requires_grad


def test_another_width_is_refused() -> None:
    with pytest.raises(ShapeError, match="of width 2"):
        EmbeddingQueue(3, 2).push(torch.ones(1, 3))
