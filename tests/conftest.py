"""Tiny encoders, tiny data, and a machine without a network."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from transformers import AutoModelForMaskedLM

from mtkd.stages import Run
from tests.carry_out import carried_out
from tests.tiny import make_encoder, make_glue


@pytest.fixture(autouse=True, scope="session")
def _two_threads() -> None:
    torch.set_num_threads(min(2, torch.get_num_threads()))


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of a tiny uncased BERT: 2 layers of width 32."""
    return make_encoder(tmp_path_factory.mktemp("encoders") / "tiny-uncased")


@pytest.fixture(scope="session")
def tiny_cased_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of a tiny cased BERT with another vocabulary."""
    return make_encoder(tmp_path_factory.mktemp("encoders") / "tiny-cased", cased=True, seed=1)


@pytest.fixture(scope="session")
def tiny_glue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A glue_data folder with five small tasks."""
    return make_glue(tmp_path_factory.mktemp("glue"))


@pytest.fixture(scope="session")
def tiny_recipe(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_glue: Path,
    tiny_encoder: str,
    tiny_cased_encoder: str,
) -> Path:
    """The paper's pipeline: cased and uncased candidates, refined, two kept; then a student."""
    path = tmp_path_factory.mktemp("recipes") / "tiny.yaml"
    content = {
        "name": "tiny",
        "tasks": ["rte", "stsb", "cola", "mnli", "ax"],
        "data": {"root": str(tiny_glue), "max_length": 48},
        "teachers": {
            "candidates": [
                {"name": "uncased-0.1", "encoder": tiny_encoder, "dropout": 0.1},
                {"name": "uncased-0.3", "encoder": tiny_encoder, "dropout": 0.3},
                {"name": "cased-0.1", "encoder": tiny_cased_encoder, "dropout": 0.1},
            ],
            "select": {"by": ["mnli", "rte"], "keep": 2},
            "tasks": ["rte", "stsb"],
            "heads": {"rte": {"type": "san"}},
        },
        "student": {"encoder": tiny_encoder, "finetune": True},
        "baseline": True,
        "training": {"epochs": 1, "batch_size": 16, "learning_rate": 1e-3, "precision": "fp32"},
    }
    OmegaConf.save(OmegaConf.create(content), path)
    return path


@pytest.fixture(scope="session")
def half_recipe(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: str, tiny_glue: Path
) -> Path:
    """A compress recipe: one layer of the tiny encoder's two, by DistilBERT's losses."""
    content = {
        "name": "half",
        "kind": "compress",
        "teacher": {"encoder": tiny_encoder},
        "warmup_mlm": 1,
        "student": {"layers": 1},
        "corpus": {"tasks": ["rte", "cola"], "data": {"root": str(tiny_glue)}, "max_length": 32,
                   "min_tokens": 2, "max_unknown": 1.0, "dev_share": 0.2},
        "losses": {"soft_mlm": {"weight": 5.0}, "mlm": {"weight": 2.0}, "cosine": {"weight": 1.0}},
        "training": {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "precision": "fp32",
                     "optimizer": "adamw"},
    }  # fmt: skip
    path = tmp_path_factory.mktemp("recipes") / "half.yaml"
    OmegaConf.save(OmegaConf.create(content), path)
    return path


@pytest.fixture(scope="session")
def tiny_encoder_with_head(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: str) -> str:
    """Path of the tiny uncased BERT with a masked-language head."""
    folder = tmp_path_factory.mktemp("encoders") / "with-head"
    shutil.copytree(tiny_encoder, folder)
    AutoModelForMaskedLM.from_pretrained(tiny_encoder).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, tiny_recipe: Path) -> Run:
    """The tiny pipeline, carried out whole. Tests must not change it; `copied_run` is theirs."""
    return carried_out(tiny_recipe, tmp_path_factory.mktemp("runs") / "tiny")
