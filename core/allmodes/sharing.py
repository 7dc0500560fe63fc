"""Numbers that several processes need and one computes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from allmodes.data import Data
from allmodes.journal import numbers, write_json
from allmodes.lock import in_turn
from allmodes_schemas import Spec

Numbers = Mapping[str, float]


def shared_floors(folder: Path, spec: Spec, data: Data, compute: Callable[[], Numbers]) -> Numbers:
    """What real data score, kept in a folder for all runs with the same data, metrics and number of samples."""
    metrics = [metric.model_dump(mode="json") for metric in spec.evaluation.metrics]
    said = json.dumps([spec.data.model_dump(mode="json"), data.fingerprint, spec.evaluation.samples, metrics])
    page = folder / f"{hashlib.sha256(said.encode()).hexdigest()[:16]}.json"
    folder.mkdir(parents=True, exist_ok=True)
    with in_turn(folder):
        if not page.is_file():
            write_json(page, compute())
    return numbers(json.loads(page.read_text()))
