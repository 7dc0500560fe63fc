"""The view of MLflow's table of runs that shows modes captured at once: in the UI, Views > Modes captured."""

from __future__ import annotations

import contextlib
import json
import sqlite3

from allmodes.tracking.address import experiment, sqlite_file

NAME, KEY = "Modes captured", "modes"
COLUMNS = (
    *("metrics.`modes`", "metrics.`high_quality`", "metrics.`w1`", "metrics.`classes`"),
    *("tags.`allmodes.data`", "tags.`allmodes.game`", "tags.`allmodes.prior`"),
)


def tag() -> dict[str, str]:
    """The view as the tag of an experiment in which MLflow's UI looks for saved views."""
    state = {"selectedColumns": COLUMNS, "orderByKey": "attributes.start_time", "orderByAsc": False}
    return {f"mlflow.sharedViewState.{KEY}": json.dumps({"name": NAME, "createdAt": 0, "state": json.dumps(state)})}


def page(store: str) -> str | None:
    """The view's place in the UI of a SQLite file; without it MLflow opens a page for traces of language models."""
    file, number = sqlite_file(store), None
    if file is not None:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(file)) as database:
            asked = "SELECT experiment_id FROM experiments WHERE name = ?"
            number = database.execute(asked, (experiment(),)).fetchone()
    return f"#/experiments/{number[0]}/runs?workflowType=machine_learning&viewStateShareKey={KEY}" if number else None
