"""The logger of allmodes, and whether anything is logged."""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("allmodes")


def set_handler(handler: logging.Handler, level: int) -> None:
    """Send records of a level and above to this handler alone."""
    LOGGER.handlers = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False


def log_wait(what: str) -> None:
    """Log what a run is waiting for, before what may take seconds or minutes."""
    LOGGER.info(f"waiting for {what}", extra={"fields": {"event": "waiting"}})


def is_started() -> bool:
    """Whether the log is written to a stream."""
    return any(isinstance(handler, logging.StreamHandler) for handler in LOGGER.handlers)


def stop() -> None:
    """Remove the log handlers."""
    LOGGER.handlers = []
    LOGGER.setLevel(logging.NOTSET)
    LOGGER.propagate = True
