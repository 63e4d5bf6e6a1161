from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

WORDS = {
    "animals": ("cat", "dog", "bird"),
    "people": ("man", "woman", "child"),
    "things": ("house", "book", "table"),
}


@pytest.fixture
def stream(tmp_path: Path, tiny_encoder_with_head: str) -> Path:
    """A recipe of three corpora of texts of the test's own."""
    domains = []
    for name, words in WORDS.items():
        path = tmp_path / f"{name}.txt"
        lines = [f"the {words[i % 3]} sees the {words[(i + i // 3) % 3]} and the {words[2]} {i}"
                 for i in range(60)]  # fmt: skip
        path.write_text("\n".join(lines), "utf-8")
        corpus = {"files": [str(path)], "dev_share": 0.2, "max_length": 32, "min_tokens": 2,
                  "max_unknown": 1.0}  # fmt: skip
        domains.append({"name": name, "steps": 3, "corpus": corpus})
    content = {
        "name": "small",
        "kind": "lifelong",
        "encoder": {"encoder": tiny_encoder_with_head, "dropout": 0.1},
        "stream": domains,
        "embeddings": {"queue": 16},
        "training": {"batch_size": 8, "learning_rate": 1e-3, "optimizer": "adamw", "log_every": 1,
                     "precision": "fp32"},
    }  # fmt: skip
    path = tmp_path / "small.yaml"
    OmegaConf.save(OmegaConf.create(content), path)
    return path
