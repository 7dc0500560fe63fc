"""The thread that sends the logs of runs to the store, and tries again while the store does not answer."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from allmodes.system.paths import near
from allmodes.text import redact
from allmodes.tracking.address import ENVIRONMENT, without_secrets
from allmodes.tracking.delivery import Delivery, is_refusal

if TYPE_CHECKING:
    from allmodes.tracking.store import Store

PERIOD = 2.0  # s between batches: rare enough to cost nothing, often enough to watch a run
ATTEMPTS = 3  # failures in a row after which the end of an experiment waits no longer
LETTERS = 200
"""Letters of a store's message that are shown."""
FOLDER_STORE = "filesystem tracking backend"
"""What MLflow says of a folder that it does not write to any more."""
LONGEST = 60.0  # s between attempts while the store does not answer


class Sender:
    """Sends deliveries every `PERIOD` seconds, from a thread that runs from `start` to `stop`.

    It warns once when the store fails, and once more when the store works again.
    """

    def __init__(self, address: str, warn: Callable[[str], None]) -> None:
        self._address, self._warn = address, warn
        self._deliveries: list[Delivery] = []
        self._all: list[Delivery] = []
        self._store: Store | None = None
        self._failures = self._late = 0
        self._until: float | None = None
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, delivery: Delivery) -> None:
        """Begin to send the log of a run."""
        self._deliveries.append(delivery)
        self._all.append(delivery)
        self.start()

    def start(self) -> None:
        """Open the store, although there may be nothing to send yet: creating a database takes seconds."""
        if self._thread is None:
            self._until = None
            self._wake.clear()
            self._thread = threading.Thread(target=self._run, name="allmodes-tracking", daemon=True)
            self._thread.start()

    def stop(self, timeout: float) -> list[Delivery]:
        """Send what waits, for at most `timeout` seconds, and end the thread; returns those with something left.

        A store that failed `ATTEMPTS` times is tried at most once more.
        """
        thread, self._thread = self._thread, None
        self._until = time.monotonic() + timeout
        self._wake.set()
        if thread is not None:
            thread.join(timeout)
        return [delivery for delivery in self._all if delivery.left()]

    def close(self) -> None:
        """Let other processes send the runs."""
        for delivery in self._all:
            delivery.close()
        self._deliveries, self._all = [], []

    def _run(self) -> None:
        while True:
            last = self._until is not None  # asked before sending: what came before the stop is sent
            try:
                self._send_all()
            except Exception as error:  # whatever the store does, training must not notice
                self._report_failure(error)
                if self._until is not None and (self._failures >= ATTEMPTS or time.monotonic() >= self._until):
                    return
            else:
                self._report_answer()
                if last:
                    return
            self._wait()

    def _wait(self) -> None:
        """Wait for the next attempt or for `stop()`; while stopping, wait only after a failure."""
        self._wake.wait(min(LONGEST, PERIOD * 2 ** min(self._failures, 5)))
        if self._until is not None and self._failures:
            time.sleep(PERIOD)

    def _send_all(self) -> None:
        self._store = self._store or open_store(self._address, self._warn)
        for delivery in list(self._deliveries):
            try:
                for number in delivery.send(self._store):
                    self._late += number if self._failures else 0
            except Exception as error:
                if not is_refusal(error):
                    raise
                self._set_aside(delivery, error)
            else:
                self._release(delivery)

    def _release(self, delivery: Delivery) -> None:
        if delivery.done:
            self._deliveries.remove(delivery)
            self._all.remove(delivery)
            delivery.close()

    def _set_aside(self, delivery: Delivery, error: Exception) -> None:
        self._deliveries.remove(delivery)
        folder = near(delivery.folder)
        self._warn(
            f"{without_secrets(self._address)} refuses {folder} ({reason(error, self._address)}). Training goes on; "
            f"what is not sent waits there, and `allmodes sync {folder}` sends it."
        )

    def _report_failure(self, error: Exception) -> None:
        self._store = None
        self._failures += 1
        if self._failures == 1:
            where = next((near(delivery.folder) for delivery in self._deliveries if delivery.left()), "its folder")
            self._warn(
                f"cannot write to {without_secrets(self._address)} ({reason(error, self._address)}). Training goes on; "
                f"what is not sent waits in {where} and is sent when the store answers."
            )

    def _report_answer(self) -> None:
        if self._late:
            self._warn(f"{without_secrets(self._address)} answers again; {self._late} events that waited were sent.")
        self._failures = self._late = 0


def add_prefix(warn: Callable[[str], None]) -> Callable[[str], None]:
    """The callback with the prefix `MLflow: ` for its messages, and without secrets in them."""
    return lambda message: warn(redact.text(f"MLflow: {message}"))


def open_store(address: str, warn: Callable[[str], None] | None = None) -> Store:
    """Connect to a store: sets the environment and imports MLflow, which nothing does before."""
    set_environment()
    from allmodes.tracking.store import Store

    return Store(address, warn or logging.getLogger(__name__).warning)


def set_environment() -> None:
    """Set the environment variables of MLflow that the user has not set."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def reason(error: BaseException, store: str) -> str:
    """Why a store failed: the operating system's message, or that it did not answer, or the error's first line.

    If the text may hold parts of the store's password, the error's type takes its place.
    """
    links = list(_links(error))
    answers = [link.strerror for link in links if isinstance(link, OSError) and link.strerror]
    late = ["no answer in time" for link in links if isinstance(link, TimeoutError) or "Timeout" in type(link).__name__]
    if FOLDER_STORE in str(error):
        return "MLflow writes to no folder any more: give a database, such as sqlite:///mlflow.db"
    first = _sentences(str(error)) or type(error).__name__
    return redact.of_store([first, *late, *answers][-1], store) or type(error).__name__


def _sentences(text: str) -> str:
    """The first line of a text, of a long one its first sentences."""
    line = next(iter(text.strip().splitlines()), "").strip()
    if len(line) <= LETTERS:
        return line
    whole = line[:LETTERS].rpartition(". ")[0]
    return f"{whole}." if whole else f"{line[: LETTERS - 3]}..."


def _links(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes, also those that libraries pass as an argument."""
    yield error
    given = (*error.args, getattr(error, "reason", None))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    for inner in {id(link): link for link in (*given, cause) if isinstance(link, BaseException)}.values():
        yield from _links(inner)
