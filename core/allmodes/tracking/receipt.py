"""Where a run lives in MLflow, and how much of what it told has arrived there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from allmodes.runs.run_folder import RunFolder
from allmodes.system import durable, json_pages
from allmodes.tracking.address import shown


@dataclass(frozen=True)
class Receipt:
    """Kept beside the run as `mlflow.json`; `sent` counts the bytes of its spool that the store has taken.

    `run` tells it from other runs; receipts of older versions are silent about it.
    """

    run_id: str
    parent_run_id: str
    tracking_uri: str
    experiment_id: str
    sent: int = 0
    run: str = ""

    def write(self, folder: Path) -> None:
        """Replace the file; a disk that refuses costs at most sending again, which changes nothing."""
        with contextlib.suppress(OSError):
            durable.write_json(RunFolder(folder).receipt, asdict(self))


def read(folder: Path, store: str, warn: Callable[[str], None], run: str = "") -> Receipt | None:
    """The receipt that this store gave for a run, if there is one; that of another run is none."""
    try:
        receipt = json_pages.read(RunFolder(folder).receipt, Receipt)
    except FileNotFoundError:
        return None
    except json_pages.PageError as error:
        warn(f"{error}: all is sent again, which changes nothing that has arrived")
        return None
    if run and receipt.run not in ("", run):
        warn(f"{RunFolder(folder).receipt} is of another run: all of this one is sent again")
        return None
    return receipt if receipt.tracking_uri == shown(store) and receipt.sent >= 0 else None
