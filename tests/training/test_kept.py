"""Best weights on disk and the saved state that names them belong together, whenever a run dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtkd.errors import RunDirError
from mtkd.model import MultiTaskModel
from mtkd.training import Evaluation
from mtkd.training import loop as loop_module
from mtkd.training.best import MEAN
from mtkd.training.state import SavedState
from tests.training.small import Killed, Small, same, weights

OPTIONS = {"keep": "best", "save_every": "3 steps"}  # an epoch has 7


class Scores:
    """Scores that come one after another, and the weights that each was given to."""

    def __init__(self, *means: float) -> None:
        self.left, self.given = iter(means), []  # type: ignore[var-annotated]

    def __call__(self, model: MultiTaskModel) -> Evaluation:
        mean = next(self.left)
        self.given.append(weights(model))
        return Evaluation({"rte": mean, "stsb": mean}, {"rte/dev": {"accuracy": mean}})


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "kept").iterdir())


def die_after_epoch(
    small: Small, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, scores: Scores,
    **options: object,
) -> None:  # fmt: skip
    """Die when that epoch's weights are kept and the state does not know of it yet."""
    original, done = loop_module.end_epoch, 0

    def end_epoch(*arguments: object) -> None:
        nonlocal done
        original(*arguments)  # type: ignore[arg-type]
        done += 1
        if done == number:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(loop_module, "end_epoch", end_epoch)
        with pytest.raises(Killed):
            small.fit(folder, evaluate=scores, **{**OPTIONS, **options})


def test_an_epoch_whose_score_was_lost_leaves_the_weights_of_the_best_one_known(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Done anew on a GPU or another machine, it may not be the best again."""
    before = Scores(0.5, 0.6)
    die_after_epoch(small, tmp_path, monkeypatch, 2, before)
    model, progress = small.fit(tmp_path, evaluate=Scores(0.4, 0.4), **OPTIONS)
    assert progress.best == {MEAN: 0.5}
    assert same(weights(model), before.given[0])
    assert not same(before.given[0], before.given[1])
    assert kept(tmp_path) == ["_mean.0.safetensors"]


def test_weights_that_the_state_does_not_name_take_no_room_from_the_start(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_after_epoch(small, tmp_path, monkeypatch, 2, Scores(0.5, 0.6))
    assert len(kept(tmp_path)) == 2
    seen: list[list[str]] = []

    def evaluate(model: MultiTaskModel) -> Evaluation:
        seen.append(kept(tmp_path))
        return Scores(0.4)(model)

    small.fit(tmp_path, evaluate=evaluate, keep="best", save_every="5 minutes")
    assert seen == [["_mean.0.safetensors"]] * 2


def test_what_a_run_that_never_saved_kept_is_nothing_to_the_next(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Scores(0.3, 0.9)
    die_after_epoch(small, tmp_path, monkeypatch, 2, lost, save_every="5 minutes")
    assert not (tmp_path / "checkpoint").exists()
    assert len(kept(tmp_path)) > 0
    scores = Scores(0.5, 0.4, 0.4)
    model, _ = small.fit(tmp_path, evaluate=scores, **OPTIONS)
    assert same(weights(model), scores.given[0])


@pytest.mark.parametrize("save_every", ["3 steps", "5 minutes"])
def test_a_finished_run_leaves_one_file_a_name(
    small: Small, tmp_path: Path, save_every: str
) -> None:
    small.fit(tmp_path, evaluate=Scores(0.3, 0.9, 0.1), keep="best", keep_best_per_task=True,
              save_every=save_every)  # fmt: skip
    assert kept(tmp_path) == [f"{name}.1.safetensors" for name in ("_mean", "rte", "stsb")]


def test_a_file_goes_only_when_the_state_that_names_it_is_gone(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[list[str]] = []
    original = SavedState.save

    def save(self: SavedState, *arguments: object) -> None:
        there.append(kept(tmp_path) if (tmp_path / "kept").exists() else [])
        original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SavedState, "save", save)
    small.fit(tmp_path, evaluate=Scores(0.3, 0.9), epochs=2, **OPTIONS)
    both = ["_mean.0.safetensors", "_mean.1.safetensors"]
    assert there == [[], [], both[:1], both[:1], both[:1], both]


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [spoil, Path.unlink])
def test_a_run_does_not_go_on_without_its_best_weights(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: object
) -> None:
    die_after_epoch(small, tmp_path, monkeypatch, 2, Scores(0.5, 0.4))
    harm(tmp_path / "kept/_mean.0.safetensors")  # type: ignore[operator]
    seen: list[MultiTaskModel] = []
    message = rf"/_mean\.0\.safetensors: not as it was written .*; delete {tmp_path} to begin it"
    with pytest.raises(RunDirError, match=message):
        small.fit(tmp_path, evaluate=lambda _: seen.append(_), **OPTIONS)  # type: ignore[arg-type]
    assert seen == []
