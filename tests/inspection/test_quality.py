import math

import numpy as np
import pytest

from mtkd.inspection.quality import ClassQuality
from tests.inspection.made import chunk, part, probabilities

NAMES = ("t0", "t1", "t2", "ensemble")


def measured(*chunks):
    quality = ClassQuality(chunks[0].teachers.shape[1] + 1)
    for rows in chunks:
        quality.add(rows)
    return quality.result(NAMES[: chunks[0].teachers.shape[1]] + NAMES[-1:])


def test_scores_are_those_of_a_plain_loop_over_rows():
    rows = probabilities(300)
    found = measured(rows)

    for model, scores in enumerate(found):
        right, nll, brier, entropy, most = [], [], [], [], []
        for i in range(300):
            p = list(rows.ensemble[i] if model == 3 else rows.teachers[i, model])
            entropy.append(-sum(x * math.log(x) for x in p))
            most.append(max(p))
            if math.isnan(rows.gold[i]):
                continue
            gold = int(rows.gold[i])
            right.append(p.index(max(p)) == gold)
            nll.append(-math.log(p[gold]))
            brier.append(sum((x - (c == gold)) ** 2 for c, x in enumerate(p)))
        assert len(right) < len(most) == 300
        assert scores.name == NAMES[model]
        assert scores.accuracy == pytest.approx(np.mean(right), abs=1e-12)
        assert scores.nll == pytest.approx(np.mean(nll), abs=1e-12)
        assert scores.brier == pytest.approx(np.mean(brier), abs=1e-12)
        assert scores.entropy == pytest.approx(np.mean(entropy), abs=1e-12)
        assert scores.max_probability == pytest.approx(np.mean(most), abs=1e-12)


def test_a_teacher_that_does_not_know_has_the_scores_of_a_coin():
    coin, *_ = measured(chunk(np.full((4, 1, 2), 0.5), [0, 1, 0, 1]))

    assert coin.nll == pytest.approx(math.log(2))
    assert coin.entropy == pytest.approx(math.log(2))
    assert coin.brier == coin.accuracy == coin.max_probability == 0.5
    assert coin.ece == coin.ece_adaptive == 0


def test_a_teacher_that_is_sure_and_wrong_has_a_finite_nll_and_the_worst_brier_score():
    wrong, *_ = measured(chunk(np.array([[[1.0, 0.0]]]), [1]))

    assert wrong.nll == pytest.approx(103.28, abs=0.01)
    assert (wrong.accuracy, wrong.brier, wrong.ece, wrong.entropy) == (0, 2, 1, 0)


def test_the_way_rows_are_cut_into_chunks_does_not_matter():
    rows = probabilities(1000)
    cuts = [slice(0, 1), slice(1, 1), slice(1, 640), slice(640, 1000)]

    whole, cut = measured(rows), measured(*(part(rows, piece) for piece in cuts))

    for a, b in zip(whole, cut, strict=True):
        for name in vars(a):
            assert getattr(a, name) == pytest.approx(getattr(b, name), abs=1e-12)


def test_without_gold_what_needs_none_is_still_measured():
    rows = probabilities(50)
    rows.gold[:] = np.nan
    found = measured(rows)[0]

    undefined = (found.accuracy, found.nll, found.brier, found.ece, found.ece_adaptive)
    assert all(map(math.isnan, undefined))
    assert 0 < found.entropy < math.log(3)
    assert 1 / 3 < found.max_probability < 1
