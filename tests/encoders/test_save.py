from __future__ import annotations

from pathlib import Path

from mtkd.encoders import load_masked_lm, load_tokenizer, save_model
from mtkd.recipe import EncoderSettings


def test_who_may_read_a_models_config_may_read_its_weights(
    tiny_encoder: str, tmp_path: Path
) -> None:
    model, _ = load_masked_lm(EncoderSettings(encoder=tiny_encoder))
    save_model(model, load_tokenizer(tiny_encoder), tmp_path)
    modes = {path.name: path.stat().st_mode for path in tmp_path.iterdir()}
    assert modes["model.safetensors"] == modes["config.json"] == modes["tokenizer.json"]
    assert modes["config.json"] & 0o044
