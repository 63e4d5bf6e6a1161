"""Rows of three tasks, tokenised once."""

from __future__ import annotations

import pytest

from tests.training.small import Small
from tests.training.small import small as make_small


@pytest.fixture(scope="package")
def small(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make_small(tiny_encoder, tmp_path_factory.mktemp("rows"))
