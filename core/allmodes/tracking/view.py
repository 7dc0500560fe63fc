"""The view of MLflow's table of runs that shows the labelled numbers: in the UI, Views > Modes captured."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable

from allmodes.tracking.address import experiment, sqlite_file

NAME, KEY = "Modes captured", "modes"
TAG = f"mlflow.sharedViewState.{KEY}"
TAGS = ("tags.`allmodes.data`", "tags.`allmodes.game`", "tags.`allmodes.prior`")
"""Columns beside the numbers."""


def tag(labelled: Iterable[str], saved: str | None = None) -> str:
    """Return the view, with columns for the labelled numbers of a run, as the tag in which MLflow's UI looks for it.

    Args:
        labelled: Keys of the numbers.
        saved: The tag of earlier runs, whose columns stay.
    """
    columns = [*([] if saved is None else _columns(saved)), *(f"metrics.`{key}`" for key in labelled), *TAGS]
    numbers = [column for column in dict.fromkeys(columns) if column not in TAGS]
    state = {"selectedColumns": [*numbers, *TAGS], "orderByKey": "attributes.start_time", "orderByAsc": False}
    return json.dumps({"name": NAME, "createdAt": 0, "state": json.dumps(state)})


def _columns(saved: str) -> list[str]:
    try:
        return list(json.loads(json.loads(saved)["state"])["selectedColumns"])
    except (ValueError, LookupError, TypeError):  # somebody else wrote it
        return []


def page(store: str) -> str | None:
    """Return the view's place in the UI of a SQLite file; by default MLflow opens a page for traces of chats."""
    file, number = sqlite_file(store), None
    if file is not None:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(file)) as database:
            query = "SELECT experiment_id FROM experiments WHERE name = ?"
            number = database.execute(query, (experiment(),)).fetchone()
    return f"#/experiments/{number[0]}/runs?workflowType=machine_learning&viewStateShareKey={KEY}" if number else None
