"""`start`: how long `mtkd --help` takes, as a whole process."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from benchmarks.child import serve
from benchmarks.harness import Options, Section, Spread, Table, Target, take_in_turn

ROUNDS = 5
SECONDS = 1.0


def measure(options: Options) -> Section:
    """Run `mtkd --help` a few times."""
    rounds = options.rounds_or(ROUNDS)
    found = take_in_turn({"mtkd --help": show_help}, rounds, uncounted=1)
    spread = Spread.of(found["mtkd --help"]["seconds"])
    return Section(
        title="start: the command line",
        note="Seconds of `mtkd --help` as a whole process.",
        tables=(Table(("command", "seconds"), (("mtkd --help", spread.cell()),)),),
        targets=(Target("mtkd --help", spread.median, SECONDS, at_least=False, unit="s"),),
        data=found,
    )


def show_help() -> dict[str, float]:
    """Return the seconds of one process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mtkd", "--help"], capture_output=True, check=True)
    return {"seconds": time.perf_counter() - started}


def main() -> None:
    """Be the child that says what the machine is; the parent imports no torch."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("what", choices=["machine"])
    parser.parse_args()
    from benchmarks.machine import machine

    serve(lambda: machine)


if __name__ == "__main__":
    main()
