"""The observer: hooks note what happened, a thread tells the store, a store that fails costs one warning."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401  (MLflow needs it, and it cannot be loaded while Python ends)
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.hookspecs import hookimpl
from allmodes.tracking.address import ENVIRONMENT, default_store, shown
from allmodes.tracking.writer import Writer

if TYPE_CHECKING:
    from allmodes.run import Outcome, Run
    from allmodes.tracking.store import Store

CLOSE_WAIT = 30.0  # s that the end of an experiment waits for what is still to be sent


@dataclass(frozen=True)
class Event:
    """Something that a run did, how to tell the store, and the time in ms since 1970."""

    run: Run
    what: str
    tell: Callable[[Store, int], None]
    timestamp: int = field(default_factory=lambda: time.time_ns() // 1_000_000)


class MlflowObserver:
    """Logs runs to MLflow from a thread of its own.

    No hook raises or waits for the store. A store that cannot be used is reported once through `warn`, and from then on
    nothing is sent. Whoever runs an experiment calls `close()` when it is over; else that happens when Python ends.
    """

    def __init__(self, store: str | None = None, warn: Callable[[str], None] | None = None) -> None:
        self.store = store or default_store()
        self._warn = warn or logging.getLogger(__name__).warning
        self._writer = Writer(self._send)
        self._opened: Store | None = None
        self._failed = self._skipped = False
        atexit.register(self.close)

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """Open a run in MLflow, and one for the experiment if this is its first seed."""
        self._put(Event(run, "start a run", lambda store, now: store.start(run, now)))

    @hookimpl
    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        """Note the numbers for the next batch."""
        copy = dict(metrics)
        self._put(Event(run, "write metrics", lambda store, now: store.log(run, iteration, copy, now)))

    @hookimpl
    def allmodes_samples_drawn(self, run: Run, iteration: int, figure: Path) -> None:
        """Read the picture, since the file may be replaced before it is sent; one that is damaged is left out."""
        from PIL import Image

        try:
            with Image.open(figure) as file:
                image = file.convert("RGBA")
        except Exception:  # damaged files raise many kinds
            self._skip(figure)
        else:
            self._put(Event(run, "write a figure", lambda store, now: store.draw(run, iteration, image, now)))

    @hookimpl
    def allmodes_run_finished(self, run: Run, outcome: Outcome) -> None:
        """End the run in MLflow with its true status."""
        self._put(_flush(run))
        self._put(Event(run, "end a run", lambda store, now: store.end(run, outcome, now)))

    def close(self, timeout: float = CLOSE_WAIT) -> None:
        """Send what is still waiting, for at most `timeout` seconds."""
        if not self._writer.stop(timeout):
            self._fail(f"{shown(self.store)} did not take everything within {timeout:g} s; the rest is lost.")

    def _put(self, event: Event) -> None:
        if not self._failed:
            self._writer.put(event)

    def _send(self, events: Sequence[Event]) -> None:
        """Tell the store what happened, in order, until it fails; on the writer's thread."""
        for event in (*events, _flush(events[-1].run)):
            if self._failed:
                return
            try:
                self._opened = self._opened or open_store(self.store)
                event.tell(self._opened, event.timestamp)
            except Exception as error:  # whatever the store does, training must not notice
                self._fail(_complaint(event, self.store, error))

    def _fail(self, message: str) -> None:
        if not self._failed:
            self._failed = True
            self._warn(f"MLflow: {message}")

    def _skip(self, figure: Path) -> None:
        if not self._skipped:
            self._skipped = True
            self._warn(f"MLflow: {figure} is left out, since it cannot be read as a PNG. The rest is tracked.")


def _flush(run: Run) -> Event:
    return Event(run, "write metrics", lambda store, _: store.flush())


def open_store(address: str) -> Store:
    """Connect to a store; the first to import MLflow, in the environment that it should find."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from allmodes.tracking.store import Store

    return Store(address)


def _complaint(event: Event, store: str, error: Exception) -> str:
    return (
        f"could not {event.what} in {shown(store)} ({shown(_reason(error))}). "
        f"The run goes on without tracking; its numbers are in {event.run.folder / 'metrics.jsonl'}. "
        "Check that the store can be reached and written, choose another with MLFLOW_TRACKING_URI, "
        "or pass --no-tracking."
    )


def _reason(error: BaseException) -> str:
    """The innermost answer of the operating system if there is one, else the error's first line."""
    answer, link = "", error
    while link is not None:
        answer = link.strerror if isinstance(link, OSError) and link.strerror else answer
        link = link.__cause__ or link.__context__  # type: ignore[assignment]
    return answer or next(iter(str(error).splitlines()), "")[:300] or type(error).__name__
