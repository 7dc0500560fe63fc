"""Failures of a contract: one line of advice for the author, the cause below it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def explain_errors(advice: str) -> Iterator[None]:
    """Fail the test with advice and the first line of an error raised in the block."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise AssertionError(f"{advice} ({type(error).__name__}: {first})") from error
