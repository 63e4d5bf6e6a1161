"""Arms in processes of their own, so that the peak memory of each is its own.

The parent starts all arms of a benchmark and asks each in turn, once a round; a child answers each
line on stdin with one of JSON. What libraries print goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mtkd.errors import RunFailed


class Child:
    """A process that measures the same thing each time it is asked."""

    def __init__(self, module: str, arguments: Sequence[str]) -> None:
        self._what = f"{module} {' '.join(arguments)}"
        command = [sys.executable, "-m", module, *arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()  # ready: imports and warm-up are done, and disturb no other arm

    def __call__(self) -> Any:
        """Return what the child measures now."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise RunFailed(f"{self._what}: ended with code {code} instead of an answer; its own "
                            "message stands above")  # fmt: skip
        return json.loads(line)


@contextmanager
def children(module: str, arms: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Child]]:
    """Give one child for each arm, by name; all end with the context."""
    with ExitStack() as stack:
        found = {}
        for name, arguments in arms.items():
            found[name] = Child(module, arguments)
            stack.callback(found[name].close)
        yield found


def ask_once(module: str, arguments: Sequence[str]) -> Any:
    """Return what a child measures that is asked once."""
    with children(module, {"only": arguments}) as found:
        return found["only"]()


def serve(prepare: Callable[[], Callable[[], Any]]) -> None:
    """Be the child: prepare, say so, then measure whenever asked."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        measure = prepare()
        print(json.dumps("ready"), file=answers, flush=True)
        for _ in sys.stdin:
            print(json.dumps(measure()), file=answers, flush=True)


def serve_rounds(description: str, measured: Callable[[Path, int, bool], Any]) -> None:
    """Be a child that measures all its rounds at once: `measured(rows, rounds, quick)`.

    Args: description: of the module, whose first line is the command's.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    serve(lambda: lambda: measured(given.rows, given.rounds, given.quick))
