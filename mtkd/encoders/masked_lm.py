"""Encoders with a masked-language head, as transformers has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtkd.encoders.load import check_complete, load_weights
from mtkd.recipe import EncoderSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_masked_lm(settings: EncoderSettings) -> tuple[PreTrainedModel, bool]:
    """Return an encoder with its masked-language head in float32, and whether it came with one.

    A head that the checkpoint lacks is new, drawn from torch's generator, but for the vocabulary's
    matrix, which is that of the embeddings.

    Raises: EncoderError: transformers has no such head for it, or weights of the encoder are
        missing.
    """
    from transformers import AutoModelForMaskedLM

    model, missing = load_weights(AutoModelForMaskedLM, settings)
    of_encoder = [name for name in missing if name.startswith(f"{model.base_model_prefix}.")]
    check_complete(settings, model, of_encoder)
    return model, not missing
