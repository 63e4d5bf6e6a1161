"""What a combination of teachers learns from rows they have not seen: temperatures, weights."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from mtkd.errors import RunFailed

_LOG_RANGE = (-3.0, 3.0)
LEAST, MOST = (float(np.exp(end)) * (1 - 0.001 * end / 3) for end in _LOG_RANGE)  # of temperatures


def fit_temperature(logits: NDArray[np.floating], gold: NDArray[np.float64]) -> float:
    """Return the temperature that makes a teacher's probabilities most likely to be right.

    Args: logits: (rows, classes), raw. gold: (rows,), class indices.
    Returns: the T that minimises the negative log-likelihood of softmax(logits / T).
    Source: Guo et al. 2017, arXiv 1706.04599, section 4.2.
    """
    from scipy.optimize import minimize_scalar  # slow to import

    exact, classes = logits.astype(np.float64), gold.astype(np.int64)
    found = minimize_scalar(
        lambda t: _nll(exact / np.exp(t), classes), bounds=_LOG_RANGE, method="bounded"
    )
    return float(np.exp(found.x))


def weights_by_score(scores: NDArray[np.float64]) -> tuple[float, ...]:
    """Return weights of sum 1 in proportion to dev scores; equal where no score is above 0."""
    positive = np.maximum(scores, 0.0)
    if positive.sum() == 0:
        positive = np.ones_like(positive)
    return tuple(float(w) for w in positive / positive.sum())


def fit_weights(
    logits: NDArray[np.floating], gold: NDArray[np.float64], *, regression: bool
) -> tuple[float, ...]:
    """Return the weights, none below 0, of the teachers' sum that fits gold labels best.

    Args: logits: (rows, teachers, classes), each teacher's divided by its own temperature; for
        regression (rows, teachers, 1), scores. gold: (rows,), class indices or scores.
    Returns: one weight a teacher, summing to 1 (else a few rows that are all right would make the
        pool surer without end): of the log-linear pool softmax(sum of w_k logits_k) with the least
        negative log-likelihood; for regression of the mean score with the least squared error.
    Raises: RunFailed: no such weights were found.
    """
    from scipy.optimize import minimize  # slow to import

    exact = logits.astype(np.float64)
    teachers = exact.shape[1]
    start = np.full(teachers, 1.0 / teachers)
    classes = gold.astype(np.int64)

    def squared_error(weights: NDArray[np.float64]) -> float:
        return float(np.mean((exact[:, :, 0] @ weights - gold) ** 2))

    def likelihood(weights: NDArray[np.float64]) -> float:
        return _nll(np.einsum("k,nkc->nc", weights, exact), classes)

    found = minimize(
        squared_error if regression else likelihood,
        start,
        bounds=[(0.0, 1.0)] * teachers,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0},
        method="SLSQP",
    )
    if not found.success:
        raise RunFailed(f"no weights of teachers could be fitted ({found.message}); use "
                        "soft_labels.combine=mean")  # fmt: skip
    weights = np.maximum(found.x, 0.0)
    return tuple(float(w) for w in weights / weights.sum())


def _nll(logits: NDArray[np.float64], classes: NDArray[np.int64]) -> float:
    of_classes = scipy.special.log_softmax(logits, axis=1)[np.arange(len(classes)), classes]
    return float(-of_classes.mean())
