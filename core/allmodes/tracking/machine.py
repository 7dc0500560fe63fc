"""The load of the machine while a run trains, by the names that MLflow's page of system metrics knows."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

SWITCH, INTERVAL = "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"
SECONDS = 10.0  # between samples, as MLflow has it
MEGABYTE = 1e6


def is_asked() -> bool:
    """Whether the environment, or `mlflow.enable_system_metrics_logging()`, which sets it, asks for the load."""
    return os.environ.get(SWITCH, "").lower() in ("true", "1")


def ask() -> None:
    """Ask for the load of runs of this process and of those that it starts."""
    os.environ[SWITCH] = "true"


class Machine:
    """Samples the load for runs, of each at most every ten seconds: of the processor, the mean since the last time."""

    def __init__(self) -> None:
        self._last: dict[Path, float] = {}
        self._seconds = _seconds()

    def due(self, run: Path) -> bool:
        """Whether the load is to be noted for a run now."""
        now = time.monotonic()
        if not is_asked() or now - self._last.get(run, -self._seconds) < self._seconds:
            return False
        self._last[run] = now
        return True

    def load(self) -> dict[str, float]:
        """The load: percentages and megabytes, of the machine, of this process, and of GPUs in use."""
        memory, own = psutil.virtual_memory(), psutil.Process().memory_info().rss
        found = {
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "system_memory_usage_megabytes": memory.used / MEGABYTE,
            "system_memory_usage_percentage": memory.percent,
            "process_memory_usage_megabytes": own / MEGABYTE,
            **dict(_gpus()),
        }
        return {f"system/{name}": round(value, 1) for name, value in found.items()}


def _gpus() -> Iterator[tuple[str, float]]:
    """The memory of the GPUs that this process may use; nothing where it uses none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return
    for number in range(torch.cuda.device_count()):
        free, whole = torch.cuda.mem_get_info(number)
        yield f"gpu_{number}_memory_usage_megabytes", (whole - free) / MEGABYTE
        yield f"gpu_{number}_memory_usage_percentage", 100 * (whole - free) / whole


def _seconds() -> float:
    try:
        return max(0.0, float(os.environ.get(INTERVAL) or SECONDS))
    except ValueError:
        return SECONDS
