"""Encoders with a masked-language head, as transformers has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtkd.encoders.files import check_described
from mtkd.encoders.load import AS_DATA, configure, load_config, quiet_transformers, why
from mtkd.encoders.places import encoder_folder
from mtkd.errors import EncoderError
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

    folder = encoder_folder(settings.encoder)
    quiet_transformers()
    config = load_config(settings.encoder)
    configure(config, settings)
    try:
        check_described(config, folder, settings.encoder)
        model, info = AutoModelForMaskedLM.from_pretrained(
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
    except Exception as error:  # anything, as for encoders alone
        raise EncoderError(f"{settings.encoder}: cannot be loaded: {why(error)}") from error
    own = f"{model.base_model_prefix}."
    missing = sorted(info["missing_keys"])
    bad = [name for name in missing if name.startswith(own) and "pooler" not in name]
    bad += sorted(name for name, *_ in info["mismatched_keys"])
    if bad:
        raise EncoderError(
            f"{settings.encoder}: {len(bad)} weights are missing or of another shape, first "
            f"{bad[0]}; the checkpoint is not one of a {config.model_type} encoder"
        )
    return model, not [name for name in missing if not name.startswith(own)]
