"""Are the numbers of soft labels made elsewhere what they are said to be? As logits, then."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtkd.errors import StoreError
from mtkd.soft_labels.foreign import Foreign

_SUM_TOLERANCE = 1e-3 + 1e-9  # 0.333 + 0.333 + 0.333 is within, in binary numbers too
_SMALLEST = 1e-30  # of a probability whose log is taken; a float32 holds it
_FEWEST = 20  # rows with gold on which a scale is judged


def to_logits(where: str, found: Foreign) -> NDArray[np.float32]:
    """Return values as a store's logits, (rows, teachers, columns), NaN where a row has none.

    Of probabilities, made to sum to 1 exactly, the log is taken: softmax at temperature 1 gives
    them back.

    Raises: StoreError: values that are not finite; probabilities below 0, or that do not sum to 1;
        logits that are probabilities by their looks, which would be softened twice.
    """
    values, known = found.values, found.known
    finite = np.abs(values) <= np.finfo(np.float32).max  # which a store holds
    _refuse(where, found, ~finite.all(axis=(1, 2)) & known, "values that are not finite")
    if found.kind == "score":
        return values.astype(np.float32)
    sums = values.sum(axis=2)
    if found.kind == "logits":
        if found.store is None and known.any():
            _refuse_probabilities(where, values[known], sums[known])
        return values.astype(np.float32)
    in_percent = _near(sums[known], 100).all() and known.any()
    hint = ("; they look like percentages: divide by 100" if in_percent else
            "; if they are logits, before softmax, say so: a column named logits, or --values "
            "logits")  # fmt: skip
    below = np.asarray((values < 0).any(axis=(1, 2)))
    _refuse(where, found, below, "negative probabilities", hint)
    off = ~_near(sums, 1).all(axis=1) & known
    _refuse(where, found, off, "probabilities that do not sum to 1", hint)
    return np.log(np.maximum(values / sums[:, :, None], _SMALLEST)).astype(np.float32)


def check_scale(where: str, gold: NDArray[np.float64], scores: NDArray[np.float32]) -> None:
    """Refuse scores on another scale than gold's, 0 to 1 for 0 to 5, say.

    Args: gold: (rows,), NaN where unknown. scores: (rows, 1), NaN where a row has none.
    Raises: StoreError: gold's own mean is nearer to gold than the scores are, and the scores times
        a number are twice as near as that, in squared error.
    """
    both = ~np.isnan(gold) & ~np.isnan(scores[:, 0])
    truth, said = gold[both], scores[both, 0].astype(np.float64)
    squares = float(said @ said)
    if len(truth) < _FEWEST or squares == 0:
        return
    factor = float(said @ truth) / squares
    spread, error = truth.var(), np.square(said - truth).mean()
    scaled = np.square(factor * said - truth).mean()
    if error > spread and scaled < spread / 2:
        raise StoreError(f"{where}: scores from {said.min():.3g} to {said.max():.3g}, gold labels "
                         f"from {truth.min():.3g} to {truth.max():.3g}: another scale; times "
                         f"{factor:.3g} they fit. Multiply them by the ratio of the scales"
                         )  # fmt: skip


def _refuse_probabilities(
    where: str, values: NDArray[np.float64], sums: NDArray[np.float64]
) -> None:
    for total, hint in ((1, "name the column probs, or give --values probs"),
                        (100, "divide by 100 and give --values probs")):  # fmt: skip
        if (values >= 0).all() and _near(sums, total).all():
            raise StoreError(f"{where}: logits that are never negative and sum to {total} in every "
                             f"row: probabilities by their looks, which softmax would flatten; "
                             f"{hint}")  # fmt: skip


def _refuse(where: str, found: Foreign, bad: NDArray[np.bool_], what: str, hint: str = "") -> None:
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        shown = [[float(f"{x:.6g}") for x in row] for row in found.values[first].tolist()]
        raise StoreError(f"{where}: {int(bad.sum())} rows with {what}, first "
                         f"{found.guids[first]}: {shown}{hint}")  # fmt: skip


def _near(sums: NDArray[np.float64], total: float) -> NDArray[np.bool_]:
    return np.abs(sums - total) <= _SUM_TOLERANCE * total
