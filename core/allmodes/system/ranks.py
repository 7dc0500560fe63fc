"""The processes that torchrun starts to train one run together, as the environment tells each of them. No torch."""

from __future__ import annotations

import os
from dataclasses import dataclass

from allmodes.system.variables import VariableError, seconds_of

NEEDED = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
PATIENCE = "ALLMODES_RANK_TIMEOUT"
"""The environment's seconds for which processes wait for one that neither answers nor ends."""
LONGEST = 1800.0


@dataclass(frozen=True)
class Rank:
    """One of several processes that train one run.

    Attributes:
        number: From 0; that one measures, logs and saves.
        processes: How many there are.
        local: Its number on this host.
    """

    number: int
    processes: int
    local: int = 0

    @property
    def leads(self) -> bool:
        """Whether it measures, logs and saves."""
        return self.number == 0


def find_rank() -> Rank | None:
    """Which process this is of those that train one run; None where it trains alone.

    Raises VariableError where the environment names several processes, but not all that they need.
    """
    processes = _number("WORLD_SIZE", 1)
    if processes <= 1:
        return None
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        problem = f"WORLD_SIZE={processes}, but {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"
        raise VariableError(f"{problem}: start the processes of a run with torchrun, or unset WORLD_SIZE")
    return Rank(_number("RANK"), processes, _number("LOCAL_RANK"))


def patience() -> float:
    """Seconds to wait for a process that does not answer. Raises VariableError where they are no positive number."""
    return seconds_of(PATIENCE, LONGEST)


def _number(name: str, default: int = 0) -> int:
    given = os.environ.get(name) or str(default)
    if not given.isdecimal():
        raise VariableError(f"{name}={given}: it is a number, which torchrun sets: start the processes with torchrun")
    return int(given)
