"""The observer that logs runs to MLflow: a thread sends their logs, and a store that fails costs no training."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401  (MLflow needs it, and it cannot be loaded while Python ends)
import logging
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.registry.hookspecs import hookimpl
from allmodes.system.paths import near
from allmodes.tracking import events, reading, surroundings
from allmodes.tracking.address import absolute, default_store, without_secrets
from allmodes.tracking.delivery import Delivery
from allmodes.tracking.machine import Machine
from allmodes.tracking.sender import Sender, add_prefix

if TYPE_CHECKING:
    from allmodes.runs.run import Run

CLOSE_WAIT = 30.0  # s that the end of an experiment waits for what is still to be sent


class MlflowObserver:
    """Logs runs to MLflow: a thread sends what training writes to the runs' logs.

    No hook raises or waits for the store. What a store does not take is sent later. Whoever runs an experiment calls
    `close()` when it is over; else that happens when Python ends. Without `sends`, another process sends the logs.
    """

    def __init__(self, store: str | None = None, warn: Callable[[str], None] | None = None, sends: bool = True) -> None:
        self.store = absolute(store or default_store())
        self._warn = add_prefix(warn or logging.getLogger(__name__).warning)
        self._sender = Sender(self.store, self._warn)
        self._sends = sends
        self._deliveries: dict[Path, Delivery] = {}
        self._machine = Machine()
        atexit.register(self.close)

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """Begin to send a run, whose description is added to its log."""
        delivery = self._deliver(run)
        delivery.log.add("mlflow", **events.describe(run, self.store, self._surroundings, surroundings.outer_run()))
        self._add(delivery)

    @cached_property
    def _surroundings(self) -> dict[str, str]:
        return surroundings.tags()

    @hookimpl
    def allmodes_metrics_logged(self, run: Run, iteration: int) -> None:
        """Begin to send what was added to a run that ended before; of one that trains, note the machine's load."""
        if run.folder not in self._deliveries:
            if reading.is_tracked(run.folder):
                self._add(self._deliver(run))
        elif run.journal is not None and self._machine.due(run.folder):
            run.journal.write(iteration, self._machine.load())

    @hookimpl
    def allmodes_run_finished(self, run: Run) -> None:
        """Without `sends`, let another process send the run."""
        delivery = self._deliveries.pop(run.folder, None)
        if delivery and not self._sends:
            delivery.close()

    def close(self, timeout: float = CLOSE_WAIT) -> None:
        """Send what is still waiting, for at most `timeout` seconds, and warn of what is left."""
        if left := self._sender.stop(timeout):
            folder = near(Path(os.path.commonpath([delivery.folder for delivery in left])))
            number = sum(delivery.left() for delivery in left)
            wait = f"{number} event{'s wait' if number > 1 else ' waits'} in {folder}"
            self._warn(f"{wait}; `allmodes sync {folder}` sends them to {without_secrets(self.store)} when it answers.")
        self._sender.close()
        self._deliveries.clear()

    def _deliver(self, run: Run) -> Delivery:
        delivery = self._deliveries[run.folder] = Delivery(run.folder, self.store, self._warn, run.journal)
        return delivery

    def _add(self, delivery: Delivery) -> None:
        if self._sends:
            self._sender.add(delivery)
