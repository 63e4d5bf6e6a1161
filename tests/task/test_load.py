from pathlib import Path

import pytest

from mtkd.errors import CardError
from mtkd.task import load_task

CARD = """\
name: pets
title: Cats and dogs
kind: classification
texts: [text]
labels: [cat, dog]
metrics: [accuracy]
files: {train: {path: train.csv}, dev: {path: dev.csv}}
"""


def write(folder: Path, text: str | bytes) -> Path:
    card = folder / "pets.yaml"
    card.write_bytes(text if isinstance(text, bytes) else text.encode())
    return card


def test_a_card_of_ones_own_has_its_files_beside_it_and_a_built_in_card_in_the_data_root(tmp_path):
    assert load_task(write(tmp_path, CARD)).folder == tmp_path
    assert load_task(str(tmp_path / "pets.yaml")).folder == tmp_path
    assert load_task("rte").folder is None


def test_no_key_of_a_card_sets_the_folder(tmp_path):
    for key in ("folder", "_folder"):
        with pytest.raises(CardError, match=f"{key}: unknown key"):
            load_task(write(tmp_path, f"{CARD}{key}: /etc\n"))


def test_a_misspelt_name_is_compared_with_the_built_in_ones():
    with pytest.raises(CardError, match=r"rtee: no such task or card; did you mean 'rte'\?"):
        load_task("rtee")
    with pytest.raises(CardError, match=r"mine.yaml: no such task or card; built in: ax, cola, "):
        load_task("mine.yaml")


def test_every_fault_is_named_with_the_card(tmp_path):
    text = CARD.replace("title", "titel").replace("[cat, dog]", "[yes, no]")
    with pytest.raises(CardError) as caught:
        load_task(write(tmp_path, text))
    assert str(caught.value).splitlines() == [
        f"{tmp_path / 'pets.yaml'}: 4 fault(s)",
        "title: required, but missing",
        "labels.0: expected text, found true; put it in quotes",
        "labels.1: expected text, found false; put it in quotes",
        "titel: unknown key; did you mean 'title'?",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CARD + "name: pets2\n", "duplicate key name"),
        ("labels: [a", "not valid YAML"),
        ("- 1\n", "line 1: expected keys and values, found a list"),
        ("5", "not valid YAML"),
        ("", "required, but missing"),
        ("!!python/object/apply:os.getcwd []\n", "not valid YAML"),
        ("title: ${nowhere}\n", r"title: \$\{nowhere\}: there is no key nowhere"),
        (b"title: caf\xe9\n", "expected UTF-8"),
        ("1: 2\n", "1: unknown key"),
    ],
)
def test_what_is_no_card_is_refused(tmp_path, text, message):
    with pytest.raises(CardError, match=message):
        load_task(write(tmp_path, text))
