"""Rows of three tasks, and of a corpus, tokenised once."""

from __future__ import annotations

import pytest

from mtkd.training.corpus import TrainingCorpus
from tests.training.small import Small
from tests.training.small import small as make_small
from tests.training.small_corpus import make_corpus


@pytest.fixture(scope="package")
def small(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make_small(tiny_encoder, tmp_path_factory.mktemp("rows"))


@pytest.fixture(scope="package")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> TrainingCorpus:
    return make_corpus(tmp_path_factory.mktemp("corpus"))
