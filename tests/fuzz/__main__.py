"""python -m tests.fuzz [--seconds 600] [--seed 0] [--jobs 2] [READER ...]

Each reader runs in a process of its own, with 1 GiB of address space beyond what it has loaded; as
many at once as there are cores. Crashes are kept under tests/fuzz/crashes/READER/, where the tests
find them. Ends with 1 if any.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.engine import SLOW, Crash, Result, Session, fuzz
from tests.fuzz.readers import READERS

CRASHES = Path(__file__).parent / "crashes"
_MEMORY = 2**30  # bytes for one input
_GRACE = 30.0  # seconds to start and stop in, and for what no signal ends


def main() -> int:
    """Fuzz the readers named, or all, and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    parser.add_argument("--seconds", type=float, default=60.0, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="readers at once")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if unknown := [name for name in given.readers if name not in READERS]:
        parser.error(f"no such reader: {', '.join(unknown)}; there are {', '.join(READERS)}")
    if given.child is not None:
        _child(given.readers[0], given.child, given.seconds, given.seed)
        return 0
    crashes = 0
    print(f"{'reader':<18} {'inputs':>9} {'a second':>9} {'accepted':>9} {'crashes':>8}")
    names = given.readers or list(READERS)
    with ThreadPoolExecutor(given.jobs) as pool:
        results = pool.map(lambda name: _watch(name, given.seconds, given.seed), names)
        for name, (tried, accepted, seconds, found) in zip(names, results, strict=True):
            crashes += len(found)
            print(f"{name:<18} {tried:>9,} {tried / max(seconds, 1):>9,.0f} "
                  f"{accepted / max(tried, 1):>9.1%} {len(found):>8}", flush=True)  # fmt: skip
            for kind in found:
                print(f"  {kind}", flush=True)
    return 1 if crashes else 0


def _watch(name: str, seconds: float, seed: int) -> tuple[int, int, float, list[str]]:
    """Run a reader in processes, a new one where one dies, until the time is up."""
    start = time.monotonic()
    tried = accepted = 0
    found: list[str] = []
    while (left := seconds - (time.monotonic() - start)) > 0:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            command = [sys.executable, "-m", "tests.fuzz", name, "--child", temporary,
                       "--seconds", str(left), "--seed", str(seed)]  # fmt: skip
            env = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"}
            process = subprocess.Popen(command, env=env)
            died = _wait(process, folder / "progress.json", left)
            state = json.loads((folder / "progress.json").read_text())
            tried, accepted = tried + state["tried"], accepted + state["accepted"]
            found += state["kinds"]
            if died:  # on the input that it left behind
                content = (folder / READERS[name].file).read_bytes()
                _keep(name, content)
                found.append(f"the process ended: {died}")
        seed += 1
    return tried, accepted, time.monotonic() - start, found


def _wait(process: subprocess.Popen[bytes], progress: Path, seconds: float) -> str:
    """Return why a process ended before its time; "": it did not."""
    try:
        code = process.wait(seconds + _GRACE + 2 * SLOW)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return "it hung"
    if code == 0:
        return ""
    if not progress.exists():
        raise SystemExit(f"the reader's process could not start (exit {code})")
    return f"exit {code}"


def _child(name: str, folder: Path, seconds: float, seed: int) -> None:
    logging.disable()  # of what is dropped and doubted, a line an input
    reader = READERS[name]
    kinds: list[str] = []

    def tick(result: Result) -> None:
        content = {"tried": result.tried, "accepted": result.accepted, "kinds": kinds}
        (folder / "progress.new").write_text(json.dumps(content))
        (folder / "progress.new").replace(folder / "progress.json")

    def found(crash: Crash) -> None:
        kinds.append(f"{crash.kind}: {_keep(name, crash.content)}")

    session = Session(reader, folder)
    for content in reader.seeds(folder):  # what has to be imported is, before memory is counted
        session.outcome(content)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY, size + _MEMORY))
    tick(fuzz(reader, folder, seed, seconds=seconds, guided=True, found=found, tick=tick))


def _keep(name: str, content: bytes) -> Path:
    path = CRASHES / name / hashlib.sha256(content).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


if __name__ == "__main__":
    sys.exit(main())
