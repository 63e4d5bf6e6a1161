"""One shared encoder with a head for each task, saved in transformers' own form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel

from mtkd.distillation import Needs, States
from mtkd.distillation.states import encode
from mtkd.encoders import load_encoder, quiet_transformers, share_weights
from mtkd.errors import EncoderError, ShapeError
from mtkd.heads import build_head
from mtkd.layers import (
    check_unpadded,
    key_mask,
    run_unpadded,
    use_fast_attention,
    use_fast_dropout,
)
from mtkd.recipe import EncoderSettings, HeadSettings, derive_seed
from mtkd.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_WEIGHTS = "model.safetensors"


class MultiTaskModel(nn.Module):
    """A shared encoder and one head a task (Liu et al. 2019, arXiv 1901.11504, figure 1).

    Args: encoder: any transformers encoder. heads: for each task what `head_config` gives.
    """

    def __init__(self, encoder: PreTrainedModel, heads: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        use_fast_attention(encoder)
        use_fast_dropout(encoder)
        self.encoder = encoder
        self.unpadded = False
        self.head_configs = {task: dict(config) for task, config in sorted(heads.items())}
        self.heads = nn.ModuleDict(
            {task: _build(config, encoder) for task, config in self.head_configs.items()}
        )

    def forward(
        self, task: str, segments: Tensor, attention_mask: Tensor, **inputs: Tensor
    ) -> Tensor:
        """Return the task's raw logits, (batch, classes), or scores, (batch, 1), in float32.

        Args: segments: (batch, tokens), 0 special or pad, 1 first text, 2 second text.
            attention_mask: (batch, tokens), 1 for real tokens. inputs: `input_ids` and what else
            the encoder takes.
        """
        if self.unpadded:
            hidden = run_unpadded(self.encoder, attention_mask, inputs)
            pooler = getattr(self.encoder, "pooler", None)
            pooled = None if pooler is None else pooler(hidden)
        else:
            mask = key_mask(self.encoder, attention_mask)
            output = self.encoder(attention_mask=mask, **inputs)
            hidden, pooled = output.last_hidden_state, getattr(output, "pooler_output", None)
        return self._logits(task, hidden, pooled, attention_mask, segments)

    def with_states(
        self, task: str, needs: Needs, segments: Tensor, attention_mask: Tensor, **inputs: Tensor
    ) -> tuple[Tensor, States]:
        """Return the same, and what losses between encoders read on the way."""
        output, states = encode(self.encoder, needs, attention_mask, inputs)
        pooled = getattr(output, "pooler_output", None)
        hidden = output.last_hidden_state
        return self._logits(task, hidden, pooled, attention_mask, segments), states

    def _logits(
        self,
        task: str,
        hidden: Tensor,
        pooled: Tensor | None,
        attention_mask: Tensor,
        segments: Tensor,
    ) -> Tensor:
        if task not in self.heads:
            raise ShapeError(f"no head for task {task}; there are heads for {list(self.heads)}")
        return self.heads[task](hidden, pooled, attention_mask, segments).float()

    @property
    def watched(self) -> Mapping[str, nn.Module]:
        """Return the weights that a task alone moves, by its name."""
        return dict(self.heads.items())

    @contextmanager
    def without_padding(self) -> Iterator[None]:
        """Run the encoder on rows one after another, with no padding between them.

        Raises: EncoderError: this encoder cannot.
        """
        check_unpadded(self.encoder)
        self.unpadded = True
        try:
            yield
        finally:
            self.unpadded = False

    def save(self, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
        """Write config.json, model.safetensors and the tokenizer.

        `AutoModel.from_pretrained(folder)` finds the encoder under its own names; heads stand
        beside it as "heads.<task>.*" and are described in config.json under "mtkd".
        """
        folder.mkdir(parents=True, exist_ok=True)
        config = self.encoder.config
        config.architectures = [type(self.encoder).__name__]
        config.mtkd = {"heads": self.head_configs}
        config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        tensors = {name: t.detach().cpu().contiguous() for name, t in self._on_disk().items()}
        save_file(tensors, folder / _WEIGHTS, metadata={"format": "pt"})
        share_weights(folder)

    @classmethod
    def load(cls, folder: Path) -> MultiTaskModel:
        """Read what `save` wrote; every weight must be there, and no other.

        Raises: EncoderError: when the folder holds no model of mtkd, or weights that do not fit.
        """
        quiet_transformers()
        if not (folder / "config.json").is_file():
            raise EncoderError(f"{folder}: no config.json, so no model of mtkd")
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        heads = getattr(config, "mtkd", {}).get("heads")
        if heads is None:
            raise EncoderError(f"{folder}: config.json has no heads of mtkd; is it an encoder?")
        with torch.random.fork_rng(devices=[]):  # building draws random weights, then overwritten
            model = cls(AutoModel.from_config(config, dtype=torch.float32), heads)
        try:
            stored = load_file(folder / _WEIGHTS)
        except (OSError, SafetensorError) as error:
            raise EncoderError(f"{folder / _WEIGHTS}: cannot be read: {error}") from error
        own = {k if k.startswith("heads.") else f"encoder.{k}": v for k, v in stored.items()}
        try:
            model.load_state_dict(own, strict=True)
        except RuntimeError as error:
            raise EncoderError(f"{folder}: weights do not fit config.json: {error}") from error
        return model.eval()

    def _on_disk(self) -> dict[str, Tensor]:
        return {name.removeprefix("encoder."): t for name, t in self.state_dict().items()}


def head_config(task: Task, settings: HeadSettings | None) -> dict[str, Any]:
    """Return a head's full description: what the recipe sets, and the card's for the rest."""
    config = task.head.model_dump() | (settings or HeadSettings()).model_dump(exclude_none=True)
    config["outputs"] = task.num_outputs
    config["labels"] = list(task.labels)
    config["positive"] = task.labels.index(task.positive) if task.positive else None
    return config


def build_model(
    encoder: EncoderSettings,
    tasks: Mapping[str, Task],
    heads: Mapping[str, HeadSettings],
    seed: int,
) -> MultiTaskModel:
    """Return a pretrained encoder with new heads, the same for the same seed.

    Which tasks stand beside a task does not change the start of its head.
    """
    torch.manual_seed(derive_seed(seed, "encoder"))  # for what a checkpoint may lack, a pooler
    model = MultiTaskModel(load_encoder(encoder), {})
    for name in sorted(tasks):
        add_head(model, tasks[name], heads.get(name), derive_seed(seed, "head", name))
    return model


def add_head(model: MultiTaskModel, task: Task, settings: HeadSettings | None, seed: int) -> None:
    """Give the model a new head for `task`, in place of an old one."""
    torch.manual_seed(seed)
    config = head_config(task, settings)
    model.head_configs[task.name] = config
    model.heads[task.name] = _build(config, model.encoder)


def _build(config: Mapping[str, Any], encoder: PreTrainedModel) -> nn.Module:
    own = {key: value for key, value in config.items() if key != "labels"}
    return build_head(hidden_size=encoder.config.hidden_size, **own)
