"""A signal between trainings ends the command with 130, whatever becomes of it on the way."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from mtkd import cli, pipeline
from tests.cli.process import code_of


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_a_library_turned_into_another_error_is_one(
    number: signal.Signals, tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """As when it comes while safetensors calls torch: a ValueError about shapes."""

    def interrupted(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt as error:
            raise ValueError("could not determine the shape") from error

    monkeypatch.setattr(pipeline, "carry_out", interrupted)
    before = signal.getsignal(number)
    assert code_of(monkeypatch, "run", str(tiny_recipe), "--run-dir", str(tmp_path / "run")) == 130
    assert "Go on with: " in capsys.readouterr().err
    assert signal.getsignal(number) == before


def test_an_error_without_a_signal_stays_what_it_is(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(pipeline, "carry_out", broken)
    monkeypatch.setattr("sys.argv", ["mtkd", "run", str(tiny_recipe), "--run-dir",
                                     str(tmp_path / "run")])  # fmt: skip
    with pytest.raises(ValueError, match="a fault of ours"):
        cli.main()
