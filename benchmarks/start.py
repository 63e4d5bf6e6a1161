"""`start`: how long `mtkd --help` and `mtkd status` take, as whole processes.

`mtkd status` is asked of a finished run of the paper's size (ten tasks and AX, twelve teachers),
which is made up: every artefact has its manifest, its inputs and its files' hashes, but the files
are short.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.child import serve
from benchmarks.harness import Figures, Options, Section, Spread, Table, Target, take_in_turn

ROUNDS = 5
SECONDS = 1.0
# what stands in the folder of a trained model, about the most that an artefact has
FILES = ("config.json", "heads.json", "heads.safetensors", "metrics.json", "model.safetensors",
         "tokenizer.json", "tokenizer_config.json", "vocab.txt")  # fmt: skip


def measure(options: Options) -> Section:
    """Ask for help, and for the status of a run, a few times."""
    rounds = options.rounds_or(ROUNDS)
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "benchmarks.start", "paper", name]
        artefacts = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        status = ("status", str(Path(name) / "run"))
        arms: dict[str, Callable[[], Figures]] = {
            "mtkd --help": partial(seconds_of, "--help"),
            "mtkd status": partial(seconds_of, *status),
        }
        first = seconds_of(*status)["seconds"]  # reads every file and remembers its hash
        found = take_in_turn(arms, rounds, uncounted=1)
    spreads = {arm: Spread.of(figures["seconds"]) for arm, figures in found.items()}
    rows = [(arm, spread.cell()) for arm, spread in spreads.items()]
    rows.append(("mtkd status, the first time", f"{first:.2f}"))
    return Section(
        title="start: the command line",
        note=f"Seconds as a whole process. `mtkd status` is of a finished run of the paper's size: "
        f"{artefacts} artefacts.",
        tables=(Table(("command", "seconds"), tuple(rows)),),
        targets=tuple(
            Target(arm, spread.median, SECONDS, at_least=False, unit="s")
            for arm, spread in spreads.items()
        ),
        data={**found, "first status": first, "artefacts": artefacts},
    )


def seconds_of(*arguments: str) -> dict[str, float]:
    """Return the seconds of one process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mtkd", *arguments], capture_output=True, check=True)
    return {"seconds": time.perf_counter() - started}


def make_up_paper(folder: Path) -> int:
    """Make up a finished run of `glue_kd` on the sample's rows; return its number of artefacts."""
    from mtkd.encoders import encoder_folder
    from tests.pipeline.made_up import make_up

    source = encoder_folder("bundled:all-MiniLM-L6-v2")
    for name in ("uncased", "cased"):
        shutil.copytree(source, folder / name)
    encoders = ["uncased"] * 3 + ["cased"] * 3
    overrides = ["data.source=sample", f"student.encoder={folder / 'uncased'}"]
    overrides += [f"teachers.candidates.{number}.encoder={folder / name}"
                  for number, name in enumerate(encoders)]  # fmt: skip
    return len(make_up("glue_kd", overrides, folder / "run", FILES).units)


def main() -> None:
    """Be a child: one that says what the machine is (the parent imports no torch), or `paper`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("what", choices=["machine", "paper"])
    parser.add_argument("folder", nargs="?", type=Path)
    given = parser.parse_args()
    if given.what == "paper":
        print(make_up_paper(given.folder))
        return
    from benchmarks.machine import machine

    serve(lambda: machine)


if __name__ == "__main__":
    main()
