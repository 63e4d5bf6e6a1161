import json
import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import log_loss

from mtkd.errors import StoreError
from mtkd.inspection import inspect_store
from mtkd.soft_labels import write_store
from tests.inspection.made import info, store, values


def written(path, gold_known=True, labels=("no", "maybe", "yes"), **changes):
    guids, gold, logits = values(400)
    logits[5:8] = np.nan
    gold[100 if gold_known else 0 :] = np.nan
    write_store(path, info(labels=labels, **changes), guids, gold, logits)
    return path


def test_rows_are_counted_with_gold_and_without_a_soft_label(tmp_path):
    report = inspect_store(written(tmp_path / "train.parquet"))

    assert (report.rows, report.rows_with_gold, report.rows_without_soft_label) == (400, 97, 3)
    assert [model.name for model in report.models] == ["t0", "t1", "t2", "ensemble"]


def test_the_ensembles_scores_are_of_the_soft_labels_in_the_file(tmp_path):
    import pandas as pd

    path = store(tmp_path / "train.parquet", combine="logits", temperature=3.0)
    frame = pd.read_parquet(path)
    probs = np.stack(frame["probs"].to_numpy()).astype(np.float64)
    gold = frame["label"].to_numpy()

    ensemble = inspect_store(path).models[-1]

    assert ensemble.accuracy == pytest.approx((probs.argmax(axis=1) == gold).mean())
    probs /= probs.sum(axis=1, keepdims=True)
    assert ensemble.nll == pytest.approx(log_loss(gold, probs), abs=1e-6)


def test_to_json_is_plain_and_what_is_undefined_is_null(tmp_path):
    report = inspect_store(written(tmp_path / "dev.parquet", gold_known=False, split="dev"))

    content = json.loads(json.dumps(report.to_json(), allow_nan=False))

    assert content["models"][0]["accuracy"] is None
    assert content["models"][0]["entropy"] > 0
    assert content["decomposition"]["error_of_mean"] is None
    assert content["provenance"]["labels"] == ["no", "maybe", "yes"]
    assert content["provenance"]["teachers"][1] == {
        "name": "t1", "encoder": "enc1", "sha256": "1" * 64
    }  # fmt: skip
    assert np.shape(content["agreement"]["kappa"]) == (3, 3)
    assert content["path"] == str(report.path)


def test_a_regression_store_has_the_scores_of_one(tmp_path):
    path = store(tmp_path / "dev.parquet", labels=(), split="dev")

    report = inspect_store(path)

    import pandas as pd

    frame = pd.read_parquet(path)
    gold, score = frame["label"].to_numpy(), frame["score"].to_numpy().astype(np.float64)
    ensemble = report.models[-1]
    assert ensemble.pearson == pytest.approx(np.corrcoef(gold, score)[0, 1], abs=1e-9)
    assert ensemble.mse == pytest.approx(((gold - score) ** 2).mean(), abs=1e-9)
    assert (ensemble.lowest, ensemble.highest) == (score.min(), score.max())
    assert ensemble.mse < min(model.mse for model in report.models[:-1])  # noise averages out
    assert report.balance is None
    json.dumps(report.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["folds=5"]),
        ({"folds": 5}, []),
        ({"source": "imported"}, []),
        ({"split": "dev"}, []),
        ({"split": "dev_matched"}, []),
        ({"folds": 5, "combine": "logits"}, ["plain mean of probabilities"]),
        ({"split": "dev", "teacher_temperatures": (1.0, 2.0, 1.5)}, ["fitted on these rows"]),
        (
            {"split": "dev", "combine": "dev_score", "weights": (0.2, 0.3, 0.5)},
            ["fitted on these rows", "plain mean"],
        ),
    ],
)
def test_notes_say_where_figures_flatter_or_are_of_something_else(tmp_path, changes, expected):
    notes = inspect_store(store(tmp_path / "a.parquet", rows=50, **changes)).notes

    assert len(notes) == len(expected)
    for note, text in zip(notes, expected, strict=True):
        assert text in note


def test_an_empty_store_has_a_report(tmp_path):
    report = inspect_store(store(tmp_path / "train.parquet", rows=0))

    assert report.rows == 0
    json.dumps(report.to_json(), allow_nan=False)


def test_memory_does_not_grow_with_the_rows(tmp_path):
    peaks = []
    for groups in (1, 4):
        path = store(tmp_path / f"{groups}.parquet", rows=65_536 * groups, teachers=2)
        tracemalloc.start()
        inspect_store(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.25 * peaks[0]


def test_what_is_no_store_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_text("nothing of the kind")

    with pytest.raises(StoreError, match=r"a\.parquet"):
        inspect_store(tmp_path / "a.parquet")


@pytest.mark.parametrize(("right", "noted"), [(0.95, False), (0.52, True)])
def test_teachers_that_know_no_more_than_the_majority_class_are_named(tmp_path, right, noted):
    gold = np.arange(400) % 2
    says = np.where(np.arange(400) < 400 * right, gold, 1 - gold)
    logits = np.where(says[:, None] == np.arange(2), 2.0, 0.0).astype(np.float32)[:, None]
    made = info(("no", "yes"))
    logits = np.repeat(logits, len(made.teachers), axis=1)
    path = tmp_path / "train.parquet"
    write_store(path, made, [f"made/train/{i}" for i in range(400)], gold.astype(float), logits)
    notes = " ".join(inspect_store(path).notes)
    assert ("means little" in notes) is noted
