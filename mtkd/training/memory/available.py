"""How many bytes a training may still take: of the GPU, or of the machine and its container."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from mtkd.devices import give_back_freed_memory


def available_memory(device: torch.device, processes: int = 1) -> int:
    """Return the bytes that this process may still take on `device`.

    Args: processes: of the run, which share the memory of a CPU as far as they are on one machine.
    """
    if device.type == "cuda":
        unused, _ = torch.cuda.mem_get_info(device)
        # what torch holds and does not use is ours too
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return unused + held
    import psutil

    give_back_freed_memory()  # of an earlier training in this process
    limits = [int(psutil.virtual_memory().available)]
    contained = container_memory()
    if contained is not None:
        limits.append(contained)
    return min(limits) // int(os.environ.get("LOCAL_WORLD_SIZE", processes))


def container_memory(
    root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> int | None:
    """Return the bytes left under the control group's limit; None where there is no limit.

    Every group that holds this process's group may have a limit of its own. In a container its own
    path may not be visible, and its limit stands at the root.

    Args: root, membership: where Linux has the groups' files, of version 1 or 2, and their names.
    """
    if not membership.is_file():
        return None
    left = []
    for line in membership.read_text("utf-8").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            top, names = root, ("memory.max", "memory.current", "")
        elif "memory" in controllers.split(","):
            top = root / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
        else:
            continue
        group = Path(path.lstrip("/"))
        left += [_left(top / folder, *names) for folder in (group, *group.parents)]
    return min((n for n in left if n is not None), default=None)


def _left(folder: Path, limit: str, usage: str, prefix: str) -> int | None:
    try:
        most = (folder / limit).read_text("utf-8").strip()
        used = int((folder / usage).read_text("utf-8"))
        stat = (folder / "memory.stat").read_text("utf-8")
    except OSError:  # no such group from in here, or none with a limit: the root has no files
        return None
    if most == "max":
        return None
    # files read lately are counted as used, and given up when memory is asked for
    counts = dict(line.split() for line in stat.splitlines())
    cached = sum(int(counts.get(f"{prefix}{kind}_file", 0)) for kind in ("active", "inactive"))
    return max(0, int(most) - used + cached)
