"""A model of transformers written with its tokenizer, as others may read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write config.json, model.safetensors and the tokenizer."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    share_weights(folder)


def share_weights(folder: Path) -> None:
    """Let the weights be read by who may read the rest: safetensors lets their owner alone."""
    mode = (folder / "config.json").stat().st_mode
    for path in folder.glob("*.safetensors"):
        path.chmod(mode)
