"""An experiment from Python: `Experiment.from_recipe("gan/ring").run()`, `Experiment.resume(folder).run()`."""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from allmodes.builtin.config.python import PythonConfig
from allmodes.data import Data, DataError, TensorData, from_dataset
from allmodes.data.description import describe_data
from allmodes.data.labelled import LabelledItems
from allmodes.experiments import hints, logs, resume
from allmodes.experiments.batches import labelled_of
from allmodes.experiments.floors import shared_floors
from allmodes.experiments.seed_run import SeedRun
from allmodes.figures import drawing
from allmodes.game.compose import CompositionError, check_data
from allmodes.game.contracts import Functions
from allmodes.metrics import Metric, built, floors
from allmodes.models.page import ModelError
from allmodes.models.trained import load_run
from allmodes.registry.registry import Registry, installed
from allmodes.runs.journal import Journal
from allmodes.runs.lock import lock_folder
from allmodes.runs.results import Results, load_results
from allmodes.runs.run import Outcome, Run, RunError
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading, recorded
from allmodes.specs.seeds import check_seeds
from allmodes.system.durable import replace_text, write_json
from allmodes.system.paths import place
from allmodes.system.signals import Stop
from allmodes.system.torch_settings import plain_torch, settings
from allmodes.text import redact
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import KindConfig, Spec

if TYPE_CHECKING:
    from allmodes.tracking import MlflowObserver

Warn = Callable[[str], None]
Panels = list[tuple[str, Tensor]]


def _warn(message: str) -> None:
    warnings.warn(redact.text(message), stacklevel=3)


@dataclass
class Experiment:
    """A checked spec and where its runs go.

    `track` logs to MLflow; `observers` are objects with hook implementations, by name; `resumed` is the folder of an
    experiment that goes on; `given` are data that came from Python, and not from the spec; `functions` are what a spec
    means by `python:name`. With either a run cannot be run again from its spec alone. `floors_in` is a folder where
    what real data score is kept, so that several experiments measure it once. Without `sends`, what MLflow should get
    is written down and left for another process to send. `say` is told, in the place of the log, what the
    run learns from, and whether something was left out.
    """

    spec: Spec
    registry: Registry = field(default_factory=installed)
    folder: Path = Path("runs")
    track: bool = True
    observers: Mapping[str, object] = field(default_factory=dict)
    warn: Warn = _warn
    resumed: Path | None = None
    given: Data | None = None
    functions: Functions = field(default_factory=dict)
    floors_in: Path | None = None
    sends: bool = True
    say: Callable[[str, bool], None] | None = None

    def __post_init__(self) -> None:
        """Settle where everything lies: a program may change its folder while it trains."""
        self.folder = place(self.folder)
        self.resumed = self.resumed and place(self.resumed)
        self.floors_in = self.floors_in and place(self.floors_in)
        self._here = Path.cwd()

    @classmethod
    def from_recipe(cls, name: str, overrides: Iterable[str] = (), **options: Any) -> Experiment:
        """An experiment from a recipe, a file or a finished run, with overrides such as `training.iterations=2000`.

        `data` may be any map-style `torch.utils.data.Dataset`, or an `allmodes.Data`, in the place of the spec's.

        Raises SpecError with a line for each thing that is wrong.
        """
        registry, given = options.pop("registry", None) or installed(), _given(options.pop("data", None))
        if given is not None:
            overrides = [*overrides, f"data={PythonConfig.of(given).model_dump_json()}"]
        return cls(loading.load(name, registry, overrides), registry, given=given, **options)

    from_file = from_recipe

    @classmethod
    def from_spec(cls, values: Mapping[str, Any], **options: Any) -> Experiment:
        """An experiment from a mapping, whose values may be config objects; `data` as for `from_recipe`."""
        registry, given = options.pop("registry", None) or installed(), _given(options.pop("data", None))
        if given is not None:
            values = {**values, "data": PythonConfig.of(given)}
        return cls(loading.parse(values, registry), registry, given=given, **options)

    @classmethod
    def resume(cls, run: str | Path, overrides: Iterable[str] = (), **options: Any) -> Experiment:
        """An experiment that goes on in its folder (or in that of one of its seeds) where it was interrupted.

        Overrides may train longer (`training.iterations=20000`) or evaluate otherwise. It is tracked if it was before,
        unless `track` says otherwise. `data` and `functions` that came from Python have to be given again.

        Raises:
            SpecError: The folder holds no run, an override would make it another one, or nothing is left to do.
        """
        registry = options.pop("registry", None) or installed()
        folder, spec = resume.prepare(place(run), registry, list(overrides))
        options["track"] = resume.tracked(folder) if options.get("track") is None else options["track"]
        given = _given(options.pop("data", None))
        return cls(spec, registry, folder.parent, resumed=folder, given=given, **options)

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
    @plain_torch()
    def data(self) -> Data:
        """The data on the device.

        Raises DataError where they cannot be read, CompositionError where they turn out not to suit the spec.
        """
        data: Data = self._read() if self.given is None else self.given
        check_data(self.spec, data)
        self._tell(data)
        return data.to(self.device)

    def _tell(self, data: Data) -> None:
        """Say what is learned from, once, when the data are loaded; what is drawn without end is all in the spec."""
        if data.items is None:
            return
        line, partly = describe_data(data, self.spec.data.kind), bool(data.origin.left_out or data.origin.notes)
        if self.say is not None:
            self.say(line, partly)
        else:
            logs.log_data(line, partly, self.warn)

    def _read(self) -> Any:
        """The data of the spec; what is wrong with them is said in paths as the user wrote them."""
        try:
            return resume.settled(self.spec.data, self._here).build()
        except DataError as error:
            raise DataError(resume.explained(str(error), self.spec, self.resumed)) from None

    @cached_property
    @plain_torch()
    def metrics(self) -> Mapping[str, Metric]:
        """The metrics by title."""
        metrics: Mapping[str, Metric] = built(self.spec.evaluation.metrics)
        _check_best(self.spec.training.checkpoints.best, metrics)
        return metrics

    @cached_property
    @plain_torch()
    def floors(self) -> Mapping[str, float]:
        """Mean score of real data on each metric, with as many samples."""
        if self.floors_in is None:
            return self._measured_floors()
        return shared_floors(self.floors_in, self.spec, self.data, self._measured_floors)

    def _measured_floors(self) -> dict[str, float]:
        n = self.spec.evaluation.samples
        values = floors(self.metrics.values(), self.data.to("cpu"), n, failed=self._without_floor)
        return {key: mean for key, (mean, _) in values.items()}

    def _without_floor(self, metric: Metric, error: Exception) -> None:
        name = next(name for name, one in self.metrics.items() if one is metric)
        self.warn(f"the floor of metric {name} failed: {type(error).__name__}: {error}")

    @plain_torch()
    def run(self, seeds: Sequence[int] | None = None, stop: Stop | None = None) -> Results:
        """Train every seed, one after another, and return what they gave.

        Ctrl-C finishes the turn, saves a checkpoint and the model, and ends with the status `killed`. SIGTERM does so
        too, and then ends the program (SystemExit with 143, or the program's own handler), unless whoever calls gives
        a `stop` and looks at it.

        Raises SpecError where a seed is none, before anything is written.
        """
        seeds = self.spec.seeds if seeds is None else check_seeds(seeds)
        self.prepare()
        folder, asked = self.resumed or self._new_folder(seeds), stop or Stop()
        with self.observed():
            outcomes = self._train(seeds, folder, asked)
        if stop is None:
            asked.pass_on()
        return Results(self.spec, folder, outcomes)

    @plain_torch()
    def train(self, run: Run, stop: Stop) -> Outcome:
        """Train one run in its folder, or go on with it; for whoever arranges runs otherwise than seed after seed."""
        run.folder.mkdir(parents=True, exist_ok=True)
        with self.observed(), stop.listening(), self._settings():
            return self._train_seed(run, stop, Panels())

    @plain_torch()
    def prepare(self) -> None:
        """Load the data and what metrics need: what is missing is said before a folder is made."""
        self._labelled(self.spec.seeds[0])
        for hint in hints.of_data(self.spec, self.data):
            self.warn(hint)
        for metric in self.metrics.values():
            metric.prepare(self.data)

    @contextmanager
    def observed(self) -> Iterator[None]:
        """The observers, MLflow among them where runs are tracked, are told what happens within the block."""
        tracker = self._tracker()
        try:
            with self.registry.observing({**self.observers, **({"mlflow": tracker} if tracker else {})}):
                yield
        finally:
            if tracker:
                tracker.close()

    def log(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        """Add numbers to the log of a run that has ended, and tell the observers."""
        Journal(RunFolder(run.folder).metrics, self.warn).write(iteration, metrics, tracked=self.track)
        self.registry.notify("metrics_logged", self.warn, run=run, iteration=iteration, metrics=metrics)

    def log_figure(self, run: Run, iteration: int, figure: Path, name: str) -> None:
        """Add a picture to the log of a run that has ended, and tell the observers."""
        Journal(RunFolder(run.folder).metrics, self.warn).figure(iteration, figure, tracked=self.track)
        self.registry.notify("samples_drawn", self.warn, run=run, iteration=iteration, figure=figure, name=name)

    def _train(self, seeds: Sequence[int], folder: Path, stop: Stop) -> dict[int, Outcome]:
        """Train the seeds in turn, to the end or to the user's stop; what there is, is written in any case."""
        panels = Panels()
        outcomes = RunFolder(folder).outcomes() if self.resumed else {}
        try:
            with stop.listening(), self._settings():
                for position, seed in enumerate(seeds):
                    if not stop.asked:
                        run = self.run_of(seed, folder, position, len(seeds))
                        run.folder.mkdir(exist_ok=self.resumed is not None)
                        outcomes[seed] = self._train_seed(run, stop, panels)
        finally:
            self._write(Results(self.spec, folder, outcomes), panels)
        return outcomes

    def _write(self, results: Results, panels: Panels) -> None:
        """Write what there is; what a full disk refuses is in the seeds' own folders, and costs a warning."""
        try:
            results.write()
            if panels and self.spec.evaluation.figure:
                drawing.compare(panels, self.data, RunFolder(results.folder).picture)
        except OSError as error:
            self.warn(f"{results.folder}: results or picture could not be written: {error.strerror or error}")

    def _train_seed(self, run: Run, stop: Stop, panels: Panels) -> Outcome:
        with lock_folder(run.folder):
            if self.resumed and (outcome := resume.ended(run)):
                logs.LOGGER.info(f"{run.name} is finished at iteration {outcome.iteration:,}: nothing is left to do")
                samples = self._sampled(run)
            else:
                begun = RunFolder(run.folder).is_run
                self._prepare(run)
                seed_run = SeedRun(
                    run,
                    self.data,
                    self.metrics,
                    self.registry,
                    self.warn,
                    stop,
                    self.functions,
                    self._labelled(run.seed),
                )
                if begun:
                    seed_run.restore()
                outcome = seed_run.train(lambda: self.floors)
                samples = self._sampled(run) if begun and seed_run.samples is None else seed_run.samples
        panels += [] if samples is None else [(f"seed {run.seed}", samples)]
        return outcome

    def _seed_run(self, run: Run, stop: Stop) -> SeedRun:
        labelled = self._labelled(run.seed)
        return SeedRun(run, self.data, self.metrics, self.registry, self.warn, stop, self.functions, labelled)

    def _settings(self) -> AbstractContextManager[None]:
        return settings(self.spec.training.threads, self.spec.training.deterministic)

    def _sampled(self, run: Run) -> Tensor | None:
        """Samples of a run that has ended; one without a sound model costs a warning."""
        try:
            return load_run(run.folder, self.registry).draw(self.spec.evaluation.samples)
        except ModelError as error:
            self.warn(f"{run.name}: no samples for the picture: {error}")
            return None

    def _tracker(self) -> MlflowObserver | None:
        if not self.track:
            return None
        from allmodes.tracking import MlflowObserver

        return MlflowObserver(warn=self.warn, sends=self.sends)

    def _new_folder(self, seeds: tuple[int, ...]) -> Path:
        name = f"{self.spec.name}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        folder = self.folder / name
        folder.mkdir(parents=True)
        replace_text(RunFolder(folder).spec, loading.dump(self.spec.model_copy(update={"seeds": seeds})))
        return folder

    def run_of(self, seed: int, folder: Path, position: int = 0, seeds: int = 1) -> Run:
        """The run of a seed within the experiment's folder."""
        mine = self.spec.model_copy(update={"seeds": (seed,)})
        return Run(
            spec=mine,
            seed=seed,
            folder=RunFolder(folder).of_seed(seed).path,
            experiment=folder.name,
            position=position,
            seeds=seeds,
            device=self.device,
            plugins=self.registry.versions(kinds_in(mine)),
            data=self._description(seed),
            rerunnable=self.given is None and not self.functions,
        )

    def _prepare(self, run: Run) -> None:
        """Write what the run is; of a run that goes on, first see that it is the one that began."""
        facts: dict[str, Any] = {name: getattr(run, name) for name in _FACTS} | {"tracked": self.track}
        facts["begun_in"] = str(self._here)
        folder = RunFolder(run.folder)
        if (began := folder.facts(self.warn)) is not None:
            recorded.refuse_edited(run.folder, run.spec, self.registry)
            resume.compare(run, began, self.warn)
            facts |= {"resumed": began.resumed + 1, "tracked": self.track or began.tracked}
            facts["begun_in"] = began.begun_in or facts["begun_in"]
        try:
            replace_text(folder.spec, loading.dump(run.spec))
            write_json(folder.page, facts | {"spec": loading.dump_values(run.spec)})
        except IsADirectoryError as error:
            raise RunError(f"{error.filename}: {error.strerror}") from None

    def _labelled(self, seed: int) -> dict[str, LabelledItems]:
        """The streams' items, from files where they lay when the experiment was made."""
        streams = {name: resume.settled(config, self._here) for name, config in self.spec.streams.items()}
        return labelled_of(streams, self.data, seed)

    def _description(self, seed: int) -> dict[str, object]:
        data = self.data
        labelled = self._labelled(seed)
        labels = {name: items.items for name, items in labelled.items()}
        told = {name: items.fingerprint for name, items in labelled.items()}
        return {
            "kind": self.spec.data.kind,
            "fingerprint": data.fingerprint,
            "items": data.items,
            "shape": list(data.shape),
            "learned": describe_data(data, self.spec.data.kind),
            **({"labels_used": labels, "labels_fingerprint": told} if labels else {}),
        }


@plain_torch()
def _given(data: Any) -> Data | None:
    if isinstance(data, TensorData):
        data.check_finite()
    return from_dataset(data) if data is not None and not isinstance(data, Data) else data


_FACTS = ("seed", "experiment", "device", "plugins", "data", "rerunnable")


def _check_best(best: str | None, metrics: Mapping[str, Metric]) -> None:
    better = {key: value for metric in metrics.values() for key, value in metric.better.items()}
    known = [key for key, value in better.items() if value != "near"]
    if best is not None and best not in known:
        raise CompositionError(
            f"training.checkpoints.best is {best!r}, which is no metric of this spec that has a best value"
            f"{did_you_mean(best, known)}: there are {', '.join(known) or 'none'}"
        )


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


__all__ = ["Experiment", "Results", "kinds_in", "load_results", "load_run"]
