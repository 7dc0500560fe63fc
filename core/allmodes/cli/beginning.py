"""What commands that train have in common: the log of a study, the load of the machine, and runs not yet begun."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from allmodes.cli.console import RichLogHandler, err
from allmodes.experiments import logs

NAMED = 10
"""Number of runs not yet begun that are listed by name; the others are counted."""


def set_up(system_metrics: bool) -> None:
    """Let MLflow get the load of the machine, if that is asked for."""
    if system_metrics:
        from allmodes.tracking import machine

        machine.ask()


def start_log() -> Callable[[str], None]:
    """Choose how a study's progress is logged: between bars on a terminal, as log lines elsewhere."""
    if err.is_terminal:
        logs.set_handler(RichLogHandler(), logging.INFO)
    else:
        logs.start(as_json=False)
    return logs.LOGGER.info


def describe_waiting(names: Sequence[str]) -> str:
    """Name runs that were not begun."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"not begun: {', '.join(names[:NAMED])}{more}"
