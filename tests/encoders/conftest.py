"""An encoder to be spoilt, and no memory of what it was before."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtkd.encoders import encoder_folder, encoder_sha256, tokenizer_sha256


@pytest.fixture(autouse=True)
def _nothing_cached() -> Iterator[None]:
    cached = (encoder_folder, encoder_sha256, tokenizer_sha256)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


@pytest.fixture
def copy(tiny_encoder: str, tmp_path: Path) -> Path:
    """A copy of the tiny encoder, to be spoilt."""
    return Path(shutil.copytree(tiny_encoder, tmp_path / "copy"))
