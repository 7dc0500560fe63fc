"""Where a run lives in MLflow, and how much of what it told has arrived there."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from allmodes.tracking.address import shown

NAME = "mlflow.json"


@dataclass(frozen=True)
class Receipt:
    """Kept beside the run as `mlflow.json`; `sent` counts the bytes of its spool that the store has taken."""

    run_id: str
    parent_run_id: str
    tracking_uri: str
    experiment_id: str
    sent: int = 0

    def write(self, folder: Path) -> None:
        """Write beside the file and rename; a disk that refuses costs at most sending again, which changes nothing."""
        beside = folder / f".{NAME}"
        with contextlib.suppress(OSError):
            beside.write_text(json.dumps(asdict(self), indent=2) + "\n")
            beside.replace(folder / NAME)


def read(folder: Path, store: str) -> Receipt | None:
    """The receipt that this store gave for a run, if there is one."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        receipt = Receipt(**json.loads((folder / NAME).read_text()))
        return receipt if receipt.tracking_uri == shown(store) else None
    return None
