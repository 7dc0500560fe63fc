"""Where items are kept: in memory, where they are, or in a copy on disk."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from allmodes.system.memory import free_memory

Memory: TypeAlias = Literal["auto", "resident", "stream"]

SHARE = 0.5
"""Share of the free memory that data may fill before they are streamed."""

log = logging.getLogger("allmodes.data")


@dataclass(frozen=True)
class StoragePolicy:
    """Where items are kept.

    Attributes:
        memory: In memory (`resident`), where they are (`stream`), or as they fit (`auto`).
        workers: Processes that read items, into memory or batch by batch.
    """

    memory: Memory = "auto"
    workers: int = 0

    def keeps_on_disk(self, need: int, name: str) -> bool:
        """Whether items that take `need` bytes are read batch by batch; where free memory decides, it is logged."""
        if self.memory != "auto":
            return self.memory == "stream"
        free = free_memory()
        how = "streamed" if need > SHARE * free else "kept in memory"
        log.info("data: %s: %s of %s free: %s", name, _in_mb(need), _in_mb(free), how)
        return need > SHARE * free


class ScratchFolder:
    """A temporary folder (within TMPDIR), removed with this object or at the end of the process that made it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="allmodes-"))
        weakref.finalize(self, _remove, self.path, os.getpid())


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked worker must not take its parent's files away
        shutil.rmtree(folder, ignore_errors=True)


def _in_mb(size: float) -> str:
    return f"{size / 2**20:,.0f} MB"
