"""Variables of the environment."""

from __future__ import annotations

import math
import os


class VariableError(ValueError):
    """A variable of the environment that cannot be used; the message names it and says what it may be."""


def seconds_of(name: str, default: float) -> float:
    """The seconds that a variable of the environment gives. Raises VariableError where they are no positive number."""
    given = os.environ.get(name)
    try:
        seconds = float(given) if given else default
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise VariableError(f"{name}={given}: give a positive number of seconds, such as {default:g}")
    return seconds
