"""Write the sample: ``python -m mtkd.data.generate --to DIR [--seed N]``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .formats import file_name, file_text
from .sample import SEED, TASKS, draw


def write(to: Path, seed: int = SEED) -> None:
    """Write all files of the sample under ``to``; the same seed writes the same bytes."""
    for task in TASKS:
        for split, rows in draw(task, seed):
            path = to / file_name(task.folder, split)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file_text(task.folder, split, rows).encode())


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Write the sample data in GLUE's file formats.")
    parser.add_argument("--to", type=Path, required=True, help="folder to write into")
    parser.add_argument("--seed", type=int, default=SEED, help="default: %(default)s")
    arguments = parser.parse_args()
    write(arguments.to, arguments.seed)


if __name__ == "__main__":
    main()
