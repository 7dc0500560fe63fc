"""Sends the logs of runs that other processes train, each when it has ended, from one thread."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from allmodes.system.paths import near
from allmodes.tracking import reading, receipt
from allmodes.tracking.address import absolute, default_store, without_secrets
from allmodes.tracking.delivery import Delivery
from allmodes.tracking.observer import CLOSE_WAIT
from allmodes.tracking.sender import Sender, add_prefix, open_store, reason


class Forwarder:
    """Sends ended runs to the store that the environment names; what it does not take waits in their folders."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.store = absolute(default_store())
        self._warn = add_prefix(warn)
        self._sender = Sender(self.store, self._warn)
        self._until: float | None = None

    def __enter__(self) -> Self:
        """Begin to open the store."""
        self._sender.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._finish()
        self._sender.close()

    def add(self, run: Path) -> None:
        """Send what waits in the folder of a run that has ended, or whose process died."""
        try:
            if reading.is_tracked(run):
                self._add(run)
        except Exception as error:  # a damaged run must not stop the others
            self._warn(f"{run}: cannot be sent ({reason(error, self.store)})")

    def _add(self, run: Path) -> None:
        delivery = Delivery(run, self.store, self._warn)
        if not delivery.held:
            delivery.conclude()
        if delivery.left():
            self._sender.add(delivery)
        else:
            delivery.close()

    def attach(
        self,
        runs: Sequence[Path],
        files: Sequence[Path],
        page: str,
        numbers: Mapping[str, float] = MappingProxyType({}),
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Send what waits, then bring the run of the study up to date that the given runs are part of.

        It gets files, a page of Markdown, numbers and tags; its methods get means over the given runs.
        """
        if self._finish():
            return
        receipts = list(filter(None, (receipt.read(run, self.store, self._warn) for run in runs)))
        if not receipts:
            return
        try:
            store = open_store(self.store, self._warn)
            if found := next(filter(store.is_of_study, receipts), None):
                store.attach(found, runs, files, page, numbers, tags)
            else:
                self._warn(f"its run was deleted in {without_secrets(self.store)}, and the tables are not added to it")
        except Exception as error:  # whatever the store does, the study has been trained
            why = reason(error, self.store)
            self._warn(f"cannot write to {without_secrets(self.store)} ({why}); the same command adds the table later")

    def _finish(self) -> bool:
        """Send what waits, for at most half a minute; returns whether something is left, of which it warns once."""
        left = self._sender.stop(CLOSE_WAIT if self._until is None else max(0.0, self._until - time.monotonic()))
        if left and self._until is None:
            folder = near(Path(os.path.commonpath([delivery.folder for delivery in left])))
            self._warn(f"not all could be sent; `allmodes sync {folder}` sends it to {without_secrets(self.store)}.")
        self._until = time.monotonic()
        return bool(left)
