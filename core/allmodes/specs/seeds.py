"""Seeds from the command line and from Python, checked like those of a spec."""

from __future__ import annotations

import re
from collections.abc import Iterable
from reprlib import repr as short
from typing import Any

from pydantic import TypeAdapter, ValidationError

from allmodes.specs.source import SpecError
from allmodes_schemas import Seeds

MOST = 10_000
"""Seeds that one command accepts: more are most likely a slip."""


def parse_seeds(text: str) -> tuple[int, ...]:
    """Parse seeds written as `0-4`, `0,2,5`, or both.

    Raises SpecError for other text, for more than `MOST` seeds, and for numbers that are not seeds.
    """
    ranges = [re.fullmatch(r"\s*([0-9]{1,30})(?:\s*-\s*([0-9]{1,30}))?\s*", part) for part in text.split(",")]
    bounds = [(int(found[1]), int(found[2] or found[1])) for found in ranges if found]
    if len(bounds) < len(ranges) or any(last < first for first, last in bounds):
        raise SpecError(f"--seeds {_cut(text)}: write 0-4 or 0,2,5")
    if (number := sum(last - first + 1 for first, last in bounds)) > MOST:
        raise SpecError(f"--seeds {_cut(text)}: these are {number:,} runs, and one command trains at most {MOST:,}")
    seeds = [seed for first, last in bounds for seed in range(first, last + 1)]
    return check_seeds(seeds, f"--seeds {_cut(text)}")


def check_seeds(seeds: Any, where: str = "seeds") -> tuple[int, ...]:
    """Validate seeds as those of a spec.

    Raises SpecError where one is not a whole number from 0 to 2**63 - 1 or is listed twice, or the list is empty.
    """
    listed = tuple(seeds) if isinstance(seeds, Iterable) and not isinstance(seeds, str | bytes) else seeds
    try:
        return _SEEDS.validate_python(listed)
    except ValidationError as error:
        raise SpecError(f"{where}: {_describe(error)}") from None


_SEEDS = TypeAdapter[tuple[int, ...]](Seeds)


def _describe(error: ValidationError) -> str:
    first = error.errors()[0]
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    return f"should be whole numbers from 0 to 2**63 - 1, one or more, got {short(first['input'])}"


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}..."
