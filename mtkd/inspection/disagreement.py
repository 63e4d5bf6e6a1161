"""Rows on which teachers disagree most."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from mtkd.inspection.selection import Selection, empty_chunk, select
from mtkd.inspection.stream import Chunk, chunks
from mtkd.soft_labels import read_info


def top_disagreement(path: Path, limit: int, title: str | None = None) -> Selection:
    """Return the rows on which teachers disagree most, in one pass.

    Ranked by the divergence of their class probabilities, or the standard deviation (spread) of
    their scores. With one teacher there is nothing to rank, and no row is returned.

    Args: title: of the progress bar; None draws none.
    """
    info = read_info(path)
    measure, explained = ("divergence", "Jensen-Shannon divergence between teachers, nats")
    if not info.labels:
        measure, explained = ("spread", "standard deviation of the teachers' scores")
    if len(info.teachers) < 2:
        heading = "highest disagreement: none, as there is one teacher"
        return Selection(info, heading, empty_chunk(info), measure, np.empty(0))
    of = divergence if info.labels else spread
    found, values = select(info, chunks(path, title), limit, of, np.negative)
    heading = f"highest disagreement, {len(values):,} rows; {measure}: {explained}"
    return Selection(info, heading, found, measure, values)


def divergence(chunk: Chunk) -> NDArray[np.float64]:
    """Return the generalised Jensen-Shannon divergence between teachers, (rows,), in nats.

    H(mean of p_k) - mean of H(p_k): 0 where all say the same, at most ln of the number of teachers
    or of classes, whichever is less.
    Source: Lin 1991, Divergence measures based on the Shannon entropy, with equal weights.
    """
    together = entr(chunk.teachers.mean(axis=1)).sum(axis=1)
    apart = entr(chunk.teachers).sum(axis=2).mean(axis=1)
    return np.maximum(together - apart, 0.0)  # rounding can leave -1e-17


def spread(chunk: Chunk) -> NDArray[np.float64]:
    """Return the standard deviation of the teachers' scores, (rows,)."""
    return chunk.teachers[:, :, 0].std(axis=1)
