"""Encoders: where they come from, what is looked at before they are loaded, and loading them."""

from mtkd.encoders.load import (
    configure,
    load_config,
    load_encoder,
    load_tokenizer,
    max_positions,
    quiet_transformers,
    vocabulary_size,
)
from mtkd.encoders.masked_lm import load_masked_lm
from mtkd.encoders.places import (
    check_weights,
    encoder_folder,
    encoder_sha256,
    encoder_slug,
    length_settings,
    tokenizer_sha256,
    weights_size,
)
from mtkd.encoders.save import save_model, share_weights

__all__ = [
    "check_weights",
    "configure",
    "encoder_folder",
    "encoder_sha256",
    "encoder_slug",
    "length_settings",
    "load_config",
    "load_encoder",
    "load_masked_lm",
    "load_tokenizer",
    "max_positions",
    "quiet_transformers",
    "save_model",
    "share_weights",
    "tokenizer_sha256",
    "vocabulary_size",
    "weights_size",
]
