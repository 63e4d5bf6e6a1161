"""Gradient checkpointing: layers are run again in the backward pass instead of remembered."""

from __future__ import annotations

from mtkd.errors import EncoderError
from mtkd.training.goal import Trained


def can_checkpoint(model: Trained) -> bool:
    """Return whether the encoder's layers can be run again."""
    return bool(model.encoder.supports_gradient_checkpointing)


def set_checkpointing(model: Trained, on: bool) -> None:
    """Turn checkpointing on or off; dropout's random numbers are repeated, so results stay.

    Raises: EncoderError: the encoder has no layers that can be run again.
    Source: Chen et al. 2016, arXiv 1604.06174.
    """
    encoder = model.encoder
    if not can_checkpoint(model):
        if on:
            raise EncoderError(
                f"training.gradient_checkpointing: a {encoder.config.model_type} encoder does not "
                "support it; leave it out and raise training.accumulation instead"
            )
        return
    # transformers 5 renamed both on the way, and warns of the old names
    kind = "activation" if hasattr(encoder, "activation_checkpointing_enable") else "gradient"
    if on:
        getattr(encoder, f"{kind}_checkpointing_enable")({"use_reentrant": False})
    else:
        getattr(encoder, f"{kind}_checkpointing_disable")()
