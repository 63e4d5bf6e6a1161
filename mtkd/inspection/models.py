"""What a store holds side by side: each teacher's soft labels and the ensemble's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtkd.inspection.stream import Chunk
from mtkd.soft_labels import StoreInfo

ENSEMBLE = "ensemble"
SMALLEST = float(np.finfo(np.float32).smallest_subnormal)  # 1.4e-45: stores are float32


def model_names(info: StoreInfo) -> tuple[str, ...]:
    """Return the teachers' names, then "ensemble"."""
    return (*(teacher.name for teacher in info.teachers), ENSEMBLE)


def model_outputs(chunk: Chunk) -> NDArray[np.float64]:
    """Return probabilities or scores, (rows, teachers + 1, classes or 1), the ensemble's last."""
    return np.concatenate([chunk.teachers, chunk.ensemble[:, None]], axis=1)


def log_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return natural logarithms; zero counts as 1.4e-45, so that none is below -103.3."""
    return np.log(np.maximum(probabilities, SMALLEST))
