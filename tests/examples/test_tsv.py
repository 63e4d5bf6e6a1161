import logging

import pytest

from mtkd.errors import DataError
from mtkd.examples import Example, ReadReport
from tests.examples.own_cards import own_task, read, regression

HEADER = b"text\tlabel\n"


def write(folder, content: bytes, name: str = "train.tsv") -> None:
    (folder / name).write_bytes(content)


def texts(examples: list[Example]) -> list[str]:
    return [example.texts[0] for example in examples]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last_end", [True, False])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_a_byte_order_mark_leave_no_trace(tmp_path, end, last_end, mark):
    content = mark + HEADER + b"it purrs\tcat\nit barks\tdog\n"
    content = content.replace(b"\n", end)
    write(tmp_path, content if last_end else content.removesuffix(end))
    assert read(own_task(tmp_path)) == [
        Example("pets/train/0", ("it purrs",), 0),
        Example("pets/train/1", ("it barks",), 1),
    ]


@pytest.mark.parametrize(
    "inside", ["\u2028", "\u0085", "\x0b", "\x0c", "\x1c", "\r", '"', "\x00", ""]
)
def test_a_field_ends_at_a_tab_and_a_line_at_a_line_feed_only(tmp_path, inside):
    row = f'it "{inside}purrs'
    write(tmp_path, HEADER + f"{row}\tcat\nit barks\tdog\n".encode())
    assert texts(read(own_task(tmp_path))) == [row, "it barks"]


def test_spaces_of_a_text_are_kept(tmp_path):
    write(tmp_path, HEADER + b" it purrs \tcat\n")
    assert texts(read(own_task(tmp_path))) == [" it purrs "]


def test_without_a_header_the_first_line_is_a_row(tmp_path):
    layout = {"header": False, "columns": {"text": 3, "label": 1}, "id": 0}
    write(tmp_path, b"a\tcat\t\tit purrs\nb\tdog\t*\tit barks\n")
    assert [e.guid for e in read(own_task(tmp_path, layout))] == ["pets/train/a", "pets/train/b"]


def test_columns_go_by_the_header_not_by_their_place(tmp_path):
    layout = {"columns": {"text": "#1 String", "label": "Quality"}, "id": "n"}
    write(tmp_path, b"Quality\tn\t#1 String\ndog\t7\tit barks\n")
    assert read(own_task(tmp_path, layout)) == [Example("pets/train/7", ("it barks",), 1)]


def test_labels_go_by_how_files_write_them_in_the_cards_order(tmp_path):
    write(tmp_path, HEADER + b"it purrs\t1\nit barks\t0\n")
    assert [e.label for e in read(own_task(tmp_path, file_labels=["1", "0"]))] == [0, 1]


def test_a_test_file_has_no_gold_labels(tmp_path):
    write(tmp_path, b"n\ttext\n5\tit purrs\n", "test.tsv")
    task = own_task(tmp_path, test={"id": "n"})
    assert read(task, "test") == [Example("pets/test/5", ("it purrs",), None)]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"x\tcat\nit \xff\tdog\n", 3, "expected UTF-8, found the byte 0xff after 3 others"),
        (b"x\tcat\ny\n", 3, "expected 2 fields, found 1; malformed_rows: drop"),
        (b"x\tcat\ny\tdog\tz\n", 3, "expected 2 fields, found 3"),
        (b"x\tcat\n\n", 3, "expected 2 fields, found 1"),
        (b"x\tcow\n", 2, "label: expected one of 'cat', 'dog', found 'cow'"),
        (b"x\tCat\n", 2, "label: expected one of 'cat', 'dog', found 'Cat'"),
        (b"x\t0\n", 2, "label: expected one of 'cat', 'dog', found '0'"),
        (b"x\t\n", 2, "label: expected a gold label, found none"),
        (b"\tcat\n", 2, "text: expected text, found none"),
        (b" \tcat\n", 2, "text: expected text, found none"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path, content, line, message):
    write(tmp_path, HEADER + content)
    with pytest.raises(DataError) as caught:
        read(own_task(tmp_path))
    assert str(caught.value).startswith(f"{tmp_path / 'train.tsv'}:{line}: {message}")


@pytest.mark.parametrize("score", ["", "x", "nan", "inf", "-0.1", "5.01", "1e400", "true"])
def test_a_score_is_a_number_in_the_range(tmp_path, score):
    write(tmp_path, HEADER + f"x\t0\ny\t5.000\nz\t{score}\n".encode())
    with pytest.raises(DataError, match=r"train.tsv:4: label: expected a (number|gold)"):
        read(regression(tmp_path))


def test_scores_are_read_as_floats(tmp_path):
    write(tmp_path, HEADER + b"x\t0\ny\t3.800\n")
    labels = [e.label for e in read(regression(tmp_path))]
    assert labels == [0.0, 3.8]
    assert all(isinstance(label, float) for label in labels)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected rows for pets/train, found none"),
        (HEADER, "expected rows for pets/train, found none"),
        (
            b"txt\tlabel\nx\tcat\n",
            r":1: expected a column 'text', which is not there; the header's are 'txt', 'label'; "
            r"did you mean 'txt'\?",
        ),
        (b"text\ttext\tlabel\nx\ty\tcat\n", ":1: expected a column 'text', which is twice or more"),
    ],
)
def test_an_empty_file_or_another_header_is_refused(tmp_path, content, message):
    write(tmp_path, content)
    with pytest.raises(DataError, match=message):
        read(own_task(tmp_path))


def test_a_position_beyond_the_line_is_refused(tmp_path):
    layout = {"header": False, "columns": {"text": 3, "label": 1}}
    write(tmp_path, b"it purrs\tcat\n")
    with pytest.raises(DataError, match=r"train.tsv:1: no column 3, counted from 0: 2 found"):
        read(own_task(tmp_path, layout))


def test_two_rows_with_one_id_are_refused(tmp_path):
    write(tmp_path, b"n\ttext\tlabel\n1\tx\tcat\n2\ty\tcat\n1\tz\tdog\n")
    with pytest.raises(DataError, match=r"train.tsv:4: n: the id '1' stands in an earlier row"):
        read(own_task(tmp_path, {"id": "n"}))


def test_a_row_without_an_id_is_refused(tmp_path):
    write(tmp_path, b"n\ttext\tlabel\n\tx\tcat\n")
    with pytest.raises(DataError, match=r"train.tsv:2: n: expected an id, found ''"):
        read(own_task(tmp_path, {"id": "n"}))


BROKEN = b"x\tcat\nbroken\nover two\tdog\tlines\n\tcat\ny\t\nz\tdog\n"


def test_malformed_rows_are_dropped_and_counted_where_the_card_says_so(tmp_path, caplog):
    write(tmp_path, HEADER + BROKEN)
    report = ReadReport()
    with caplog.at_level(logging.WARNING, "mtkd"):
        examples = read(own_task(tmp_path, malformed_rows="drop"), report=report)
    # rows keep their own numbers: dropping one renames no other
    assert [e.guid for e in examples] == ["pets/train/0", "pets/train/5"]
    assert report.dropped == 4
    where = f"{tmp_path / 'train.tsv'}:3: expected 2 fields, found 1"
    assert report.first == where
    assert caplog.messages == [f"pets/train: 4 malformed rows dropped, the first at {where}"]


def test_dropping_forgives_no_label_that_the_card_does_not_know(tmp_path):
    write(tmp_path, HEADER + b"x\tcat\ny\tcow\n")
    with pytest.raises(DataError, match=r"train.tsv:3: label: expected one of 'cat', 'dog'"):
        read(own_task(tmp_path, malformed_rows="drop"))


def test_no_test_row_is_ever_dropped(tmp_path):
    task = own_task(tmp_path, malformed_rows="drop")
    write(tmp_path, b"text\tn\nx\t0\n\t1\n", "test.tsv")
    assert texts(read(task, "test")) == ["x", ""]
    write(tmp_path, b"text\tn\nx\t0\ny\n", "test.tsv")
    with pytest.raises(DataError, match=r"test.tsv:3: expected 2 fields, found 1"):
        read(task, "test")


def test_a_file_in_which_every_row_is_dropped_is_empty(tmp_path):
    write(tmp_path, HEADER + b"x\n")
    with pytest.raises(DataError, match="found none"):
        read(own_task(tmp_path, malformed_rows="drop"))
