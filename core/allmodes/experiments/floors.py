"""A cache of metric floors that processes share."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from allmodes.data.base import Data
from allmodes.runs.journal import numbers
from allmodes.runs.lock import take_turns
from allmodes.system import json_pages
from allmodes.system.durable import write_json
from allmodes_schemas import Spec

Numbers = Mapping[str, float]


def share_floors(folder: Path, spec: Spec, data: Data, compute: Callable[[], Numbers]) -> Numbers:
    """Read the scores of real data from a folder, or compute and store them there.

    Runs with the same data, metrics and number of samples share them; one process computes, the others wait.
    """
    metrics = [metric.model_dump(mode="json") for metric in spec.evaluation.metrics]
    key = json.dumps([spec.data.model_dump(mode="json"), data.fingerprint, spec.evaluation.samples, metrics])
    page = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    folder.mkdir(parents=True, exist_ok=True)
    with take_turns(folder):
        try:
            return numbers(json_pages.read(page, dict[str, float | None]))
        except FileNotFoundError:
            return _store(page, compute())
        except json_pages.PageError as error:
            warnings.warn(f"{error}: the scores of real data are computed again", stacklevel=2)
            return _store(page, compute())


def _store(page: Path, floors: Numbers) -> Numbers:
    """Write a page; if that fails, the next run computes the numbers again."""
    try:
        write_json(page, floors)
    except OSError as error:
        warnings.warn(f"{page} could not be written ({error.strerror or error})", stacklevel=2)
    return floors
