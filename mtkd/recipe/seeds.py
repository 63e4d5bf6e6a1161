"""One seed in the recipe, and from it one for each thing that draws random numbers."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *names: str | int) -> int:
    """Return a seed in [0, 2**63) that depends on `seed` and on every name, and on nothing else.

    So the teacher `cased-0.1` for `rte` starts from the same numbers whatever other candidates
    and tasks the recipe lists, and in whichever order.
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
