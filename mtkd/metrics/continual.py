"""What a model that learns one domain after another keeps, from its scores after each.

R[t][i] is the score on domain i after stage t, both from 0, higher is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

Scores = Sequence[Sequence[float]]


def average(scores: Scores) -> float:
    """Return the mean score over all domains after the last stage."""
    _check(scores)
    return fmean(scores[-1])


def adaptation(scores: Scores) -> float:
    """Return the mean score on each domain just after it was learnt."""
    _check(scores)
    return fmean(row[t] for t, row in enumerate(scores))


def backward_transfer(scores: Scores) -> float:
    """Return how much better the last stage is on earlier domains than just after each was learnt.

    Raises: ValueError: there is one stage alone, and nothing before it.
    Source: Lopez-Paz and Ranzato 2017 (arXiv 1706.08840), section 2.
    """
    last = _after_some(scores)
    return fmean(scores[last][i] - scores[i][i] for i in range(last))


def forgetting(scores: Scores) -> float:
    """Return how much worse the last stage is on earlier domains than the best stage before it.

    Raises: ValueError: there is one stage alone, and nothing before it.
    Source: Chaudhry et al. 2018 (arXiv 1801.10112), section 3.
    """
    last = _after_some(scores)
    return fmean(max(row[i] for row in scores[:last]) - scores[last][i] for i in range(last))


def temporal_generalisation(scores: Scores) -> float:
    """Return the mean score on domains that are still to come, over all stages that have some.

    Raises: ValueError: there is one stage alone, and nothing after it.
    """
    last = _after_some(scores)
    return fmean(scores[t][i] for t in range(last) for i in range(t + 1, last + 1))


def _after_some(scores: Scores) -> int:
    """Return the number of the last stage, of at least two."""
    _check(scores)
    if len(scores) < 2:
        raise ValueError("a stream of one domain has nothing before or after it to compare with")
    return len(scores) - 1


def _check(scores: Scores) -> None:
    """Refuse what is not a score for each stage and domain."""
    if not scores or any(len(row) != len(scores) for row in scores):
        raise ValueError(f"expected as many domains as stages, got {[len(row) for row in scores]}")
