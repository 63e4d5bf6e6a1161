"""What a container may still take is found in both versions of Linux's control groups."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch

from mtkd.devices import keep_freed_memory
from mtkd.training.memory import available as module
from mtkd.training.memory.available import available_memory, container_memory


def group(folder: Path, limit: str, used: int, cached: int, version: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        2: ("memory.max", "memory.current", ""),
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    }[version]
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    read_once, read_again = cached // 3, cached - cached // 3
    (folder / "memory.stat").write_text(
        f"anon 5\n{names[2]}inactive_file {read_once}\n{names[2]}active_file {read_again}\n"
    )


def member(folder: Path, line: str) -> Path:
    path = folder / "membership"
    path.write_text(f"{line}\n")
    return path


def test_the_limit_less_what_is_used_and_cannot_be_given_up(tmp_path):
    group(tmp_path / "a/b", "1000", 400, 150)
    assert container_memory(tmp_path, member(tmp_path, "0::/a/b")) == 1000 - 400 + 150


def test_the_lowest_limit_of_all_groups_above_counts(tmp_path):
    group(tmp_path / "a/b", "max", 10, 0)
    group(tmp_path / "a", "500", 100, 0)
    group(tmp_path, "2000", 100, 0)
    assert container_memory(tmp_path, member(tmp_path, "0::/a/b")) == 400


def test_a_limit_at_the_root_counts_where_the_own_group_cannot_be_seen(tmp_path):
    group(tmp_path, "2000", 500, 0)
    assert container_memory(tmp_path, member(tmp_path, "0::/not/visible")) == 1500


def test_version_1_has_a_folder_for_memory(tmp_path):
    group(tmp_path / "memory/docker/x", "800", 300, 100, version=1)
    assert container_memory(tmp_path, member(tmp_path, "4:memory:/docker/x")) == 600
    assert container_memory(tmp_path, member(tmp_path, "4:cpu,cpuacct:/docker/x")) is None


def test_no_limit_and_no_groups_are_no_bound(tmp_path):
    group(tmp_path / "a", "max", 10, 0)
    assert container_memory(tmp_path, member(tmp_path, "0::/a")) is None
    assert container_memory(tmp_path, tmp_path / "not there") is None


def test_a_container_bounds_what_the_machine_has(monkeypatch):
    machine = psutil.virtual_memory().total
    monkeypatch.setattr(module, "container_memory", lambda: 1000)
    assert available_memory(torch.device("cpu")) == 1000
    monkeypatch.setattr(module, "container_memory", lambda: None)
    assert 0 < available_memory(torch.device("cpu")) <= machine


def test_what_an_earlier_training_freed_counts_as_available(monkeypatch):
    keep_freed_memory()
    monkeypatch.setattr(module, "container_memory", lambda: None)
    blocks = [torch.ones(250_000) for _ in range(300)]  # 300 MB
    last = torch.ones(1000)  # above them on the heap
    taken = psutil.Process().memory_info().rss
    blocks.clear()
    assert psutil.Process().memory_info().rss > taken - 100e6  # kept
    available_memory(torch.device("cpu"))
    assert psutil.Process().memory_info().rss < taken - 200e6
    assert last.sum() == 1000


@pytest.mark.parametrize(("local", "share"), [(None, 250), ("2", 500)])
def test_processes_of_one_machine_share_its_memory(monkeypatch, local, share):
    monkeypatch.setattr(module, "container_memory", lambda: 1000)
    if local:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", local)
    else:
        monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert available_memory(torch.device("cpu"), processes=4) == share
