"""A display in a notebook that is drawn again and again in one place; IPython is never imported where it is not loaded.

The kernel of a notebook has loaded IPython before any cell runs, so a script, a worker or a test pays nothing.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

SECONDS = 0.5
"""The least time between two drawings."""
SHARE = 0.02
"""The largest share of the time that drawing takes."""


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook, whose outputs may be pictures and HTML."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


class LiveDisplay:
    """One output of a cell, drawn anew at most twice a second; one that fails costs a warning, once.

    Args:
        html: Draws the output as HTML.
        text: The same as plain text, for frontends that show no HTML.
    """

    def __init__(self, html: Callable[[], str], text: Callable[[], str]) -> None:
        self._html, self._text = html, text
        self._handle: Any = None
        self._next, self._is_broken = 0.0, False

    def draw(self, now: bool = False) -> None:
        """Draw it if enough time has passed, or `now`."""
        if self._is_broken or not (now or time.monotonic() >= self._next):
            return
        begin = time.monotonic()
        try:
            self._show()
        except Exception as error:
            self._is_broken = True
            warnings.warn(f"no progress is shown: {type(error).__name__}: {error}", stacklevel=2)
        spent = time.monotonic() - begin
        self._next = time.monotonic() + max(SECONDS, spent / SHARE)

    def _show(self) -> None:
        shown = _Shown(self._html(), self._text())
        if self._handle is None:
            self._handle = import_module("IPython.display").display(shown, display_id=True)
        else:
            self._handle.update(shown)


class _Shown:
    """What one drawing shows."""

    def __init__(self, html: str, text: str) -> None:
        self._html, self._text = html, text

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return self._html
