"""The scores of the reference samplers of a spec: each fitted and measured once, and shared as floors are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from allmodes.data.base import Data
from allmodes.experiments.floors import OFF, Numbers, share_floors
from allmodes.experiments.settings import Warn
from allmodes.game.noise import rng
from allmodes.game.untouched import LostError, Untouched
from allmodes.metrics import Metric, ReferenceSampler, measure_reference
from allmodes.registry.builds import build
from allmodes.registry.faults import FAULTS, as_error, blame, calling, describe
from allmodes.system import signals
from allmodes.system.log import log_wait
from allmodes_schemas import ReferenceConfig, Spec

READERS = "reference samplers only read"


def measure_references(
    spec: Spec, data: Data, metrics: Mapping[str, Metric], shelves: Sequence[Path], warn: Warn
) -> dict[str, dict[str, float]]:
    """The scores of each reference sampler by its row; one that fails costs a warning, and its row.

    There are none where `$ALLMODES_REFERENCES` is `off`, as in tests that train hundreds of tiny runs.
    """
    found, wanted = dict[str, dict[str, float]](), metrics and os.environ.get("ALLMODES_REFERENCES") != OFF
    for config in spec.evaluation.references if wanted else ():
        try:
            found[config.row()] = _share(config, spec, data, metrics, shelves, warn)
        except LostError:
            raise
        except FAULTS as error:
            warn(f"{describe(as_error(error))}: its row {config.row()!r} is left out")
    return {row: numbers for row, numbers in found.items() if numbers}


def _share(
    config: ReferenceConfig, spec: Spec, data: Data, metrics: Mapping[str, Metric], shelves: Sequence[Path], warn: Warn
) -> dict[str, float]:
    sampler = build("reference", ReferenceSampler, config)

    def failed(metric: Metric, error: Exception) -> None:
        title = next(title for title, one in metrics.items() if one is metric)
        blame(error, f"metric {title} of reference {config.kind}", metric)
        warn(f"{describe(error)}: its numbers are left out")

    def measure(missing: Mapping[str, Metric]) -> dict[str, Numbers]:
        signals.check()
        log_wait(f"a reference: {config.row()}, which is measured, too")
        on_cpu = data.to("cpu")
        with Untouched(READERS, data=on_cpu).kept(), calling(f"fit of reference {config.kind}", sampler):
            sampler.fit(on_cpu, rng(0, "reference"))
        n, among = spec.evaluation.samples, metrics.values()
        scores = measure_reference(sampler, missing, on_cpu, n, failed=failed, among=among)
        return {title: {key: mean for key, (mean, _) in values.items()} for title, values in scores.items()}

    return share_floors(shelves, spec, data, metrics, measure, sampler)


def draw_references(
    spec: Spec, data: Data, metrics: Mapping[str, Metric], draws: int
) -> dict[str, list[dict[str, float]]]:
    """The scores of single draws of each reference sampler, which is fitted once, by its row.

    Each draw is held against held-out items of its own, as each seed of a method is: a test may compare the two.
    """
    on_cpu, samples = data.to("cpu"), spec.evaluation.samples
    with Untouched(READERS, data=on_cpu).kept():
        return {
            config.row(): list(_draw(config, on_cpu, metrics, samples, draws)) for config in spec.evaluation.references
        }


def _draw(
    config: ReferenceConfig, data: Data, metrics: Mapping[str, Metric], samples: int, draws: int
) -> Iterator[dict[str, float]]:
    sampler = build("reference", ReferenceSampler, config)
    with calling(f"fit of reference {config.kind}", sampler):
        sampler.fit(data, rng(0, "reference"))
    for seed in range(draws):
        scores = measure_reference(sampler, metrics, data, samples, seed, repeats=1)
        yield {key: value for each in scores.values() for key, (value, _) in each.items()}
