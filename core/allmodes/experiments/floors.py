"""A cache of metrics' floors, which all runs of a user share: measured once for the same data, samples and metric."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile

from allmodes.data.base import Data
from allmodes.metrics import Metric
from allmodes.registry.faults import builder_of, owner_of
from allmodes.registry.slots import CORE
from allmodes.runs.journal import numbers
from allmodes.runs.lock import take_turns
from allmodes.system import json_pages
from allmodes.system.durable import write_json
from allmodes.system.paths import cache_folder, place
from allmodes_schemas import DatasetConfig, Spec, kinds_within

Numbers = Mapping[str, float]
Measure = Callable[[Mapping[str, Metric]], Mapping[str, Numbers]]
"""Measures the floors of metrics by title; one that fails is left out."""

OFF = "off"


def floors_folder() -> Path | None:
    """The folder of floors: `$ALLMODES_FLOORS`, or one in the user's cache; None where the variable is `off`."""
    given = os.environ.get("ALLMODES_FLOORS")
    if given == OFF:
        return None
    return place(given) if given else cache_folder() / "floors"


def share_floors(
    folders: Sequence[Path], spec: Spec, data: Data, metrics: Mapping[str, Metric], measure: Measure
) -> dict[str, float]:
    """Read the scores of real data from a folder; measure those that are not there, and store them.

    The folder is the first that has them all or can be written. What is measured for others is waited for. A metric or
    data that nothing tells from others of their kind, such as those of a notebook, are measured each time; so is
    everything without a folder.
    """
    keys = {title: _key(spec, data, metric) for title, metric in metrics.items()} if folders else {}
    of_data = _digest([data.fingerprint, spec.evaluation.samples])
    names = {title: f"{key}.json" for title, key in keys.items() if key}
    shelf = _choose([folder / of_data for folder in folders], names.values()) if names else None
    if shelf is None:
        found = measure(metrics) if metrics else {}
    else:
        with take_turns(shelf):
            pages = {title: shelf / name for title, name in names.items()}
            found = {title: known for title, page in pages.items() if (known := _read(page)) is not None}
            missing = {title: metric for title, metric in metrics.items() if title not in found}
            measured = measure(missing) if missing else {}
            _store({pages[title]: values for title, values in measured.items() if title in pages})
            found |= measured
    return {key: value for title in metrics for key, value in found.get(title, {}).items()}


def _key(spec: Spec, data: Data, metric: Metric) -> str | None:
    """What a floor depends on besides data and samples, as a digest; None where that cannot be told."""
    config = builder_of(metric)
    if config is None:
        return None
    kinds = [kind for _, kind in kinds_within(config)]
    classes = [type(one) for one in (*kinds, metric, data, spec.data)]
    codes = {name: _code(name) for name in (CORE, *(one.__module__.partition(".")[0] for one in classes))}
    if not all(codes.values()) or any("<locals>" in one.__qualname__ for one in classes):
        return None
    settings = config.model_dump(mode="json", exclude={"every"})
    return _digest([settings, _described(spec.data), sorted({owner_of(kind) for kind in kinds}), sorted(codes.items())])


def _described(config: DatasetConfig) -> object:
    """The settings of data, without those that the fingerprint stands for."""
    return config.model_dump(mode="json", exclude=set(config.free))


@cache
def _code(package: str) -> str:
    """A digest of the code of a package or module, so that a floor is measured anew once it changes; "": unknown."""
    file = getattr(sys.modules.get(package), "__file__", None)
    if file is None or package == "__main__":
        return ""
    path = Path(file)
    files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    try:
        return _digest([hashlib.sha256(one.read_bytes()).hexdigest() for one in files]) if files else ""
    except OSError:
        return ""


def _digest(values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _choose(shelves: Sequence[Path], names: Collection[str]) -> Path | None:
    """The first of the shelves that has all pages or can be written, with a warning of each before it."""
    for shelf, others in ((shelf, shelves[i:]) for i, shelf in enumerate(shelves, 1)):
        if all((shelf / name).is_file() for name in names):
            return shelf
        try:
            shelf.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=shelf):
                return shelf
        except OSError as error:
            _warn_of(shelf, error, others[0].parent if others else None)
    return None


def _read(page: Path) -> Numbers | None:
    try:
        return numbers(json_pages.read(page, dict[str, float | None]))
    except FileNotFoundError:
        return None
    except json_pages.PageError as error:
        warnings.warn(f"{error}: the scores of real data are computed again", stacklevel=2)
        return None


def _store(pages: Mapping[Path, Numbers]) -> None:
    """Write pages; where that fails, the next run measures again."""
    for page, values in pages.items():
        try:
            write_json(page, values)
        except OSError as error:
            _warn_of(page, error)


def _warn_of(path: Path, error: OSError, instead: Path | None = None) -> None:
    reason = f"{path} could not be written ({error.strerror or error})"
    then = f"kept in {instead}" if instead else "measured by each run"
    warnings.warn(f"{reason}: the scores of real data are {then} (docs/metrics.md)", stacklevel=2)
