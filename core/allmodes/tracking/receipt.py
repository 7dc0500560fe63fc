"""Where a run lives in MLflow, and how much of its log has arrived there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from allmodes.runs.run_folder import RunFolder
from allmodes.system import durable, json_pages
from allmodes.tracking.address import without_secrets


@dataclass(frozen=True)
class Receipt:
    """The page `mlflow.json` in a run's folder; `sent` counts the bytes of the log that the store has.

    `run` identifies the run; receipts of older versions may lack it.
    """

    run_id: str
    parent_run_id: str
    tracking_uri: str
    experiment_id: str
    sent: int = 0
    run: str = ""

    def write(self, folder: Path) -> None:
        """Replace the file. If the disk refuses, events may be sent again, which changes nothing."""
        with contextlib.suppress(OSError):
            durable.write_json(RunFolder(folder).receipt, asdict(self))


def read(folder: Path, store: str, warn: Callable[[str], None]) -> Receipt | None:
    """The receipt that a store gave for the run in a folder; None if it gave none, or the page is damaged."""
    try:
        receipt = json_pages.read(RunFolder(folder).receipt, Receipt)
    except FileNotFoundError:
        return None
    except json_pages.PageError as error:
        warn(f"{error}: all is sent again, which changes nothing that has arrived")
        return None
    return receipt if receipt.tracking_uri == without_secrets(store) and receipt.sent >= 0 else None


def beside(top: Path, folder: Path, store: str, experiment: str) -> Iterator[Receipt]:
    """The receipts that a store gave for the other runs of an experiment or study, whose folder is `top`."""
    levels = len(folder.relative_to(top).parts)
    for page in sorted(top.glob("/".join([*["*"] * levels, RunFolder(folder).receipt.name]))):
        found = read(page.parent, store, lambda _: None) if page.parent != folder else None
        if found and found.run.startswith(f"{experiment}/"):
            yield found
