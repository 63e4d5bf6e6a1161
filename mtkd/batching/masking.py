"""Which tokens of a batch are masked: drawn anew in each update, rare words more often."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Masking:
    """How tokens are masked.

    weights: by token id, in proportion to which a token is drawn; 0 for specials. share: of all
    tokens of a batch that is drawn. Of those 80 % become the mask, 10 % stay, 10 % become any word.
    """

    weights: NDArray[np.float64]
    mask_id: int
    share: float = 0.15
    kept: float = 0.1
    random: float = 0.1

    def draw(
        self, rows: Sequence[NDArray[np.integer]], rng: np.random.Generator
    ) -> tuple[list[Tokens], list[NDArray[np.bool_]]]:
        """Return the rows of a batch with some tokens replaced, and which were drawn.

        The number drawn is the share of all tokens of the batch, rounded up, without replacement;
        it is smaller only where fewer have a weight above 0.

        Source: Sanh et al. 2019 (DistilBERT, arXiv 1910.01108), and the authors' code; the shares
            of masks are those of BERT (Devlin et al. 2019).
        """
        flat = np.concatenate(rows).astype(np.int64)
        weights = self.weights[flat]
        # the smallest of exponential draws, each divided by its weight: a draw without replacement
        with np.errstate(divide="ignore"):
            keys = rng.exponential(size=len(flat)) / weights
        count = min(math.ceil(self.share * len(flat)), int(np.count_nonzero(weights)))
        drawn = np.argpartition(keys, count - 1)[:count] if count else np.array([], dtype=np.int64)
        drawn.sort()  # partition's order is its own affair; what follows is drawn by place
        fate = rng.random(len(drawn))
        any_word = np.flatnonzero(self.weights)
        words = any_word[rng.integers(max(1, len(any_word)), size=len(drawn))]
        masked = flat.copy()
        masked[drawn] = np.where(fate < self.random, words, self.mask_id)
        keeps = drawn[fate >= 1 - self.kept]
        masked[keeps] = flat[keeps]
        chosen = np.zeros(len(flat), dtype=np.bool_)
        chosen[drawn] = True
        cuts = np.cumsum([len(row) for row in rows])[:-1]
        return np.split(masked, cuts), np.split(chosen, cuts)


def masking_weights(
    counts: NDArray[np.int64], smoothing: float, never: Collection[int]
) -> NDArray[np.float64]:
    """Return the weight of each token id: max(count, 1)^-smoothing, 0 for those of `never`.

    Args: counts: of each token id in the corpus. smoothing: 0 draws all tokens alike.
    Returns: they sum to 1.
    Source: Sanh et al. 2019, smoothing 0.7; Lample and Conneau 2019 (XLM).
    """
    weights = np.maximum(counts, 1).astype(np.float64) ** -smoothing
    weights[list(never)] = 0.0
    return weights / weights.sum()
