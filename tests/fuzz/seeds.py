"""Right inputs for each reader, small, from which wrong ones are made."""

from __future__ import annotations

import csv as csv_module
import io
import json
import zipfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_ROWS = [("it purrs", "cat", "3"), ('it "barks"\u2028loudly', "dog", "5"), ("meh", "cat", "12")]
_SCORES = [("x", "0.5"), ("y", "5"), ("z", "1e0")]
_GUIDS = [f"rte/train/{i}" for i in range(3)]
_PROBS = [[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]]


def tsv(folder: Path) -> Sequence[bytes]:
    rows = "".join(f"{text}\t{label}\t{n}\n" for text, label, n in _ROWS)
    scores = "".join(f"{text}\t{score}\n" for text, score in _SCORES)
    return [f"text\tlabel\tn\n{rows}".encode(), f"text\tlabel\n{scores}".encode(),
            rows.replace("\n", "\r\n").encode("utf-8-sig")]  # fmt: skip


def csv(folder: Path) -> Sequence[bytes]:
    return [_csv([("text", "label", "n"), *_ROWS]), _csv([("text", "label"), *_SCORES])]


def texts(folder: Path) -> Sequence[bytes]:
    return [b"One text. And its second sentence!\nAnother, (with 'quotes.')  And 3.5 more?\n"]


def jsonl(folder: Path) -> Sequence[bytes]:
    rows = [{"text": text, "label": label, "n": int(n)} for text, label, n in _ROWS]
    scores = [{"label": float(score), "text": text} for text, score in _SCORES]
    return [_jsonl(rows), _jsonl(scores)]


def parquet(folder: Path) -> Sequence[bytes]:
    texts, labels, ids = zip(*_ROWS, strict=True)
    table = pa.table({"text": texts, "label": labels, "n": [int(n) for n in ids]})
    scores = pa.table({"text": ["x", None], "label": [0.5, 5.0]})
    return [_parquet(table), _parquet(table, compression="none", use_dictionary=False),
            _parquet(scores, compression="zstd", data_page_version="2.0"),
            _parquet(table, use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY",
                                                                    "label": "PLAIN"})]  # fmt: skip


def cards(folder: Path) -> Sequence[bytes]:
    return _packaged("mtkd.tasks")


def recipes(folder: Path) -> Sequence[bytes]:
    found = _packaged("mtkd.pipelines")
    override = b"\0training.epochs=3\nteachers.candidates.0.dropout=0.2\ntasks=[rte]"
    return [*found, found[0] + override]


def write_store(path: Path, *, scores: bool = False) -> Path:
    from tests.soft_labels.stores import MNLI, STSB, write_small

    return write_small(path, STSB if scores else MNLI)


def stores(folder: Path) -> Sequence[bytes]:
    return [write_store(folder / "seed.parquet", scores=scores).read_bytes()
            for scores in (False, True)]  # fmt: skip


def metadata(folder: Path) -> Sequence[bytes]:
    from mtkd.soft_labels import read_info

    info = read_info(write_store(folder / "seed.parquet"))
    return [info.to_json().encode(), json.dumps(json.loads(info.to_json()), indent=1).encode()]


def submission_files(folder: Path) -> Sequence[bytes]:
    rows = "index\tprediction\n0\tentailment\n1\tnot_entailment\n2\tentailment\n"
    return [rows.encode(), rows.replace("\n", "\r\n").encode()]


def submission_zips(folder: Path) -> Sequence[bytes]:
    found = []
    for packed in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", packed) as archive:
            archive.writestr("RTE.tsv", submission_files(folder)[0])
            archive.writestr("STS-B.tsv", "index\tprediction\n0\t2.500\n1\t5.000\n")
        found.append(buffer.getvalue())
    return found


def foreign_csv(folder: Path) -> Sequence[bytes]:
    rows = list(zip(_GUIDS, _PROBS, strict=True))
    return [
        _csv([("guid", "p(entailment)", "p(not_entailment)"), *((g, *p) for g, p in rows)]),
        _csv([("guid", "probs"), *((g, json.dumps(p)) for g, p in rows)]),
        _csv([("guid", "score"), *((g, "2.5") for g in _GUIDS)]),
    ]


def foreign_jsonl(folder: Path) -> Sequence[bytes]:
    rows = list(zip(_GUIDS, _PROBS, strict=True))
    return [
        _jsonl([{"guid": g, "probs": p} for g, p in rows]),
        _jsonl([{"guid": g, "logits": [p, p]} for g, p in rows]),
        _jsonl([{"guid": g, "score": 2.5} for g in _GUIDS]),
    ]


def foreign_parquet(folder: Path) -> Sequence[bytes]:
    return [_parquet(pa.table({"guid": _GUIDS, "probs": _PROBS})),
            _parquet(pa.table({"guid": _GUIDS, "logits": [[p, p] for p in _PROBS]})),
            _parquet(pa.table({"guid": _GUIDS, "score": [1.0, 2.0, None]}))]  # fmt: skip


def foreign_npy(folder: Path) -> Sequence[bytes]:
    found = []
    for array in (np.array(_PROBS), np.array([_PROBS] * 2, np.float32).swapaxes(0, 1),
                  np.arange(3.0)):  # fmt: skip
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        found.append(buffer.getvalue())
    return found


def _packaged(package: str) -> list[bytes]:
    found = [f for f in files(package).iterdir() if f.name.endswith(".yaml")]
    return [f.read_bytes() for f in sorted(found, key=lambda f: f.name)]


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    buffer = io.StringIO()
    csv_module.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


def _jsonl(rows: Sequence[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _parquet(table: pa.Table, **options: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()
