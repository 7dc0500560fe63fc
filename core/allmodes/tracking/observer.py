"""The observer: hooks write down what happened, a thread tells the store; a store that fails costs no training."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401  (MLflow needs it, and it cannot be loaded while Python ends)
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.registry.hookspecs import hookimpl
from allmodes.system.paths import near
from allmodes.text import redact
from allmodes.tracking import events
from allmodes.tracking.address import absolute, default_store, shown
from allmodes.tracking.delivery import Delivery
from allmodes.tracking.sender import Sender
from allmodes.tracking.spool import NAME, Event

if TYPE_CHECKING:
    from allmodes.runs.run import Outcome, Run

CLOSE_WAIT = 30.0  # s that the end of an experiment waits for what is still to be sent


def is_tracked(folder: Path) -> bool:
    """Whether the run in a folder has anything for a store."""
    return (folder / NAME).exists()


class MlflowObserver:
    """Logs runs to MLflow: each hook writes a line to a file beside the run, a thread of its own sends the lines.

    No hook raises or waits for the store. What a store does not take waits in the file. Whoever runs an experiment
    calls `close()` when it is over; else that happens when Python ends. Without `sends` the lines are left for another
    process to send.
    """

    def __init__(self, store: str | None = None, warn: Callable[[str], None] | None = None, sends: bool = True) -> None:
        self.store = absolute(store or default_store())
        self._warn = warn or logging.getLogger(__name__).warning
        self._sender = Sender(self.store, self._say)
        self._sends = sends
        self._deliveries: dict[Path, Delivery] = {}
        atexit.register(self.close)

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """Open a run in MLflow, and one for the experiment if this is its first seed."""
        self._begin(run, events.started(run, self.store))

    @hookimpl
    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        """Note numbers; of a run that ended before, as an addition to it."""
        event = events.metrics(iteration, metrics)
        if run.folder in self._deliveries:
            self._note(run, event)
        elif is_tracked(run.folder):
            self._begin(run, event | {"again": True})

    @hookimpl
    def allmodes_samples_drawn(self, run: Run, iteration: int, figure: Path) -> None:
        """Note that a picture is there; it is read when it is sent."""
        self._note(run, events.figure(run, iteration, figure))

    @hookimpl
    def allmodes_run_finished(self, run: Run, outcome: Outcome) -> None:
        """End the run in MLflow with its true status."""
        self._note(run, events.ended(run, outcome))
        delivery = self._deliveries.pop(run.folder, None)
        if delivery and not self._sends:
            delivery.spool.close()  # whoever sends it will want to hold it

    def close(self, timeout: float = CLOSE_WAIT) -> None:
        """Send what is still waiting, for at most `timeout` seconds, and say what is left."""
        if left := self._sender.stop(timeout):
            folder = near(Path(os.path.commonpath([delivery.folder for delivery in left])))
            number = sum(delivery.spool.count() for delivery in left)
            wait = f"{number} event{'s wait' if number > 1 else ' waits'} in {folder}"
            self._say(f"{wait}; `allmodes sync {folder}` sends them to {shown(self.store)} when it answers.")
        self._sender.close()
        self._deliveries.clear()

    def _begin(self, run: Run, event: Event) -> None:
        delivery = self._deliveries[run.folder] = Delivery(run.folder, self.store, self._say)
        delivery.spool.append(event)  # before the sender sees it: what has nothing to send is let go of
        if self._sends:
            self._sender.add(delivery)

    def _note(self, run: Run, event: Event) -> None:
        if delivery := self._deliveries.get(run.folder):
            delivery.spool.append(event)

    def _say(self, message: str) -> None:
        self._warn(redact.text(f"MLflow: {message}"))
