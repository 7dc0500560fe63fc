"""Numbers that several processes need and one computes."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from allmodes.data import Data
from allmodes.runs.journal import numbers
from allmodes.runs.lock import take_turns
from allmodes.system import json_pages
from allmodes.system.durable import write_json
from allmodes_schemas import Spec

Numbers = Mapping[str, float]


def shared_floors(folder: Path, spec: Spec, data: Data, compute: Callable[[], Numbers]) -> Numbers:
    """What real data score, kept in a folder for all runs with the same data, metrics and number of samples."""
    metrics = [metric.model_dump(mode="json") for metric in spec.evaluation.metrics]
    said = json.dumps([spec.data.model_dump(mode="json"), data.fingerprint, spec.evaluation.samples, metrics])
    page = folder / f"{hashlib.sha256(said.encode()).hexdigest()[:16]}.json"
    folder.mkdir(parents=True, exist_ok=True)
    with take_turns(folder):
        try:
            return numbers(json_pages.read(page, dict[str, float | None]))
        except FileNotFoundError:
            return _kept(page, compute())
        except json_pages.PageError as error:
            warnings.warn(f"{error}: what real data score is computed again", stacklevel=2)
            return _kept(page, compute())


def _kept(page: Path, found: Numbers) -> Numbers:
    """A page that cannot be written costs the next run the time to compute it."""
    try:
        write_json(page, found)
    except OSError as error:
        warnings.warn(f"{page} could not be written ({error.strerror or error})", stacklevel=2)
    return found
