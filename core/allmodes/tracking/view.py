"""Views of MLflow's runs that show the labelled numbers: in the UI, Views > Modes captured, a table, and > Curves."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from allmodes.tracking import charts
from allmodes.tracking.address import experiment, sqlite_file

NAME, KEY = "Modes captured", "modes"
CURVES_NAME, CURVES_KEY = "Curves", "curves"
TAG, CURVES = (f"mlflow.sharedViewState.{key}" for key in (KEY, CURVES_KEY))
TAGS = ("tags.`allmodes.data`", "tags.`allmodes.game`", "tags.`allmodes.prior`")
"""Columns beside the numbers."""
LONGEST, CHARTS = 5000, 6  # letters that every store takes; numbers with charts
OF_SEEDS: Mapping[str, Any] = {
    "searchFilter": "tags.`allmodes.kind` = 'seed'",
    "groupBy": {
        "aggregateFunction": "average",
        "groupByKeys": [{"mode": "tag", "groupByData": "allmodes.seeds_of"}],
    },
}
"""Shows seeds alone, and of each method their average."""


def tag(labelled: Iterable[str], saved: str | None = None) -> str:
    """Return the view, with the labelled numbers of a run, as the tag in which MLflow's UI looks for it.

    Args:
        labelled: Keys of the numbers.
        saved: The tag of earlier runs, whose columns stay.
    """
    columns = [*([] if saved is None else _columns(saved)), *(f"metrics.`{key}`" for key in labelled), *TAGS]
    return _write(NAME, [column for column in dict.fromkeys(columns) if column not in TAGS], {})


def curves(table: str) -> str:
    """Return the view of charts with the numbers of the other one, of seeds and their averages."""
    return _write(CURVES_NAME, [column for column in _columns(table) if column not in TAGS], OF_SEEDS)


def _write(name: str, numbers: Sequence[str], more: Mapping[str, Any]) -> str:
    """Write a view with as many charts as a tag has room for."""
    state = {"selectedColumns": [*numbers, *TAGS], "orderByKey": "attributes.start_time", "orderByAsc": False, **more}
    keys = [column.removeprefix("metrics.`").removesuffix("`") for column in numbers]
    states = (state | charts.layout(keys[:number]) for number in range(CHARTS, 0, -1))
    written = [_as_tag(name, one) for one in states]
    return next((text for text in written if len(text) <= LONGEST), _as_tag(name, state))


def _as_tag(name: str, state: Mapping[str, Any]) -> str:
    return json.dumps({"name": name, "createdAt": 0, "state": json.dumps(state, separators=(",", ":"))})


def _columns(saved: str) -> list[str]:
    try:
        return list(json.loads(json.loads(saved)["state"])["selectedColumns"])
    except (ValueError, LookupError, TypeError):  # somebody else wrote it
        return []


def pages(store: str) -> dict[str, str]:
    """Return the views' places in the UI of a SQLite file; by default MLflow opens a page for traces of chats."""
    file, number = sqlite_file(store), None
    if file is not None:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(file)) as database:
            query = "SELECT experiment_id FROM experiments WHERE name = ?"
            number = database.execute(query, (experiment(),)).fetchone()
    if not number:
        return {}
    start = f"#/experiments/{number[0]}/runs?workflowType=machine_learning&viewStateShareKey="
    return {
        "Modes captured, run by run": f"{start}{KEY}",
        "Curves of methods": f"{start}{CURVES_KEY}&compareRunsMode=CHART",
    }
