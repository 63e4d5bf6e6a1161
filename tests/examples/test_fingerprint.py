from dataclasses import replace

import pytest

from mtkd.examples import Example, Fingerprint, fingerprint

ROWS = [Example("t/train/0", ("a", "b"), 1), Example("t/train/1", ("c", "d"), None)]


@pytest.mark.parametrize(
    "other",
    [
        ROWS[::-1],
        ROWS[:1],
        [replace(ROWS[0], guid="t/train/2"), ROWS[1]],
        [replace(ROWS[0], texts=("b", "a")), ROWS[1]],
        [replace(ROWS[0], texts=("ab",)), ROWS[1]],
        [replace(ROWS[0], texts=("a", "b\n")), ROWS[1]],
        [replace(ROWS[0], texts=('a", "b',)), ROWS[1]],
        [replace(ROWS[0], label=0), ROWS[1]],
        [replace(ROWS[0], label=None), ROWS[1]],
        [ROWS[0], replace(ROWS[1], label=0)],
    ],
)
def test_any_difference_in_guid_text_label_or_order_changes_it(other):
    assert fingerprint(other) != fingerprint(ROWS)


def test_it_grows_row_by_row():
    rows = Fingerprint()
    for row in ROWS:
        rows.add(row)
    assert rows.hexdigest() == fingerprint(iter(ROWS))


def test_a_class_read_back_as_a_float_is_the_same_class():
    assert fingerprint([replace(ROWS[0], label=1.0), ROWS[1]]) == fingerprint(ROWS)


def test_it_is_the_same_on_every_machine():
    assert fingerprint([Example("t/train/0", ("caf\u00e9",), 3.8)]) == (
        "090dc174fffc5a724d23ea13cda78e64b03d4743fc519f1a3d324f2d9137abbe"
    )
