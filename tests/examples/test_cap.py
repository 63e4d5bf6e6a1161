import hashlib

import pytest

from mtkd.examples import Example, cap

EXAMPLES = [Example(f"rte/train/{i}", (f"text {i}",), i % 2) for i in range(200)]


def digest(example: Example, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{example.guid}".encode()).hexdigest()


@pytest.mark.parametrize("rows", [1, 7, 199])
def test_the_rows_with_the_smallest_hash_are_kept_in_file_order(rows):
    smallest = set(sorted(EXAMPLES, key=lambda e: digest(e, 3))[:rows])
    assert cap(EXAMPLES, rows, seed=3) == [e for e in EXAMPLES if e in smallest]


def test_the_choice_does_not_depend_on_the_order_of_the_file():
    assert set(cap(reversed(EXAMPLES), 20, seed=1)) == set(cap(EXAMPLES, 20, seed=1))


def test_a_larger_cap_only_adds_rows_and_another_seed_chooses_others():
    assert set(cap(EXAMPLES, 20, seed=1)) < set(cap(EXAMPLES, 50, seed=1))
    assert cap(EXAMPLES, 20, seed=1) != cap(EXAMPLES, 20, seed=2)


def test_a_cap_above_the_number_of_rows_keeps_all():
    assert cap(iter(EXAMPLES), 500, seed=1) == EXAMPLES
