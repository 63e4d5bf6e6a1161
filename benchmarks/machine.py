"""What figures were measured on and with; clocks and peak memory that hold on a GPU too."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mtkd.artifacts import environment

_PEERS = ("textbrewer", "pyarrow")


def machine() -> dict[str, str]:
    """Return processor, cores, memory, device, load and the versions of packages."""
    import torch

    cuda = torch.cuda.is_available()
    found = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "threads": str(torch.get_num_threads()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "load of the minute before": f"{os.getloadavg()[0]:.2f}",
        **environment(),
    }
    for package in _PEERS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def clock() -> float:
    """Return the time in seconds, once the device has done what it was given."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_mb() -> float:
    """Return this process's peak memory so far, in MB: resident, or on a GPU the device's."""
    if "torch" in sys.modules:
        import torch

        if torch.cuda.is_available():
            return torch.cuda.max_memory_allocated() / 2**20
    return peak_resident_mb()


def peak_resident_mb() -> float:
    """Return the largest resident size of this process so far, in MB.

    On Linux not `ru_maxrss`, which a process inherits from the one that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
