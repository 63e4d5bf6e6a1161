import json

import numpy as np
import pytest
from scipy.special import rel_entr, softmax

from mtkd.errors import StoreError
from mtkd.inspection import compare_stores
from mtkd.soft_labels import write_store
from tests.inspection.made import LABELS, info, scores, store, values


def write(path, rows, **changes):
    guids, gold, logits = rows
    write_store(path, info(**{"teachers": logits.shape[1], **changes}), guids, gold, logits)
    return path


def soft(logits, temperature=1.0):
    return softmax(logits.astype(np.float64) / temperature, axis=2).mean(axis=1)


def test_a_store_does_not_differ_from_itself(tmp_path):
    path = store(tmp_path / "a.parquet")
    found = compare_stores(path, path)

    assert (found.rows, found.rows_only_in_a, found.rows_only_in_b) == (500, 0, 0)
    assert found.differences == found.changed == ()
    assert (found.values.agreement, found.values.kl, found.values.total_variation) == (1, 0, 0)
    assert found.values.accuracy_a == found.values.accuracy_b > 0.5


def test_rows_are_joined_by_guid_never_by_position(tmp_path):
    guids, gold, logits = values(100)
    a = write(tmp_path / "a.parquet", (guids, gold, logits))
    order = np.random.default_rng(1).permutation(100)[:80]
    shuffled = [guids[i] for i in order] + ["made/train/new"]
    b = write(tmp_path / "b.parquet", (
        shuffled, np.append(gold[order], 0), np.concatenate([logits[order], logits[:1]])
    ))  # fmt: skip

    found = compare_stores(a, b)

    assert (found.rows, found.rows_only_in_a, found.rows_only_in_b) == (80, 20, 1)
    assert (found.values.agreement, found.values.total_variation) == (1, 0)
    assert found.gold_differs == 0


def test_figures_are_those_of_plain_numpy(tmp_path):
    guids, gold, logits = values(300)
    other = values(300, seed=7)[2]
    gold[:50] = np.nan
    a = write(tmp_path / "a.parquet", (guids, gold, logits))
    b = write(tmp_path / "b.parquet", (guids, gold, other), temperature=2.0)

    found = compare_stores(a, b)

    p, q = soft(logits), soft(other, 2.0)
    tv = np.abs(p - q).sum(axis=1) / 2
    known = np.isfinite(gold)
    assert found.rows_with_gold == 250
    assert found.values.agreement == pytest.approx((p.argmax(1) == q.argmax(1)).mean())
    assert found.values.kl == pytest.approx(rel_entr(p, q).sum(axis=1).mean(), abs=1e-6)
    assert found.values.total_variation == pytest.approx(tv.mean(), abs=1e-6)
    assert found.values.accuracy_a == pytest.approx((p.argmax(1) == gold)[known].mean())
    assert found.values.accuracy_b == pytest.approx((q.argmax(1) == gold)[known].mean())
    assert [row.guid for row in found.changed] == [guids[i] for i in np.argsort(-tv)[:10]]
    first = int(np.argmax(tv))
    assert found.changed[0].distance == pytest.approx(tv[first], abs=1e-6)
    assert found.changed[0].a == LABELS[p[first].argmax()]
    assert found.changed[0].p_b == pytest.approx(q[first].max(), abs=1e-6)


def test_classes_are_matched_by_name_in_whatever_order_they_stand(tmp_path):
    guids, gold, logits = values(100)
    a = write(tmp_path / "a.parquet", (guids, gold, logits))
    order = [2, 0, 1]  # not its own inverse
    b = write(
        tmp_path / "b.parquet",
        (guids, np.array([order.index(int(c)) for c in gold], float), logits[:, :, order]),
        labels=tuple(LABELS[i] for i in order),
    )

    found = compare_stores(a, b)

    assert found.values.agreement == 1
    assert found.values.total_variation == pytest.approx(0, abs=1e-6)
    assert found.values.accuracy_a == found.values.accuracy_b > 0.5
    assert found.gold_differs == 0
    assert [item.what for item in found.differences] == ["class order"]


@pytest.mark.parametrize("labels", [("no", "maybe", "sure"), ()])
def test_other_classes_are_refused(tmp_path, labels):
    a = store(tmp_path / "a.parquet")
    b = store(tmp_path / "b.parquet", labels=labels)

    with pytest.raises(StoreError, match=r"only stores of the same classes"):
        compare_stores(a, b)


def test_a_guid_that_stands_twice_is_refused(tmp_path):
    guids, gold, logits = values(10)
    guids[3] = guids[4]
    b = write(tmp_path / "b.parquet", (guids, gold, logits))

    with pytest.raises(StoreError, match="stand twice"):
        compare_stores(store(tmp_path / "a.parquet"), b)


def test_every_difference_in_provenance_is_named(tmp_path):
    a = store(tmp_path / "a.parquet")
    b = store(tmp_path / "b.parquet", rows=400, temperature=2.0, folds=5, combine="logits",
              teachers=2, data_fingerprint="e" * 64, task="other", split="dev")  # fmt: skip

    found = {item.what: (item.a, item.b) for item in compare_stores(a, b).differences}

    assert found["temperature"] == ("1", "2")
    assert found["teachers"] == ("t0, t1, t2", "t0, t1")
    assert set(found) == {"task", "split", "rows", "temperature", "combination", "folds",
                          "teachers", "encoders", "weights", "data fingerprint"}  # fmt: skip


def test_rows_without_a_soft_label_and_other_gold_are_counted(tmp_path):
    guids, gold, logits = values(100)
    a = write(tmp_path / "a.parquet", (guids, gold, logits))
    fewer, other = logits.copy(), gold.copy()
    fewer[:4] = np.nan
    other[10:15] = (other[10:15] + 1) % 3
    b = write(tmp_path / "b.parquet", (guids, other, fewer))

    found = compare_stores(a, b)

    assert (found.rows, found.without_soft_label, found.gold_differs) == (96, 4, 5)


def test_stores_without_a_common_row_have_figures_that_are_null(tmp_path):
    guids, gold, logits = values(10)
    a = write(tmp_path / "a.parquet", (guids, gold, logits))
    b = write(tmp_path / "b.parquet", ([guid + "0" for guid in guids[1:]], gold[1:], logits[1:]))

    content = json.loads(json.dumps(compare_stores(a, b).to_json(), allow_nan=False))

    assert content["rows"] == 0
    assert set(content["values"].values()) == {None}


def test_scores_are_compared_as_scores(tmp_path):
    guids, gold, found = scores(200)
    other = scores(200, seed=3)[2]
    a = write(tmp_path / "a.parquet", (guids, gold, found), labels=())
    b = write(tmp_path / "b.parquet", (guids, gold, other), labels=())

    comparison = compare_stores(a, b)

    x, y = found[:, :, 0].mean(axis=1), other[:, :, 0].mean(axis=1)
    assert comparison.values.pearson == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-6)
    assert comparison.values.mean_absolute_difference == pytest.approx(
        np.abs(x - y).mean(), abs=1e-6
    )
    assert comparison.values.pearson_a == pytest.approx(np.corrcoef(x, gold)[0, 1], abs=1e-6)
    assert comparison.values.pearson_b == pytest.approx(np.corrcoef(y, gold)[0, 1], abs=1e-6)
    assert comparison.changed[0].guid == guids[int(np.abs(x - y).argmax())]
    json.dumps(comparison.to_json(), allow_nan=False)
