"""`make bench`, or `python -m benchmarks.run`: mtkd beside its peers and the machine's limit.

Writes benchmarks/results/bench-<date>-<time>.json and .md after each benchmark. `make
bench-accuracy` (benchmarks.accuracy) asks whether speed costs accuracy.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.child import ask_once
from benchmarks.harness import RESULTS, Options
from benchmarks.results import write_section

# modules with `measure(Options) -> Section`, in this order
BENCHMARKS = ("padding", "start", "train", "soften", "distil_vs_teachers", "limit", "scale")
# measured where they are asked for, as all of them take 20 minutes
BY_NAME = ("compress", "stream")
ROWS, QUICK_ROWS = 500, 64  # of each task


def main() -> None:
    """Run the benchmarks that are asked for and write what they found."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--glue", type=Path, help="a glue_data folder; else the shipped sample")
    parser.add_argument("--only", nargs="+", choices=(*BENCHMARKS, *BY_NAME), default=BENCHMARKS)
    parser.add_argument("--rounds", type=int, help="counted rounds; else each benchmark's own")
    parser.add_argument("--quick", action="store_true", help="a few rows, one round: a trial")
    parser.add_argument("--results", type=Path, help="folder of the results")
    given = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"  # inherited by the processes that measure
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # a trial's figures mean nothing and replace no others
        results = given.results or (folder if given.quick else RESULTS)
        each = ["--each", str(QUICK_ROWS if given.quick else ROWS)]
        glue = ["--glue", str(given.glue)] if given.glue else []
        rows = ask_once("benchmarks.rows", [name, *each, *glue])
        machine = ask_once("benchmarks.start", ["machine"])
        about = {"command": command(given), **rows, **machine}
        options = Options(folder, given.rounds, given.quick)
        markdown = None
        for benchmark in given.only:
            print(f"{benchmark} ...", file=sys.stderr)
            started = time.monotonic()
            section = importlib.import_module(f"benchmarks.{benchmark}").measure(options)
            seconds = time.monotonic() - started
            markdown = write_section(results, benchmark, section, seconds, about)
        assert markdown is not None
        print(markdown.read_text("utf-8"))


def command(given: argparse.Namespace) -> str:
    """Return the command without the user's own paths."""
    words = ["python", "-m", "benchmarks.run", *(["--glue", "GLUE"] if given.glue else [])]
    if list(given.only) != list(BENCHMARKS):
        words += ["--only", *given.only]
    words += ["--rounds", str(given.rounds)] if given.rounds else []
    return shlex.join([*words, *["--quick"] * given.quick])


if __name__ == "__main__":
    main()
