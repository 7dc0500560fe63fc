"""The view of MLflow's table of runs that shows modes captured at once: in the UI, Views > Modes captured."""

from __future__ import annotations

import json

NAME = "Modes captured"
KEY = "mlflow.sharedViewState.modes"
COLUMNS = (
    *("metrics.`modes`", "metrics.`high_quality`", "metrics.`w1`", "metrics.`classes`"),
    *("tags.`allmodes.data`", "tags.`allmodes.game`", "tags.`allmodes.prior`"),
)


def tag() -> dict[str, str]:
    """The view as the tag of an experiment in which MLflow's UI (3.10 or newer) looks for saved views."""
    state = {"selectedColumns": COLUMNS, "orderByKey": "attributes.start_time", "orderByAsc": False}
    return {KEY: json.dumps({"name": NAME, "createdAt": 0, "state": json.dumps(state)})}
