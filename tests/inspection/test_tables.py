import numpy as np
import pytest
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mtkd.inspection import compare_stores, comparison_blocks, inspect_store, report_blocks
from mtkd.inspection.words import all_shortened, first_few, shortened
from mtkd.soft_labels import Teacher, write_store
from tests.inspection.made import info, store, values

LONG = tuple(Teacher(f"{'very-' * 14}long-{i}", f"org/{'encoder-' * 12}{i}", "a" * 64)
             for i in range(6))  # fmt: skip
TWENTY = tuple(f"a-class-with-a-rather-long-name-{i}" for i in range(20))


def printed(blocks, capsys):
    """Return what a terminal 100 columns wide shows."""
    console = Console(width=100)
    for title, header, rows in blocks:
        console.print(title, markup=False, highlight=False, soft_wrap=True)
        if header:
            table = Table(box=SIMPLE_HEAD, pad_edge=False)
            for i, name in enumerate(header):
                table.add_column(name, overflow="fold", justify="right" if i else "left")
            for row in rows:
                table.add_row(*row)
            console.print(table)
    return capsys.readouterr().out


def long_store(path, **changes):
    guids, gold, logits = values(300, classes=len(changes.get("labels", TWENTY)), teachers=6)
    provenance = info(**{"labels": TWENTY, **changes}, teachers=LONG)
    write_store(path, provenance, guids, gold, logits)
    return path


def test_the_heading_says_what_the_store_is(tmp_path):
    path = store(tmp_path / "train.parquet", rows=2490, task="rte", labels=("yes", "no"))

    (heading, *_), *_ = report_blocks(inspect_store(path))

    assert heading.splitlines()[0] == (
        "rte/train  2,490 rows, 3 teachers, classes: yes, no, T 1, mean of probabilities, in fold"
    )
    assert "note: teachers were trained on these rows" in heading


def test_a_cell_is_what_was_measured(tmp_path):
    report = inspect_store(store(tmp_path / "dev.parquet", split="dev"))

    (_, header, rows), (_, balance_header, balance), _ = report_blocks(report)

    ensemble = dict(zip(header, rows[-1], strict=True))
    scores = report.models[-1]
    assert ensemble == {
        "model": "ensemble",
        "acc %": f"{100 * scores.accuracy:.1f}",
        "NLL": f"{scores.nll:.3f}",
        "Brier": f"{scores.brier:.3f}",
        "ECE": f"{scores.ece:.3f}",
        "ECE adaptive": f"{scores.ece_adaptive:.3f}",
        "entropy": f"{scores.entropy:.3f}",
        "max prob": f"{scores.max_probability:.3f}",
    }
    first = dict(zip(balance_header, balance[0], strict=True))
    assert first["gold %"] == f"{100 * report.balance[0].gold:.1f}"
    assert first["class"] == "no"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"labels": ("yes", "no")},
        {"labels": ()},
        {"combine": "dev_score", "weights": (1 / 6,) * 6, "teacher_temperatures": (1.5,) * 6},
        {"task": "t" * 120, "source": "imported"},
    ],
)
def test_nothing_is_wider_than_100_columns_nor_folded_with_long_names(tmp_path, capsys, changes):
    path = tmp_path / ("folder-" * 20) / "train.parquet"
    labels = changes.get("labels", TWENTY)
    if labels:
        long_store(path, **changes)
    else:
        store(path, labels=(), teachers=LONG)
    blocks = report_blocks(inspect_store(path))

    lines = printed(blocks, capsys).splitlines()

    assert max(map(len, lines)) <= 100
    frame = 4  # lines of a table beside its rows
    tables = sum(len(rows) + frame for _, header, rows in blocks if header)
    assert len(lines) == tables + sum(len(title.splitlines()) for title, *_ in blocks)


def test_of_many_classes_a_few_are_shown_and_the_rest_summed(tmp_path):
    report = inspect_store(long_store(tmp_path / "train.parquet"))

    _, (_, _, rows), _ = report_blocks(report)

    assert len(rows) == 9
    assert rows[-1][0] == "12 more"
    for column in (1, 2, 3):
        assert sum(float(row[column]) for row in rows) == pytest.approx(100, abs=0.5)
    assert "more" in report_blocks(report)[0][0]


def test_what_is_undefined_is_left_blank(tmp_path):
    guids, gold, logits = values(20)
    path = tmp_path / "test.parquet"
    write_store(path, info(split="test"), guids, np.full_like(gold, np.nan), logits)

    blocks = report_blocks(inspect_store(path))

    assert blocks[0][2][0][1:6] == [""] * 5
    assert "nan" not in str(blocks)


def test_one_teacher_has_no_agreement(tmp_path):
    path = tmp_path / "dev.parquet"
    guids, gold, logits = values(20, teachers=1)
    write_store(path, info(split="dev", teachers=1), guids, gold, logits)

    blocks = report_blocks(inspect_store(path))

    assert "1 teacher," in blocks[0][0]
    assert "kappa" not in str(blocks)


def test_a_comparison_fits_100_columns(tmp_path, capsys):
    a = long_store(tmp_path / "a.parquet")
    b = long_store(tmp_path / "b.parquet", temperature=4.0, labels=TWENTY[::-1], task="m" * 60)

    out = printed(comparison_blocks(compare_stores(a, b)), capsys)

    assert max(map(len, out.splitlines())) <= 100
    assert "temperature" in out
    assert out.count("made/train/") == 10


def test_a_short_name_keeps_both_ends_and_short_names_stay_apart():
    assert shortened("abcdefghij", 5) == "ab…ij"
    assert shortened("abcde", 5) == "abcde"
    assert all_shortened(["x" * 40 + "a", "x" * 40 + "b"], 9) == ["xxxx…xxxa", "xxxx…xxxb"]
    alike = all_shortened(["x" * 20 + c + "x" * 20 for c in "ab"], 9)
    assert alike == ["1 xx…xxxx", "2 xx…xxxx"]
    assert first_few(["ab", "cd", "ef", "gh"], 8) == "ab, cd and 2 more"
    assert first_few(["ab", "cd"], 8) == "ab, cd"
