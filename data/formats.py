"""The official file formats: columns, headers and their quirks.

Tab-separated UTF-8 without quoting. CoLA's train and dev have no header, MRPC's begin with a
byte-order mark, MNLI's parses are left empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .sample import Row

_PAIR = ("sentence1", "sentence2")
_MNLI_TEST = (
    "index",
    "promptID",
    "pairID",
    "genre",
    "sentence1_binary_parse",
    "sentence2_binary_parse",
    "sentence1_parse",
    "sentence2_parse",
    *_PAIR,
)
_MNLI_TRAIN = (*_MNLI_TEST, "label1", "gold_label")
_MNLI_DEV = (*_MNLI_TEST, *(f"label{i}" for i in range(1, 6)), "gold_label")
_STSB_TEST = (
    "index",
    "genre",
    "filename",
    "year",
    "old_index",
    "source1",
    "source2",
    *_PAIR,
)
_MRPC = ("#1 ID", "#2 ID", "#1 String", "#2 String")


@dataclass(frozen=True)
class Layout:
    """Columns with and without label, and a row's values by column (a missing one is empty)."""

    labelled: tuple[str, ...]
    unlabelled: tuple[str, ...]
    values: Callable[[int, Row], Mapping[str, str]]
    header: bool = True
    byte_order_mark: bool = False


def _single(index: int, row: Row) -> Mapping[str, str]:
    return {"index": str(index), "sentence": row.texts[0], "label": row.label}


def _cola(index: int, row: Row) -> Mapping[str, str]:
    mark = "*" if row.label == "0" else ""
    return {**_single(index, row), "source": row.phenomenon, "mark": mark}


def _pair(index: int, row: Row) -> Mapping[str, str]:
    texts = dict(zip(_PAIR, row.texts, strict=True))
    return {"index": str(index), "label": row.label, **texts}


def _mnli(index: int, row: Row) -> Mapping[str, str]:
    return {
        **_pair(index, row),
        "promptID": str(index),
        "genre": row.domain,
        "label1": row.label,
        "gold_label": row.label,
    }


def _stsb(index: int, row: Row) -> Mapping[str, str]:
    return {
        **_pair(index, row),
        "genre": "main-sample",
        "filename": row.domain,
        "year": "sample",
        "old_index": f"{index:04d}",
        "source1": "none",
        "source2": "none",
        "score": row.label,
    }


def _mrpc(index: int, row: Row) -> Mapping[str, str]:
    ids = (str(1000000 + 2 * index), str(1000001 + 2 * index))
    values = (*ids, *row.texts)
    return {"index": str(index), "Quality": row.label, **dict(zip(_MRPC, values, strict=True))}


def _qqp(index: int, row: Row) -> Mapping[str, str]:
    return {
        "id": str(index),
        "qid1": str(2 * index + 1),
        "qid2": str(2 * index + 2),
        "question1": row.texts[0],
        "question2": row.texts[1],
        "is_duplicate": row.label,
    }


def _qnli(index: int, row: Row) -> Mapping[str, str]:
    question, text = row.texts
    return {"index": str(index), "question": question, "sentence": text, "label": row.label}


_INFERENCE = Layout(("index", *_PAIR, "label"), ("index", *_PAIR), _pair)
_LAYOUTS = {
    "CoLA": Layout(("source", "label", "mark", "sentence"), ("index", "sentence"), _cola, False),
    "SST-2": Layout(("sentence", "label"), ("index", "sentence"), _single),
    "MRPC": Layout(("Quality", *_MRPC), ("index", *_MRPC), _mrpc, byte_order_mark=True),
    "STS-B": Layout((*_STSB_TEST, "score"), _STSB_TEST, _stsb),
    "QQP": Layout(
        ("id", "qid1", "qid2", "question1", "question2", "is_duplicate"),
        ("id", "question1", "question2"),
        _qqp,
    ),
    "QNLI": Layout(
        ("index", "question", "sentence", "label"), ("index", "question", "sentence"), _qnli
    ),
    "RTE": _INFERENCE,
    "WNLI": _INFERENCE,
    "diagnostic": _INFERENCE,
    "MNLI train": Layout(_MNLI_TRAIN, _MNLI_TEST, _mnli),
    "MNLI": Layout(_MNLI_DEV, _MNLI_TEST, _mnli),
}


def file_name(folder: str, split: str) -> str:
    """Return where a task's split lies, from the sample's root; AX has a folder of its own."""
    return f"{'diagnostic' if split == 'diagnostic' else folder}/{split}.tsv"


def file_text(folder: str, split: str, rows: Sequence[Row]) -> str:
    """Return the contents of the file, byte-order mark included."""
    layout = _LAYOUTS.get(split) or _LAYOUTS.get(f"{folder} {split}") or _LAYOUTS[folder]
    labelled = split.startswith(("train", "dev"))
    columns = layout.labelled if labelled else layout.unlabelled
    lines = ["\t".join(columns)] if layout.header or not labelled else []
    for index, row in enumerate(rows):
        values = layout.values(index, row)
        lines.append("\t".join(values.get(column, "") for column in columns))
    mark = "\ufeff" if layout.byte_order_mark and labelled else ""
    return mark + "\n".join(lines) + "\n"
