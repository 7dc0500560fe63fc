"""The device, data, metrics, floors and references of an experiment, each made when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from allmodes.data.base import Data, DataError
from allmodes.data.description import describe_data
from allmodes.data.labelled import LabelledItems
from allmodes.experiments import logs
from allmodes.experiments.batches import choose_streams
from allmodes.experiments.data_paths import explain_paths, resolve_paths
from allmodes.experiments.floors import share_floors
from allmodes.experiments.hints import find_hints
from allmodes.experiments.references import measure_references
from allmodes.experiments.settings import Setup, Warn, choose_device
from allmodes.game.compose import check_data, try_networks
from allmodes.game.output_checks import check_loaded_data
from allmodes.game.untouched import Untouched
from allmodes.metrics import Metric, build_metrics, measure_each_floor
from allmodes.metrics.base import READERS
from allmodes.registry.builds import build
from allmodes.registry.faults import blame, calling, describe
from allmodes.registry.registry import Registry
from allmodes.runs.run import Run
from allmodes.runs.run_folder import RunFolder
from allmodes.specs.kinds import kinds_in
from allmodes.system import signals
from allmodes.system.paths import at_home
from allmodes.system.ranks import find_rank
from allmodes.system.torch_settings import plain_torch
from allmodes_schemas import DatasetConfig, Spec


@dataclass
class Resources:
    """Resources that the runs of an experiment share: device, data, metrics, floors and references.

    Attributes:
        here: The working folder at the start, against which relative paths are resolved.
        announce: Called with a description of the data, and whether something was left out; by default it is logged.
    """

    spec: Spec
    setup: Setup
    warn: Warn
    here: Path
    announce: Callable[[str, bool], None] | None = None
    _warned: set[str] = field(default_factory=set)

    def warn_once(self, text: str) -> None:
        """Warn, unless it was warned of this before."""
        if text not in self._warned:
            self._warned.add(text)
            self.warn(text)

    @cached_property
    def device(self) -> str:
        """Where the runs train."""
        return choose_device(self.spec.training.device, find_rank())

    @cached_property
    @plain_torch()
    def data(self) -> Data:
        """The data on the device.

        Raises DataError where they cannot be read, CompositionError where they do not suit the spec.
        """
        data = self._read() if self.setup.data is None else self.setup.data
        check_data(self.spec, data)
        self._announce(data)
        return data.to(self.device)

    @cached_property
    @plain_torch()
    def metrics(self) -> Mapping[str, Metric]:
        """The metrics by title."""
        return build_metrics(self.spec.evaluation.metrics)

    @cached_property
    @plain_torch()
    def floors(self) -> Mapping[str, float]:
        """Mean score of real data on each metric, with as many samples."""
        return share_floors(self.setup.shelves(), self.spec, self.data, self.metrics, self._measure_floors)

    @cached_property
    @plain_torch()
    def references(self) -> Mapping[str, Mapping[str, float]]:
        """Mean score of each reference sampler on each metric, by its row, with as many samples as the model."""
        return measure_references(self.spec, self.data, self.metrics, self.setup.shelves(), self.warn)

    def labelled(self, seed: int) -> dict[str, LabelledItems]:
        """The labelled items of each stream, as a seed chooses them."""
        streams = {name: resolve_paths(config, self.here) for name, config in self.spec.streams.items()}
        return choose_streams(streams, self.data, seed)

    def make_run(self, seed: int, folder: Path, registry: Registry) -> Run:
        """The run of a seed within the experiment's folder, as if it were the only one."""
        spec = self.spec.model_copy(update={"seeds": (seed,)})
        return Run(
            spec=spec,
            seed=seed,
            folder=RunFolder(folder).of_seed(seed).path,
            experiment=folder.name,
            position=0,
            seeds=1,
            device=self.device,
            plugins=registry.versions(kinds_in(spec)),
            data=self._describe(seed),
            processes=rank.processes if (rank := find_rank()) else 1,
        )

    def _describe(self, seed: int) -> dict[str, object]:
        """The description of the data that a run records."""
        data, labelled = self.data, self.labelled(seed)
        used = {name: items.items for name, items in labelled.items()}
        fingerprints = {name: items.fingerprint for name, items in labelled.items()}
        return {
            "kind": self.spec.data.kind,
            "fingerprint": data.fingerprint,
            "items": data.items,
            "shape": list(data.shape),
            "classes": data.classes,
            "source": self._place(data.origin.name),
            "held_out": getattr(data, "test_items", 0),
            "held_out_from": self._place(data.origin.held_out),
            "columns": list(data.units.columns) if data.units else [],
            "learned": describe_data(data, self.spec.data.kind),
            **({"labels_used": used, "labels_fingerprint": fingerprints} if labelled else {}),
        }

    def _place(self, name: str) -> str:
        """The whole path of a file or folder of data; other names, such as that of a set, as they are."""
        path = self.here / at_home(name)
        return str(path) if name and path.exists() else name

    def prepare(self) -> None:
        """Load the data and what metrics need, so that what is missing is found before a folder is made."""
        self.labelled(self.spec.seeds[0])
        try_networks(self.spec, self.data.shape)
        for hint in find_hints(self.spec, self.data):
            self.warn(hint)
        untouched = Untouched(READERS, data=self.data)
        for title, metric in self.metrics.items():
            with calling(f"prepare of metric {title}", metric), untouched.kept():
                metric.prepare(self.data)

    def _read(self) -> Data:
        config = resolve_paths(self.spec.data, self.here)
        shared, key = (
            {} if self.setup.shared is None else self.setup.shared,
            config.model_dump_json(serialize_as_any=True),
        )
        if key not in shared:
            logs.log_wait(f"the data: {self.spec.data.kind}")
            shared[key] = self._read_files(config)
        return shared[key]

    def _read_files(self, config: DatasetConfig) -> Data:
        try:
            data = build("data", Data, config)
        except DataError as error:
            raise DataError(explain_paths(str(error), self.spec, self.setup.resumed)) from None
        check_loaded_data(config, data)
        return data

    def _announce(self, data: Data) -> None:
        """Describe the data, once they are loaded; data that are drawn without end are described by the spec."""
        if data.items is None:
            return
        line, partly = describe_data(data, self.spec.data.kind), bool(data.origin.left_out or data.origin.notes)
        if self.announce is not None:
            self.announce(line, partly)
        else:
            logs.log_data(line, partly, self.warn)

    def _measure_floors(self, metrics: Mapping[str, Metric]) -> dict[str, dict[str, float]]:
        signals.check()
        n, among = self.spec.evaluation.samples, self.metrics.values()
        logs.log_wait(f"floors: real data are measured, with {n:,} samples")
        found = measure_each_floor(metrics, self.data.to("cpu"), n, failed=self._warn_of_floor, among=among)
        return {title: {key: mean for key, (mean, _) in values.items()} for title, values in found.items()}

    def _warn_of_floor(self, metric: Metric, error: Exception) -> None:
        title = next(title for title, one in self.metrics.items() if one is metric)
        blame(error, f"floor of metric {title}", metric)
        self.warn(describe(error))
