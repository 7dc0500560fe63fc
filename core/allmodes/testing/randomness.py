"""A check that code leaves the global random generators alone.

It compares the states of the global generators before and after, since it cannot look into a plugin's code.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def own_randomness(who: str, instead: str = "ask for it by name, as in noise.normal('eps', n, 2)") -> Iterator[None]:
    """Fail if the block draws from a global generator, or seeds it."""
    before = _states()
    yield
    used = [name for name, state in _states().items() if state != before[name]]
    assert not used, f"{who} takes randomness from the global generator of {' and '.join(used)}: {instead}"


def _states() -> dict[str, object]:
    numpy = np.random.get_state(legacy=False)["state"]
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": (numpy["key"].tobytes(), numpy["pos"]),
        "Python": random.getstate(),
    }
