"""When the encoder is compiled, and that scoring is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mtkd.errors import RecipeError
from mtkd.model import MultiTaskModel
from mtkd.training import Evaluation
from mtkd.training.compiled import compile_encoder
from tests.training.small import Small

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """What encoders were asked to be compiled with; nothing is."""
    found: list[dict] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **given: found.append(given))
    return found


@pytest.mark.parametrize(
    ("choice", "steps", "device", "expected"),
    [
        ("off", 10**6, GPU, False),
        ("auto", 10**6, CPU, False),
        ("auto", 1999, GPU, False),
        ("auto", 2000, GPU, True),
        ("on", 1, CPU, True),
        ("on", 1, GPU, True),
    ],
)
def test_it_is_compiled_where_asked_for_or_where_it_pays(
    small: Small, asked: list, choice: str, steps: int, device: torch.device, expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    model = small.model([small.task("rte")])
    assert compile_encoder(model, choice, steps, device) is expected  # type: ignore[arg-type]
    assert asked == [{"dynamic": True}] * expected


def test_without_a_compiler_the_error_names_the_key(
    small: Small, asked: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(RecipeError, match=r"training\.compile=on: torch needs a C\+\+ compiler"):
        compile_encoder(small.model([small.task("rte")]), "on", 1, CPU)
    assert asked == []


def test_an_evaluation_runs_uncompiled(
    small: Small, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    stances: list[str] = []
    set_stance = torch.compiler.set_stance

    def noting(stance: str) -> object:
        stances.append(stance)
        return set_stance(stance)

    def evaluate(model: MultiTaskModel) -> Evaluation:
        return Evaluation({"rte": 0.0}, {})

    monkeypatch.setattr(torch.compiler, "set_stance", noting)
    small.fit(tmp_path / "on", epochs=1, compile="on", evaluate=evaluate)
    small.fit(tmp_path / "off", epochs=1, compile="off", evaluate=evaluate)
    assert stances == ["force_eager", "default"]
    assert len(asked) == 1
