"""mtkd as a process that can be killed: started anew each time, or forked from a nursery."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.faults.injected import Fault
from tests.faults.nursery import Command

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "PYTHONFAULTHANDLER": "1",
}
_PATIENCE = 300.0  # seconds, after which a child is taken to hang
_REPOSITORY = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a command ended. code: of the exit; minus the signal's number where one ended it."""

    code: int
    out: str
    err: str


class Child(Protocol):
    """A command that runs."""

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to its whole group of processes."""


class Launcher(Protocol):
    """Starts commands. `err` is where the last one's stderr goes."""

    err: Path

    def start(self, arguments: Sequence[str]) -> Child:
        """Start `mtkd` with some arguments."""


class NewProcesses:
    """Starts `python -m mtkd` as a user does."""

    def __init__(self, folder: Path) -> None:
        self.out, self.err = folder / "stdout.txt", folder / "stderr.txt"

    def start(self, arguments: Sequence[str]) -> _NewProcess:
        """Start `python -m mtkd` with some arguments."""
        with self.out.open("wb") as out, self.err.open("wb") as err:
            return _NewProcess(subprocess.Popen(
                [sys.executable, "-m", "mtkd", *arguments], stdin=subprocess.DEVNULL, stdout=out,
                stderr=err, env=os.environ | ENVIRONMENT, cwd=_REPOSITORY, start_new_session=True,
                preexec_fn=_heed_interrupts,
            ))  # fmt: skip


def _heed_interrupts() -> None:
    """Undo what a shell does to its background processes, whose children ignore SIGINT too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclasses.dataclass
class _NewProcess:
    process: subprocess.Popen[bytes]

    def poll(self) -> int | None:
        return self.process.poll()

    def kill(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class Nursery:
    """Forks commands from a process that has done the imports; see `tests.faults.nursery`.

    before: a command line that the nursery is started by, such as `unshare`.
    """

    def __init__(self, folder: Path, before: Sequence[str] = ()) -> None:
        self.out, self.err = folder / "stdout.txt", folder / "stderr.txt"
        self._process = subprocess.Popen(
            [*before, sys.executable, "-m", "tests.faults.nursery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=_REPOSITORY,
            env=os.environ | ENVIRONMENT,
        )  # fmt: skip
        self.pid = self._answer()["ready"]

    def close(self) -> None:
        """End the nursery."""
        self._process.communicate()

    def start(
        self,
        arguments: Sequence[str],
        fault: Fault | None = None,
        largest_file: int | None = None,
    ) -> _Fork:
        """Start `mtkd` with some arguments, in a fork."""
        command = Command(tuple(arguments), str(self.out), str(self.err), fault, largest_file)
        self._ask(dataclasses.asdict(command))
        return _Fork(self, self._answer()["pid"])

    def run(self, *arguments: str, fault: Fault | None = None, largest_file: int | None = None
            ) -> Outcome:  # fmt: skip
        """Run `mtkd` with some arguments to its end."""
        self.start(arguments, fault, largest_file)
        code = self._answer()["code"]
        return Outcome(code, self.out.read_text("utf-8"), self.err.read_text("utf-8"))

    def shell(self, command: str) -> str:
        """Run a shell command where the nursery stands, which has to succeed."""
        self._ask({"shell": command})
        answer = self._answer()
        assert answer["code"] == 0, f"{command}: {answer['text']}"
        return answer["text"]

    def ended(self) -> int | None:
        """Return the exit code of the fork that was started last, once; None while it runs."""
        assert self._process.stdout is not None
        if select.select([self._process.stdout], [], [], 0)[0]:
            return self._answer()["code"]
        return None

    def _ask(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@dataclasses.dataclass
class _Fork:
    nursery: Nursery
    pid: int
    code: int | None = None

    def poll(self) -> int | None:
        if self.code is None:
            self.code = self.nursery.ended()
        return self.code

    def kill(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def wait(child: Child) -> int:
    """Return a child's exit code, once it has ended."""
    until = time.monotonic() + _PATIENCE
    while (code := child.poll()) is None:
        if time.monotonic() > until:
            child.kill(signal.SIGABRT)  # the fault handler writes where each thread stands
            raise TimeoutError(f"a run has not ended in {_PATIENCE:.0f} s")
        time.sleep(0.005)
    return code
