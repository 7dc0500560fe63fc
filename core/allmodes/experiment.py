"""An experiment from Python: `Experiment.from_recipe("gan/ring").run()`, `load_run(folder).sample(1000, seed=0)`."""

from __future__ import annotations

import json
import math
import secrets
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from allmodes import figures, models, specs
from allmodes.compose import CompositionError, stream
from allmodes.contracts import NOTHING
from allmodes.data import Data
from allmodes.metrics import Metric, built, floors
from allmodes.registry import Registry, installed
from allmodes.run import Outcome, Run
from allmodes.sampling import draw
from allmodes.training import SeedRun, Stop, write_json
from allmodes_schemas import Given, KindConfig, Spec

if TYPE_CHECKING:
    from allmodes.tracking import MlflowObserver

Warn = Callable[[str], None]


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """As many CPU threads as the spec asks for, and afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=3)


@dataclass(frozen=True)
class Results:
    """What an experiment gave: an outcome for each seed, in its folder."""

    spec: Spec
    folder: Path
    outcomes: Mapping[int, Outcome]

    def values(self, metric: str) -> list[float]:
        """A metric's last value for each seed that measured it."""
        return [o.results[metric] for o in self.outcomes.values() if metric in o.results]

    def mean(self, metric: str) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.values(metric)))

    def standard_error(self, metric: str) -> float:
        """Standard error of the mean over the seeds; NaN for fewer than two."""
        values = self.values(metric)
        return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics, without their averages over the end of the run."""
        names = dict.fromkeys(name for outcome in self.outcomes.values() for name in outcome.results)
        return [name for name in names if not name.startswith("recent_")]

    @property
    def floors(self) -> Mapping[str, float]:
        """What real data score on the same metrics with as many samples."""
        return next((outcome.floors for outcome in self.outcomes.values() if outcome.floors), {})

    @property
    def status(self) -> str:
        """`finished` if every seed did, else the first other status."""
        return next((o.status for o in self.outcomes.values() if o.status != "finished"), "finished")


@dataclass
class Experiment:
    """A checked spec and where its runs go.

    `track` logs to MLflow; `observers` are objects with hook implementations, by name.
    """

    spec: Spec
    registry: Registry = field(default_factory=installed)
    folder: Path = Path("runs")
    track: bool = True
    observers: Mapping[str, object] = field(default_factory=dict)
    warn: Warn = _warn

    @classmethod
    def from_recipe(cls, name: str, overrides: Iterable[str] = (), **options: Any) -> Experiment:
        """An experiment from a recipe, a file or a finished run, with overrides such as `training.iterations=2000`.

        Raises SpecError with a line for each thing that is wrong.
        """
        registry = options.pop("registry", None) or installed()
        return cls(specs.load(name, registry, overrides), registry, **options)

    from_file = from_recipe

    @classmethod
    def from_spec(cls, values: Mapping[str, Any], **options: Any) -> Experiment:
        """An experiment from a mapping, whose values may be config objects."""
        registry = options.pop("registry", None) or installed()
        return cls(specs.parse(values, registry), registry, **options)

    @cached_property
    def device(self) -> str:
        """Where the run trains."""
        wanted = self.spec.training.device
        cuda = torch.cuda.is_available()
        if wanted.startswith("cuda") and not cuda:
            raise CompositionError(
                f"training.device is {wanted!r}, but torch finds no CUDA device here: use auto or cpu"
            )
        return ("cuda" if cuda else "cpu") if wanted == "auto" else wanted

    @cached_property
    def data(self) -> Data:
        """The data on the device."""
        data: Data = self.spec.data.build()
        return data.to(self.device)

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        """The metrics by title."""
        return built(self.spec.evaluation.metrics)

    @cached_property
    def floors(self) -> Mapping[str, float]:
        """Mean score of real data on each metric, with as many samples."""
        values = floors(list(self.metrics.values()), self.data.to("cpu"), self.spec.evaluation.samples)
        return {key: mean for key, (mean, _) in values.items()}

    def run(self, seeds: Sequence[int] | None = None) -> Results:
        """Train every seed, one after another, and return what they gave.

        Ctrl-C finishes the turn, saves the model and ends with the status `killed`.
        """
        seeds = tuple(self.spec.seeds if seeds is None else seeds)
        for metric in self.metrics.values():  # what is missing is said before a folder is made
            metric.prepare(self.data)
        folder, tracker = self._new_folder(), self._tracker()
        try:
            with self.registry.observing({**self.observers, **({"mlflow": tracker} if tracker else {})}):
                outcomes = self._train(seeds, folder)
        finally:
            if tracker:
                tracker.close()
        return Results(self.spec, folder, outcomes)

    def _train(self, seeds: Sequence[int], folder: Path) -> dict[int, Outcome]:
        """Train the seeds in turn, to the end or to the user's stop; what there is, is written in any case."""
        stop, outcomes, panels = Stop(), dict[int, Outcome](), list[tuple[str, Tensor]]()
        try:
            with stop.listening(), _threads(self.spec.training.threads):
                for position, seed in enumerate(seeds):
                    run = self._new_run(seed, position, len(seeds), folder)
                    seed_run = SeedRun(run, self.data, self.metrics, self.registry, self.warn, stop)
                    outcomes[seed] = seed_run.train(lambda: self.floors)
                    panels += [] if seed_run.samples is None else [(f"seed {seed}", seed_run.samples)]
                    if stop.asked:
                        break
        finally:
            self._write(folder, outcomes, panels)
        return outcomes

    def _write(self, folder: Path, outcomes: Mapping[int, Outcome], panels: Sequence[tuple[str, Tensor]]) -> None:
        write_json(folder / "results.json", {str(seed): vars(outcome) for seed, outcome in outcomes.items()})
        if panels:
            figures.compare(panels, self.data, folder / "samples.png")

    def _tracker(self) -> MlflowObserver | None:
        if not self.track:
            return None
        from allmodes.tracking import MlflowObserver

        return MlflowObserver(warn=self.warn)

    def _new_folder(self) -> Path:
        name = f"{self.spec.name}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        folder = Path(self.folder) / name
        folder.mkdir(parents=True)
        (folder / "spec.yaml").write_text(specs.dump(self.spec))
        return folder

    def _new_run(self, seed: int, position: int, seeds: int, folder: Path) -> Run:
        mine = self.spec.model_copy(update={"seeds": (seed,)})
        run = Run(
            spec=mine,
            seed=seed,
            folder=folder / f"seed-{seed}",
            experiment=folder.name,
            position=position,
            seeds=seeds,
            device=self.device,
            plugins=self.registry.versions(kinds_in(mine)),
            data=self._description(),
        )
        run.folder.mkdir()
        (run.folder / "spec.yaml").write_text(specs.dump(mine))
        facts = {name: getattr(run, name) for name in ("seed", "experiment", "device", "plugins", "data")}
        write_json(run.folder / "run.json", facts)
        return run

    def _description(self) -> dict[str, object]:
        data = self.data
        return {
            "kind": self.spec.data.kind,
            "fingerprint": data.fingerprint,
            "items": data.items,
            "shape": list(data.shape),
        }


def kinds_in(value: Any) -> list[str]:
    """Every kind that a config names, at any depth."""
    if isinstance(value, KindConfig):
        return [value.kind, *(kind for name in type(value).model_fields for kind in kinds_in(getattr(value, name)))]
    if isinstance(value, Mapping):
        return [kind for inner in value.values() for kind in kinds_in(inner)]
    if isinstance(value, list | tuple):
        return [kind for inner in value for kind in kinds_in(inner)]
    fields = getattr(type(value), "model_fields", {})
    return [kind for name in fields for kind in kinds_in(getattr(value, name))]


@dataclass(frozen=True)
class Model:
    """A trained model that was read back from a run."""

    spec: Spec
    modules: Mapping[str, nn.Module]
    shape: tuple[int, ...]
    folder: Path

    def sample(self, n: int, seed: int = 0, given: Given = NOTHING, device: str = "cpu") -> Tensor:
        """n items (n, *shape) on the CPU; the same seed gives the same items on the same machine."""
        modules = {name: module.to(device) for name, module in self.modules.items()}
        return draw(modules, n, stream(seed, "sample", device), given)


def load_run(folder: str | Path, registry: Registry | None = None) -> Model:
    """The trained model of a run's folder (of its first seed, where it has several).

    Raises SpecError where the folder or a plugin is missing, ModelError where the stored model cannot be read.
    """
    folder = Path(folder)
    if not (folder / "model").is_dir():
        folder = next((path.parent for path in sorted(folder.glob("seed-*/model"))), folder)
    spec = specs.load(str(folder), registry or installed())
    modules, shape = models.load(spec, folder / "model")
    return Model(spec, modules, shape, folder)


def load_results(folder: Path) -> Mapping[int, Mapping[str, Any]]:
    """What a finished experiment wrote about its seeds."""
    written: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return {int(seed): outcome for seed, outcome in written.items()}
