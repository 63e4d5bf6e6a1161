import hashlib

import pytest

from mtkd.artifacts import file_sha256, fingerprint


def test_the_order_of_keys_is_of_no_consequence():
    one = {"a": 1, "b": {"c": [1, 2], "d": None}}
    other = {"b": {"d": None, "c": [1, 2]}, "a": 1}
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    "other",
    [
        {"a": 2, "b": [1, 2]},
        {"a": 1, "b": [2, 1]},
        {"a": 1, "b": [1, 2], "c": None},
        {"a": "1", "b": [1, 2]},
        {"a": True, "b": [1, 2]},
        {"a": 1, "b": "[1, 2]"},
        {"a": 1, "b": [[1], 2]},
    ],
)
def test_every_difference_in_content_shows(other):
    assert fingerprint({"a": 1, "b": [1, 2]}) != fingerprint(other)


def test_it_is_the_same_in_every_process():
    expected = hashlib.sha256(b'{"a":[1,0.5,null],"b":"\\u00e9"}').hexdigest()
    assert fingerprint({"b": "é", "a": (1, 0.5, None)}) == expected


@pytest.mark.parametrize("content", [float("nan"), {1, 2}, object()])
def test_what_json_cannot_hold_is_refused(content):
    with pytest.raises((TypeError, ValueError)):
        fingerprint({"a": content})


def test_a_files_hash_is_that_of_its_bytes(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "f").write_bytes(content)
    assert file_sha256(tmp_path / "f") == hashlib.sha256(content).hexdigest()
