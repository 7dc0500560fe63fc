"""Reading how the seeds of an experiment ended."""

from __future__ import annotations

import warnings
from pathlib import Path

from allmodes.runs.run import Outcome
from allmodes.runs.run_folder import RunFolder
from allmodes.system import json_pages


def load_results(folder: Path) -> dict[int, Outcome]:
    """Read the outcomes by seed from an experiment's folder; empty if it has not ended yet.

    If the page is damaged they are read from the folders of the seeds, with a warning.
    """
    try:
        return json_pages.read(RunFolder(folder).results, dict[int, Outcome])
    except FileNotFoundError:
        return {}
    except json_pages.PageError as error:
        warnings.warn(f"{error}: the numbers are taken from the folders of its seeds", stacklevel=2)
        return RunFolder(folder).outcomes()
