import sys

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mtkd.examples.ids import SeenIds

NUMBERS = st.integers(0, 30).map(str)
ODD = st.sampled_from(["00", "007", "-1", "+1", "1.0", "1_0", " 1", "\u0663", "\u00b2", "x"])
LONG = st.sampled_from(["99999", "100000000", "9" * 5000])


@settings(deadline=None)
@given(st.lists(NUMBERS | ODD | LONG | st.text(max_size=3)))
@example(["7", "007", "7"])
def test_an_id_is_new_the_first_time_only(ids: list[str]):
    seen, plain = SeenIds(), set()
    for identity in ids:
        assert seen.add(identity) == (identity not in plain)
        plain.add(identity)


def test_a_number_takes_a_bit():
    seen = SeenIds()
    assert all(seen.add(str(i)) for i in range(100_000))
    assert not any(seen.add(str(i)) for i in range(100_000))
    assert sys.getsizeof(seen._numbers) < 16_000
    assert not seen._others
