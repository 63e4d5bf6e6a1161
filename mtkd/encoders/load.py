"""Encoders and tokenizers, loaded as data: no code of theirs, no network, no pickle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mtkd.encoders.files import check_described
from mtkd.encoders.places import encoder_folder
from mtkd.errors import EncoderError
from mtkd.recipe import EncoderSettings
from mtkd.shown import printable, shown

if TYPE_CHECKING:
    from transformers import (
        AutoModel,
        AutoModelForMaskedLM,
        PreTrainedModel,
        PreTrainedTokenizerBase,
    )

_LONGEST = 300  # characters of another library's message
# their first position comes after the padding token's number
_POSITIONS_AFTER_PAD = {"roberta", "xlm-roberta", "camembert", "longformer"}
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")

# False, not left out: else transformers asks whether to run code from the folder, or does. Local:
# what a folder lacks is not looked for at the hub, were its name one that the hub has.
AS_DATA: Any = {"trust_remote_code": False, "local_files_only": True}

# what encoders call the dropout of their layers: BERT and most; DistilBERT; ModernBERT
_DROPOUT_KEYS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "dropout",
    "attention_dropout",
    "embedding_dropout",
    "mlp_dropout",
)


def max_positions(encoder: str) -> int | None:
    """Return how many tokens the encoder can take, a multiple of 8; None where it has no bound.

    Raises: EncoderError: its config cannot be read.
    """
    config = load_config(encoder)
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return None
    if config.model_type in _POSITIONS_AFTER_PAD:
        positions -= config.pad_token_id + 1
    return positions - positions % 8  # batches are padded to multiples of 8


def load_tokenizer(encoder: str) -> PreTrainedTokenizerBase:
    """Return the fast tokenizer of an encoder.

    Raises: EncoderError: when there is none.
    """
    from transformers import AutoTokenizer

    folder = encoder_folder(encoder)
    if not any(file for name in _VOCABULARIES for file in folder.glob(name)):
        # transformers would make one that knows its special tokens and calls all words unknown
        raise EncoderError(f"{encoder}: no tokenizer in {folder}; put one of "
                           f"{', '.join(_VOCABULARIES)} there")  # fmt: skip
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **AS_DATA)
    except Exception as error:  # anything: `tokenizers` has no error of its own for bad files
        raise EncoderError(f"{encoder}: its tokenizer cannot be loaded: {why(error)}; copy its "
                           f"files to {folder} again") from error  # fmt: skip
    if not tokenizer.is_fast:
        raise EncoderError(f"{encoder}: has no fast tokenizer (tokenizer.json)")
    longest = tokenizer.model_max_length
    if isinstance(longest, bool) or not isinstance(longest, int | float) or not longest > 0:
        raise EncoderError(f"{encoder}: {folder / 'tokenizer_config.json'}: model_max_length: "
                           f"expected a number of tokens, found {shown(longest)}")  # fmt: skip
    return tokenizer


def vocabulary_size(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return how many numbers a tokenizer's words take; between them there may be gaps."""
    return 1 + max(tokenizer.get_vocab().values())


def load_encoder(settings: EncoderSettings) -> PreTrainedModel:
    """Return a pretrained encoder in float32, with its depth and dropout set.

    Raises: EncoderError: when weights are missing from the checkpoint, or the encoder has no
        dropout or no such depth to set.
    """
    from transformers import AutoModel

    model, missing = load_weights(AutoModel, settings)
    check_complete(settings, model, missing)
    return model


def load_weights(
    architecture: type[AutoModel | AutoModelForMaskedLM], settings: EncoderSettings
) -> tuple[PreTrainedModel, list[str]]:
    """Return the model of a checkpoint in float32, and the names of weights that it lacks.

    Those, but for a pooler's, are new. Raises: EncoderError: it cannot be loaded, or weights are
    of another shape than its config says.
    """
    folder = encoder_folder(settings.encoder)
    quiet_transformers()
    config = load_config(settings.encoder)
    configure(config, settings)
    try:
        check_described(config, folder, settings.encoder)
        model, info = architecture.from_pretrained(
            folder,
            config=config,
            dtype="float32",
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # reported below, by name
            output_loading_info=True,
            **AS_DATA,
        )
    except EncoderError:
        raise
    except Exception as error:  # anything: of a config with no heads, a division by zero
        raise EncoderError(f"{settings.encoder}: cannot be loaded: {why(error)}") from error
    check_complete(settings, model, sorted(name for name, *_ in info["mismatched_keys"]))
    return model, sorted(name for name in info["missing_keys"] if "pooler" not in name)


def check_complete(settings: EncoderSettings, model: PreTrainedModel, bad: Sequence[str]) -> None:
    """Raise EncoderError where weights that have to come with a checkpoint did not."""
    if bad:
        raise EncoderError(
            f"{settings.encoder}: {len(bad)} weights are missing or of another shape, first "
            f"{bad[0]}; the checkpoint is not one of a {model.config.model_type} encoder"
        )


def configure(config: Any, settings: EncoderSettings) -> None:
    """Write `settings` into a transformers config: dropout of all layers, number of layers."""
    if settings.dropout is not None:
        keys = [key for key in _DROPOUT_KEYS if isinstance(getattr(config, key, None), float | int)]
        if not keys:
            raise EncoderError(f"{settings.encoder}: a {config.model_type} has no dropout to set; "
                               "leave dropout out")  # fmt: skip
        for key in keys:
            setattr(config, key, settings.dropout)
    if settings.layers is not None:
        depth = config.num_hidden_layers
        if settings.layers > depth:
            raise EncoderError(f"{settings.encoder}: layers={settings.layers}, but it has {depth}")
        config.num_hidden_layers = settings.layers
        if getattr(config, "layer_types", None):  # ModernBERT's, one a layer
            config.layer_types = config.layer_types[: settings.layers]


def load_config(encoder: str) -> Any:
    """Return the transformers config of an encoder.

    Raises: EncoderError: it cannot be read.
    """
    from transformers import AutoConfig

    folder = encoder_folder(encoder)
    try:
        return AutoConfig.from_pretrained(folder, **AS_DATA)
    except Exception as error:  # anything: each architecture checks its own keys in its own way
        raise EncoderError(f"{encoder}: cannot be loaded: {folder / 'config.json'}: "
                           f"{why(error)}") from error  # fmt: skip


def why(error: Exception) -> str:
    """Return what another library says of a file, in one line that fits a message."""
    return printable(f"{type(error).__name__}: {' '.join(str(error).split())}")[:_LONGEST]


def quiet_transformers() -> None:
    """Keep transformers' loading bars and reports off the terminal; ours say what matters."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
