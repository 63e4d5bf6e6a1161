"""Memory that is freed in gaps goes back to the system, once it is much more than a step needs."""

from __future__ import annotations

import sys

import pytest
import torch

from mtkd.devices import keep_freed_memory
from mtkd.training.memory import FreedMemory, freed
from mtkd.training.memory.freed import resident_bytes
from tests.training.small import Small

MB = 1 << 20
CPU = torch.device("cpu")
on_glibc = pytest.mark.skipif(sys.platform != "linux", reason="other libraries keep no gaps")


def gaps(count: int) -> list[torch.Tensor]:
    """So many MB, freed, each before a small block that is not."""
    keep_freed_memory()  # as in any training
    pairs = [(torch.ones(MB // 4), torch.ones(16)) for _ in range(count)]
    return [small for _, small in pairs]


@on_glibc
@pytest.mark.parametrize(("needed", "goes"), [(20 * MB, True), (2000 * MB, False), (None, False)])
def test_gaps_go_back_when_they_are_more_than_a_step_and_a_half(
    needed: int | None, goes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freed, "_ROOM", 20 * MB)
    watch, before = FreedMemory(needed, CPU), resident_bytes()
    small = gaps(300)
    assert resident_bytes() - before > 250 * MB
    watch.give_back()
    assert (resident_bytes() - before < 100 * MB) == goes
    freed.give_back_freed_memory()
    assert len(small) == 300


def test_memory_in_use_is_not_asked_for_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    held, asked = [100], []
    monkeypatch.setattr(freed, "resident_bytes", lambda: held[0])
    monkeypatch.setattr(freed, "give_back_freed_memory", lambda: asked.append(held[0]))
    monkeypatch.setattr(freed, "_ROOM", 0)
    watch = FreedMemory(100, CPU)
    for bytes_held in (250, 251, 260, 301, 302, 340):
        held[0] = bytes_held
        watch.give_back()
    assert asked == [251, 302]
    held[0] = 10_000
    FreedMemory(100, torch.device("meta")).give_back()  # not a CPU's
    assert asked == [251, 302]


def test_a_training_looks_between_updates(
    small: Small, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    monkeypatch.setattr(FreedMemory, "give_back", lambda self: looks.append(self._needed))
    _, progress = small.fit(tmp_path)
    assert len(looks) == progress.step
    assert looks[0] == progress.memory["needed_bytes"] > 0
