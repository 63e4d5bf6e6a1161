import re

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mtkd.errors import DataError
from tests.examples.own_cards import own_task, read, regression

one_folder = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
field = st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=["Cs"]))
word = field.filter(lambda text: text.strip() != "")
byte_lines = st.lists(
    st.one_of(st.binary(max_size=12), st.sampled_from([b"text", b"label", b"\t", b"\n", b"cat"]))
).map(b"".join)


@one_folder
@given(content=byte_lines, header=st.booleans(), drop=st.booleans())
@example(content=b"\n", header=True, drop=True)
@example(content=b"\xef\xbb\xbf", header=False, drop=False)
@example(content=b"\xff\xfet\x00e\x00", header=True, drop=True)
def test_any_bytes_give_rows_or_an_error_that_names_a_line(tmp_path, content, header, drop):
    (tmp_path / "train.tsv").write_bytes((b"text\tlabel\n" if header else b"") + content)
    task = own_task(tmp_path, malformed_rows="drop" if drop else "error")
    fault = ""
    try:
        assert read(task)
    except DataError as error:
        fault = str(error)
    place = rf"{re.escape(str(tmp_path))}/train\.tsv"
    assert not fault or re.match(rf"{place}(:\d+: |: expected rows .*, found none)", fault)


@one_folder
@given(rows=st.lists(st.tuples(word, st.sampled_from(["cat", "dog"])), min_size=1))
def test_what_is_written_is_read_again(tmp_path, rows):
    lines = ["text\tlabel", *("\t".join(row) for row in rows)]
    (tmp_path / "train.tsv").write_bytes("\n".join(lines).encode())
    found = [(e.texts[0], ("cat", "dog")[e.label]) for e in read(own_task(tmp_path))]
    assert found == rows


@one_folder
@given(scores=st.lists(st.floats(0, 5), min_size=1))
def test_scores_are_read_again_to_the_last_digit(tmp_path, scores):
    lines = ["text\tlabel", *(f"x\t{score!r}" for score in scores)]
    (tmp_path / "train.tsv").write_text("\n".join(lines))
    assert [e.label for e in read(regression(tmp_path))] == scores
