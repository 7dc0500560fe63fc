"""Where items are kept: in memory, or on disk."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal, TypeAlias

from allmodes.system.memory import free_memory

Memory: TypeAlias = Literal["auto", "resident", "stream"]


SHARE = 0.5
"""Share of the free memory that data may fill before they are streamed."""


log = logging.getLogger("allmodes.data")


@dataclass(frozen=True)
class StoragePolicy:
    """Where items are kept: in memory (`resident`), where they are (`stream`), or as they fit (`auto`)."""

    memory: Memory = "auto"
    workers: int = 0
    """Processes that read items, into memory or batch by batch."""

    def streams(self, need: int, name: str) -> bool:
        """Whether items that take `need` bytes are read batch by batch; said in the log where memory decides."""
        if self.memory != "auto":
            return self.memory == "stream"
        free = free_memory()
        how = "streamed" if need > SHARE * free else "kept in memory"
        log.info("data: %s: %s of %s free: %s", name, _in_mb(need), _in_mb(free), how)
        return need > SHARE * free


def _in_mb(size: float) -> str:
    return f"{size / 2**20:,.0f} MB"
