"""An experiment from Python: `Experiment.from_recipe("gan/ring").run()`, `Experiment.resume(folder).run()`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from allmodes.builtin.config.python import PythonConfig
from allmodes.data.base import Data
from allmodes.engine.peers import Peers
from allmodes.experiments import given, resume
from allmodes.experiments.live import LiveRuns
from allmodes.experiments.ranks import follow, meeting
from allmodes.experiments.references import draw_references
from allmodes.experiments.resources import Resources
from allmodes.experiments.results import Results
from allmodes.experiments.run_page import make_folder
from allmodes.experiments.settings import Setup, Warn, to_data, warn_in_python
from allmodes.experiments.shown import experiment_html, experiment_text
from allmodes.experiments.trainer import Trainer
from allmodes.game.contracts import Functions
from allmodes.registry.given import KEYWORDS, given_in
from allmodes.registry.observers import Given as Observers
from allmodes.registry.observers import name_observers
from allmodes.registry.registry import Registry, installed
from allmodes.runs.run import Run
from allmodes.specs import loading
from allmodes.specs.axis_reader import to_axes
from allmodes.specs.member_names import shorten
from allmodes.specs.members import Member, members
from allmodes.specs.players import players_of, turns_of
from allmodes.specs.seeds import check_seeds
from allmodes.specs.source import SpecSource
from allmodes.system.notebook import is_notebook
from allmodes.system.paths import place
from allmodes.system.signals import Stop, Stopped
from allmodes.system.torch_settings import plain_torch
from allmodes.tracking.address import default_store
from allmodes_schemas import Spec, TurnConfig

if TYPE_CHECKING:
    from allmodes.tracking import MlflowObserver


@dataclass
class Experiment:
    """A checked spec and how its runs are trained.

    Attributes:
        spec: The spec.
        registry: The plugins in use.
        folder: Where the folders of experiments are made.
        track: Whether runs are logged to MLflow.
        observers: Objects with methods named like the hooks of observers, by name; or a list of them, which are named
            after their classes.
        warn: Called with each warning.
        functions: The functions that a spec names as `python:name`.
        networks: The networks that a spec names as `kind: python:name`: modules, or what makes one for each seed.
        losses: The losses that a spec names so: functions of the step.
        metrics: The metrics that a spec names so: functions of samples and real items. With any of these four, or with
            data from Python, a run cannot be run again from its spec alone.
        announce: Called with a description of the data, and whether something was left out; by default it is logged.
        setup: Set by those who make experiments for users.
        progress: Whether a notebook shows bars, curves and pictures while runs train; elsewhere nothing is shown.
    """

    spec: Spec
    registry: Registry = field(default_factory=installed)
    folder: Path = Path("runs")
    track: bool = True
    observers: Observers = field(default_factory=dict)
    warn: Warn = warn_in_python
    functions: Functions = field(default_factory=dict)
    networks: Mapping[str, Any] = field(default_factory=dict)
    losses: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    announce: Callable[[str, bool], None] | None = None
    setup: Setup = field(default_factory=Setup)
    progress: bool = True

    def __post_init__(self) -> None:
        """Let the spec know the objects; name observers; make paths absolute: a program may change its folder."""
        self.spec, self.registry = given.recheck(self.spec, self.registry, self._objects)
        self.observers = name_observers(self.observers)
        self.folder = place(self.folder)
        resumed, floors = self.setup.resumed, self.setup.floors
        self.setup = replace(self.setup, resumed=resumed and place(resumed), floors=floors and place(floors))
        self._here = Path.cwd()

    @classmethod
    def from_recipe(cls, name: str, overrides: Iterable[str] = (), **options: Any) -> Experiment:
        """An experiment from a recipe, a file or a finished run, with overrides such as `training.iterations=2000`.

        `data` may be any map-style `torch.utils.data.Dataset`, or an `allmodes.Data`, in the place of the spec's;
        `networks`, `losses` and `metrics` are objects by name, which the spec names as `kind: python:name`.

        Raises SpecError with a line for each problem.
        """
        options = _with_data(options)
        if (data := options["setup"].data) is not None:
            overrides = [*overrides, f"data={PythonConfig.of(data).model_dump_json()}"]
        return cls(loading.load(name, options["registry"], overrides), **options)

    @classmethod
    def from_spec(cls, values: Mapping[str, Any], **options: Any) -> Experiment:
        """An experiment from a mapping, whose values may be config objects; `data` and others as for `from_recipe`."""
        options = _with_data(options)
        if (data := options["setup"].data) is not None:
            values = {**values, "data": PythonConfig.of(data)}
        return cls(loading.parse(values, options["registry"]), **options)

    @classmethod
    def resume(cls, run: str | Path, overrides: Iterable[str] = (), **options: Any) -> Experiment:
        """An experiment that goes on in its folder (or in that of one of its seeds) where it was interrupted.

        Overrides may train longer (`training.iterations=20000`) or evaluate otherwise. It is tracked if it was before,
        unless `track` is given. What came from Python, such as `data` or `networks`, has to be given again.

        Raises SpecError where there is no run, an override would make it another one, or nothing is left to do.
        """
        options = _with_data(options)
        folder, spec = resume.prepare(place(run), options["registry"], list(overrides))
        options["track"] = resume.was_tracked(folder) if options.get("track") is None else options["track"]
        options["setup"] = replace(options["setup"], resumed=folder)
        return cls(spec, folder=folder.parent, **options)

    def vary(self, settings: Mapping[str, Any]) -> list[Experiment]:
        """An experiment for each combination of settings, as in a spec's `vary`, with all else as it is here.

        `{"training.batch_size": [64, 128], "seeds": "0-2"}` gives two, each of three seeds. They are named by this
        experiment's name and by what differs; the folders that they run in may be given to `allmodes.compare`.

        Raises SpecError with a line for each problem of any of them.
        """
        source = SpecSource(loading.dump_values(self.spec), self.spec.name)
        found = members(source, to_axes(settings), self.registry)
        return [replace(self, spec=_name_after(self.spec, member)) for member in found]

    def __repr__(self) -> str:
        return experiment_text(self)

    def _repr_html_(self) -> str:
        return experiment_html(self)

    @cached_property
    def resources(self) -> Resources:
        """Device, data, metrics and floors, which the runs share."""
        return Resources(self.spec, self.setup, self.warn, self._here, self.announce)

    @property
    def data(self) -> Data:
        """The data on the device; raises DataError or CompositionError where there is a problem with them."""
        return self.resources.data

    @property
    def turns(self) -> tuple[TurnConfig, ...]:
        """The schedule of an iteration written out: a turn for each player, or one that players share."""
        return turns_of(self.spec, players_of(self.spec))

    def beside(self) -> dict[str, dict[str, float]]:
        """Measure what a model of this spec has to beat, and train nothing.

        The scores of `real data`, and of each reference sampler by its row, on the spec's metrics with as many samples.
        They are those that a run shows beside its own, and are kept for runs. A metric that only a model has, such as
        `ivom`, has no number. Raises as `run` does where data or metrics are missing.
        """
        self.prepare()
        found = {"real data": self.resources.floors, **self.resources.references}
        return {row: dict(numbers) for row, numbers in found.items()}

    @plain_torch()
    def draw_references(self, draws: int) -> dict[str, list[dict[str, float]]]:
        """The scores of single draws of each reference sampler of the spec, by its row; nothing is trained.

        A sampler is fitted once; each draw has as many samples as a run and held-out items of its own, so that a test
        may compare draws with the seeds of a method. Raises what the sampler or a metric raises.
        """
        self.resources.prepare()
        return draw_references(self.spec, self.data, self.resources.metrics, draws)

    @plain_torch()
    def run(
        self,
        seeds: Sequence[int] | None = None,
        stop: Stop | None = None,
        observers: Observers = (),
    ) -> Results:
        """Train every seed, one after another, and return what they gave; `observers` join those of the experiment.

        Ctrl-C finishes the turn, saves a checkpoint and the model, and ends with the status `killed`. SIGTERM does so
        too, and then ends the program (SystemExit with 143, or the program's own handler), unless whoever calls gives
        a `stop` and looks at it. A signal that comes while data are loaded, and what metrics need, ends the program at
        once: nothing is written before. SystemExit in a step ends the run in the same way, and is raised again.

        Raises, before anything is written, SpecError where a seed is invalid, PluginError where an observer would
        observe nothing, or other things than it is meant to.
        """
        own = name_observers(self.observers)
        added = {name: one for name, one in name_observers(observers, own).items() if name not in own}
        seeds, asked = self.spec.seeds if seeds is None else check_seeds(seeds), stop or Stop()
        with meeting(self.spec, seeds, self.resources) as peers:
            if peers is not None and not peers.rank.leads:
                return follow(self, seeds[0], peers, asked)
            results = self._train(seeds, asked, added, peers)
        if stop is None:
            asked.pass_on()
        return results

    def _train(self, seeds: tuple[int, ...], stop: Stop, added: Mapping[str, object], peers: Peers | None) -> Results:
        """Train the seeds; as rank 0, where `peers` train one run together."""
        self._prepare_until(stop)
        folder = self.setup.resumed or make_folder(self.folder, self.spec, seeds, self.setup.named)
        runs = [self.run_of(seed, folder, position, len(seeds)) for position, seed in enumerate(seeds)]
        live = {"display of the notebook": LiveRuns()} if self.progress and is_notebook() else {}
        with self.observed({**live, **added}):
            results = self.trainer(stop, peers).train_all(runs, folder)
        if peers is not None:
            peers.ended = results.status
        return results

    def _prepare_until(self, stop: Stop) -> None:
        """Prepare; a signal ends that, and with it the program: nothing is written yet."""
        try:
            with stop.listening(), stop.interrupting():
                self.prepare()
        except Stopped:
            stop.pass_on()
            raise KeyboardInterrupt from None

    @property
    def _objects(self) -> given.Objects:
        return {"networks": self.networks, "losses": self.losses, "metrics": self.metrics}

    def trainer(self, stop: Stop, peers: Peers | None = None) -> Trainer:
        """What trains runs of this experiment, or one run as rank 0 of `peers`."""
        return Trainer(self.resources, self.registry, self.functions, self.track, stop, peers)

    @plain_torch()
    def prepare(self) -> None:
        """Load the data and what metrics need, so that what is missing is found before a folder is made."""
        if self.track:
            default_store()  # which refuses an address of no kind of store
        for warning in given.find_warnings(self.spec, self._objects):
            self.warn(warning)
        self.resources.prepare()

    @contextmanager
    def observed(self, also: Mapping[str, object] = MappingProxyType({})) -> Iterator[None]:
        """Notify the observers, MLflow's among them where runs are tracked, of what happens within the block."""
        named = name_observers(self.observers)
        tracker = _make_tracker(self.warn, self.setup.sends) if self.track else None
        try:
            # MLflow's comes first, so that an observer that hears of the end may hand the run to another sender.
            with self.registry.observing({**({"mlflow": tracker} if tracker else {}), **also, **named}):
                yield
        finally:
            if tracker:
                tracker.close()

    def run_of(self, seed: int, folder: Path, position: int = 0, seeds: int = 1) -> Run:
        """The run of a seed within the experiment's folder; it is the one at a `position` of `seeds`."""
        run = self.resources.make_run(seed, folder, self.registry)
        rerunnable = self.setup.data is None and not self.functions and not given_in(self.spec)
        objects = given.describe_objects(self.spec, self._objects)
        return replace(run, position=position, seeds=seeds, rerunnable=rerunnable, objects=objects)


def _name_after(spec: Spec, member: Member) -> Spec:
    """The spec of a member, with the name of the one that it varies in front of its own."""
    name = spec.name if member.name == spec.name else shorten(f"{spec.name},{member.name}")
    return member.spec.model_copy(update={"name": name})


def _make_tracker(warn: Warn, sends: bool) -> MlflowObserver:
    from allmodes.tracking import MlflowObserver

    return MlflowObserver(warn=warn, sends=sends)


def _with_data(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a constructor with a registry that has its objects, and with data from Python in the setup."""
    options = dict(options)
    objects = {keyword: options.get(keyword) or {} for keyword in KEYWORDS.values()}
    registry = given.with_objects(options.get("registry") or installed(), objects)
    data, setup = to_data(options.pop("data", None)), options.get("setup") or Setup()
    return {**options, "registry": registry, "setup": replace(setup, data=data)}
