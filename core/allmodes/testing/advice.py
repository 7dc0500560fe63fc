"""Failures of a contract: one line of advice for the author, the cause below it."""

from __future__ import annotations

import warnings
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


@contextmanager
def no_slow_batching(name: str) -> Iterator[None]:
    """Fail the test where vmap warns that it runs an operation seed by seed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if "batching rule" in (text := str(warning.message)):
            operation = text.partition("aten::")[2].partition(".")[0]
            raise AssertionError(
                f"{name}: aten::{operation} runs seed by seed under vmap: take another operation, as "
                "copy_(x.clamp(...)) in the place of clamp_"
            )
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
