"""How contracts say what is wrong: one line for the author, the cause below it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def saying(advice: str) -> Iterator[None]:
    """An error within the block fails the test with advice and the error's first line."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise AssertionError(f"{advice} ({type(error).__name__}: {first})") from error
