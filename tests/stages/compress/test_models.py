"""What a compress run masks: by the counts of its own corpus, as its recipe says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtkd.encoders import load_tokenizer
from mtkd.stages.compress.models import load_corpus, load_masking
from tests.carry_out import carried_out


@pytest.mark.parametrize(("share", "smoothing"), [(0.15, 0.7), (0.4, 0.0), (0.2, 2.0)])
def test_words_are_masked_by_their_counts_to_the_power_asked_for_and_specials_never(
    half_recipe: Path, tmp_path: Path, share: float, smoothing: float
) -> None:
    run = carried_out(half_recipe, tmp_path / "run", f"masking.share={share}",
                      f"masking.smoothing={smoothing}", last="corpus")  # fmt: skip
    masking = load_masking(run)
    tokenizer = load_tokenizer(run.recipe.teacher.encoder)
    assert (masking.share, masking.mask_id) == (share, tokenizer.mask_token_id)
    rows = load_corpus(run, "train").rows
    tokens = np.concatenate(rows.tokens(np.arange(len(rows))))
    specials = set(tokenizer.all_special_ids)
    words = sorted(set(tokens.tolist()) - specials)
    counts = np.array([(tokens == word).sum() for word in words])
    assert counts.max() > 20 * counts.min()
    found = masking.weights[words]
    expected = counts.astype(float) ** -smoothing
    np.testing.assert_allclose(found / found[0], expected / expected[0], rtol=1e-9)
    assert not masking.weights[sorted(specials)].any()
