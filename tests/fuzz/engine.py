"""The loop: an input, what the reader makes of it, and whether it reached new lines of code."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import mtkd
from mtkd.errors import CardError, RecipeError, UserError
from tests.fuzz.mutate import mutated
from tests.fuzz.readers import Reader

SLOW = 5.0  # seconds of the processor for one input: others may be at work
_LONGEST_LINE = 2000  # characters of a message's line; a card's or recipe's faults have one each
_OURS = str(Path(mtkd.__file__).parent)


@dataclasses.dataclass(frozen=True)
class Crash:
    """An input that ended in something else than a result or an error of the user's."""

    content: bytes
    kind: str  # the error and where it was raised: one crash of a kind is enough


@dataclasses.dataclass
class Result:
    """What a run found; accepted: inputs that were read, of those tried."""

    tried: int = 0
    accepted: int = 0
    crashes: list[Crash] = dataclasses.field(default_factory=list)


class _TooSlowError(BaseException):
    """No Exception, so that no reader takes it for a fault of its input."""


class Session:
    """One reader, opened in a folder."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        self.folder = folder
        self.path = folder / reader.file
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.use = reader.open(folder)

    def outcome(self, content: bytes) -> tuple[bool, str]:
        """Return whether the input was accepted, and what kind of crash it was ("": none)."""
        self.path.write_bytes(content)
        try:
            with _time_limit():
                self.use(self.path)
        except UserError as error:
            return False, _message_fault(error, str(self.folder))
        except (Exception, _TooSlowError) as error:
            return False, f"{type(error).__name__} {_place(error)}"
        return True, ""


def fuzz(
    reader: Reader,
    folder: Path,
    seed: int,
    *,
    seconds: float = float("inf"),
    inputs: int = sys.maxsize,
    guided: bool = False,
    found: Callable[[Crash], object] = lambda crash: None,
    tick: Callable[[Result], object] = lambda result: None,
) -> Result:
    """Give a reader inputs until the time or their number is up.

    Args: guided: whether inputs that reach new lines of mtkd are built upon; slower, and not the
        same from one machine to the next. found: told of each new kind of crash. tick: told now and
        then how far it is.
    """
    rng = random.Random(seed)
    session = Session(reader, folder)
    seeds = list(reader.seeds(folder))
    corpus = list(seeds)
    result, kinds, lines = Result(), set(), set()
    end = time.monotonic() + seconds
    while result.tried < inputs and time.monotonic() < end:
        number = result.tried
        content = seeds[number] if number < len(seeds) else mutated(
            rng, rng.choice(corpus), corpus, reader.tokens)  # fmt: skip
        before = len(lines)
        with _watched(lines) if guided else contextlib.nullcontext():
            accepted, kind = session.outcome(content)
        result.tried += 1
        result.accepted += accepted
        if len(lines) > before and number >= len(seeds):
            corpus.append(content)
        if kind and kind not in kinds:
            kinds.add(kind)
            crash = Crash(_shrunk(session, content, kind, end), kind)
            result.crashes.append(crash)
            found(crash)
        if number % 50 == 0:
            tick(result)
    return result


def _shrunk(session: Session, content: bytes, kind: str, end: float) -> bytes:
    """Return a shorter input that crashes alike: pieces are left out while that lasts."""
    if kind.startswith("_TooSlow"):
        return content
    size = len(content) // 2
    while size and time.monotonic() < end:
        start = 0
        while start < len(content) and time.monotonic() < end:
            shorter = content[:start] + content[start + size :]
            if session.outcome(shorter)[1] == kind:
                content = shorter
            else:
                start += size
        size //= 2
    return content


def _message_fault(error: UserError, folder: str) -> str:
    """Return how an error breaks what is promised of errors: one short line that names the file."""
    message = str(error)
    kind = f"{type(error).__name__} {_place(error)}"
    if max(map(len, message.split("\n"))) > _LONGEST_LINE:
        return f"a message without end: {kind}"
    if "\n" in message and not isinstance(error, CardError | RecipeError):
        return f"a message of several lines: {kind}"
    return "" if folder in message else f"a message that names no file: {kind}"


def _place(error: BaseException) -> str:
    """Return the last of mtkd's lines that an error went through."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(_OURS):
            place = f"{Path(code.co_filename).relative_to(_OURS)}:{code.co_name}"
        trace = trace.tb_next
    return place


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    def stop(signum: int, frame: FrameType | None) -> None:
        raise _TooSlowError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SLOW)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def _watched(lines: set[tuple[Any, int]]) -> Iterator[None]:
    """Note which of mtkd's lines are run."""

    def line(frame: FrameType, event: str, _: object) -> Any:
        lines.add((frame.f_code, frame.f_lineno))
        return line

    def call(frame: FrameType, event: str, _: object) -> Any:
        return line if frame.f_code.co_filename.startswith(_OURS) else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(before)
