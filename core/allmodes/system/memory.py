"""Memory that is free."""

from __future__ import annotations

from pathlib import Path

import psutil

_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


def free_memory() -> int:
    """Bytes that are free on this machine, or to this container where it may take less."""
    free: int = psutil.virtual_memory().available
    for limit, used in _LIMITS:
        try:
            numbers = [int((Path("/sys/fs/cgroup") / name).read_text()) for name in (limit, used)]
        except (OSError, ValueError):  # no such file, or no limit: "max"
            continue
        free = min(free, numbers[0] - numbers[1])
    return max(free, 0)
