"""A cache of the scores of real data (floors) and of reference samplers, which all runs of a user share.

They are measured once for the same data, samples, metric and reference sampler.
"""

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
from allmodes.metrics import Metric, ReferenceSampler
from allmodes.registry.faults import builder_of, owner_of
from allmodes.registry.given import is_given
from allmodes.registry.slots import CORE
from allmodes.runs.journal import numbers
from allmodes.runs.lock import take_turns
from allmodes.system import json_pages
from allmodes.system.durable import write_json
from allmodes.system.paths import cache_folder, place
from allmodes_schemas import DatasetConfig, Spec, kinds_within

Numbers = Mapping[str, float]
Measure = Callable[[Mapping[str, Metric]], Mapping[str, Numbers]]
"""Measures scores by the titles of metrics; one that fails is left out."""

OFF = "off"


def floors_folder() -> Path | None:
    """The folder of floors: `$ALLMODES_FLOORS`, or one in the user's cache; None where the variable is `off`."""
    given = os.environ.get("ALLMODES_FLOORS")
    if given == OFF:
        return None
    return place(given) if given else cache_folder() / "floors"


def share_floors(
    folders: Sequence[Path],
    spec: Spec,
    data: Data,
    metrics: Mapping[str, Metric],
    measure: Measure,
    reference: ReferenceSampler | None = None,
) -> dict[str, float]:
    """Read the scores of real data, or of a reference, from a folder; measure those that are not there, and store them.

    The folder is the first that has them all or can be written. What is measured for others is waited for. A metric or
    data that nothing tells from others of their kind, such as those of a notebook, are measured each time; so is
    everything without a folder.
    """
    keys = {title: _key(spec, data, metric, reference) for title, metric in metrics.items()} if folders else {}
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


def _key(spec: Spec, data: Data, metric: Metric, reference: ReferenceSampler | None) -> str | None:
    """What scores depend on besides data and samples, as a digest; None where that cannot be told."""
    parts = [metric] if reference is None else [metric, reference]
    configs = [config for part in parts if (config := builder_of(part)) is not None]
    if len(configs) < len(parts):
        return None
    kinds = [kind for _, kind in kinds_within(configs)]
    if any(is_given(kind.kind) for kind in kinds):
        return None  # code that changes from one call to the next
    classes = [type(one) for one in (*kinds, *parts, data, spec.data)]
    codes = {name: _code(name) for name in (CORE, *(one.__module__.partition(".")[0] for one in classes))}
    if not all(codes.values()) or any("<locals>" in one.__qualname__ for one in classes):
        return None
    settings = [config.model_dump(mode="json", exclude={"every"}) for config in configs]
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
        warnings.warn(f"{error}: the scores in it are computed again", stacklevel=2)
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
    warnings.warn(f"{reason}: scores of real data and references are {then} (docs/metrics.md)", stacklevel=2)
