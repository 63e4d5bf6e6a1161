"""Work on the next item while the present one is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(make: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield make(item) for each item, the next one being made in a thread meanwhile.

    An error in `make` is raised where its result would have come.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        pending = None
        for item in items:
            following = thread.submit(make, item)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()
