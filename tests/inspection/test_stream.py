import numpy as np
from scipy.special import softmax

from mtkd.inspection import chunks
from mtkd.soft_labels import write_store
from tests.inspection.made import info, store, values


def test_teachers_ensemble_gold_and_guids_stay_together_over_row_groups(tmp_path):
    guids, gold, logits = values(70_000, teachers=2)
    path = tmp_path / "train.parquet"
    write_store(path, info(teachers=2, temperature=2.0), guids, gold, logits)

    found = list(chunks(path))

    assert len(found) == 2
    assert [guid for chunk in found for guid in chunk.guids.to_pylist()] == guids
    assert np.array_equal(np.concatenate([chunk.gold for chunk in found]), gold)
    expected = softmax(logits.astype(np.float64) / 2, axis=2)
    assert np.allclose(np.concatenate([c.teachers for c in found]), expected, atol=1e-12)
    together = np.concatenate([c.ensemble for c in found])
    assert np.allclose(together, expected.mean(axis=1), atol=1e-6)


def test_rows_without_a_soft_label_are_left_out(tmp_path):
    guids, gold, logits = values(10)
    logits[3] = np.nan
    path = tmp_path / "train.parquet"
    write_store(path, info(), guids, gold, logits)

    (found,) = chunks(path)

    assert found.guids.to_pylist() == guids[:3] + guids[4:]
    assert np.array_equal(found.gold, np.delete(gold, 3))
    assert found.teachers.shape == (9, 3, 3)
    assert np.isfinite(found.ensemble).all()


def test_scores_are_not_put_through_a_softmax(tmp_path):
    (found,) = chunks(store(tmp_path / "train.parquet", rows=20, labels=()))

    assert found.teachers.shape == (20, 3, 1)
    assert np.allclose(found.ensemble, found.teachers.mean(axis=1), atol=1e-6)
    assert found.teachers.std() > 1


def test_a_bar_counts_all_rows_and_there_is_none_without_a_title(tmp_path, capsys, monkeypatch):
    path = store(tmp_path / "train.parquet", rows=20)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)

    list(chunks(path))
    assert capsys.readouterr().err == ""
    list(chunks(path, "reading"))

    assert "reading" in capsys.readouterr().err
