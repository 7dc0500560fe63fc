"""Copies on disk for the time of a run."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path


class Scratch:
    """A temporary folder (where TMPDIR says), removed with this object or at the end of the process that made it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="allmodes-"))
        weakref.finalize(self, _remove, self.folder, os.getpid())


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked worker must not take its parent's files away
        shutil.rmtree(folder, ignore_errors=True)
