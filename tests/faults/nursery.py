"""The command line in forks of a process that has done the imports: 0.1 s a start, not 4.

It runs no tensor and starts no thread itself, so that a fork begins as a new process does. Requests
come as lines of JSON on stdin; answers go as lines to stdout. A request is a `Command`, or a shell
command, for what has to be done inside the namespace that the nursery stands in.
"""

from __future__ import annotations

import atexit
import dataclasses
import gc
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import traceback
from typing import Any, NoReturn

from tests.faults.injected import Fault, install


@dataclasses.dataclass(frozen=True)
class Command:
    """What follows `mtkd` on the command line, and the conditions it is run under.

    out, err: files that get stdout and stderr. largest_file: in bytes, for the kernel to hold.
    """

    arguments: tuple[str, ...]
    out: str
    err: str
    fault: Fault | None = None
    largest_file: int | None = None


def main() -> None:
    """Serve requests until stdin ends."""
    _import_all()
    say({"ready": os.getpid()})
    for line in sys.stdin:
        request = json.loads(line)
        if "shell" in request:
            done = subprocess.run(request["shell"], shell=True, capture_output=True, text=True)
            say({"code": done.returncode, "text": done.stdout + done.stderr})
            continue
        fault = request.pop("fault")
        command = Command(fault=Fault(**fault) if fault else None, **request)
        child = os.fork()
        if child == 0:
            _become(command)
        say({"pid": child})
        say({"code": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])})
    os._exit(0)  # what is frozen cannot be taken apart: Python's own end of a process may crash


def say(answer: dict[str, Any]) -> None:
    """Write one answer."""
    print(json.dumps(answer), flush=True)


def _become(command: Command) -> NoReturn:
    """Be `python -m mtkd` with a group of processes of its own, to the exit code."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also if the nursery ignores it
    writes = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for path, flags, number in (
        (os.devnull, os.O_RDONLY, 0), (command.out, writes, 1), (command.err, writes, 2)
    ):  # fmt: skip
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["mtkd", *command.arguments]
    if command.largest_file is not None:  # SIGXFSZ is ignored by Python, so that writes fail
        resource.setrlimit(resource.RLIMIT_FSIZE, (command.largest_file, resource.RLIM_INFINITY))
    if command.fault is not None:
        install(command.fault)
    from mtkd.cli import main as run_mtkd

    code = 0
    try:
        run_mtkd()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # taking a million objects apart, all shared with the nursery, takes a second


def _import_all() -> None:
    """Import what a run imports on its way."""
    for name in (
        "accelerate.tracking",
        "datasets",
        "evaluate",
        "mtkd.metrics.glue_metric",
        "mtkd.pipeline",
        "mtkd.stages.table",
        "pyarrow.parquet",
        "rich.table",
        "safetensors.torch",
        "scipy.stats",
        "sklearn.metrics",
        "torch._dynamo",
        "transformers.models.bert.modeling_bert",
        "transformers.models.bert.tokenization_bert",
    ):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or the first collection of a fork would copy every page of it


if __name__ == "__main__":
    main()
