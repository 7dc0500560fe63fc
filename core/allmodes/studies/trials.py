"""The trials of a search in Optuna's journal, a file of JSON lines in the study's folder."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from allmodes.specs.axes import Axis
from allmodes.specs.search_plan import SearchPlan
from allmodes.specs.source import SpecError
from allmodes.system.paths import near

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.storages import JournalStorage
    from optuna.trial import FrozenTrial

JOURNAL = "search.jsonl"
STUDY, SETTINGS = "search", "allmodes"
End: TypeAlias = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """A trial: its number, the values that were suggested, and how it ended, if it did."""

    number: int
    values: Mapping[str, Any]
    end: End | None = None
    value: float | None = None
    error: str = ""

    @property
    def name(self) -> str:
        """The name of its method in the study."""
        return f"trial-{self.number:03d}"


@dataclass
class Trials:
    """The trials of a search. Suggestions depend on the plan, the number of a trial and the ends of batches before.

    They are read without a change of the journal, which another command may be writing. Whoever asks or tells holds the
    lock of the study's folder, and begins with `open`.
    """

    folder: Path
    plan: SearchPlan
    _study: OptunaStudy | None = field(default=None, repr=False)
    _is_open: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        check_installed()
        if self.path.is_file():
            self._study = _read(self.path)
            if self._study:
                self._check_settings(self._study)

    @property
    def path(self) -> Path:
        """The journal."""
        return self.folder / JOURNAL

    def all(self) -> list[Trial]:
        """The trials so far, by number."""
        found = self._study.get_trials(deepcopy=False) if self._study else []
        return [_to_trial(one) for one in sorted(found, key=lambda one: one.number)]

    @property
    def left(self) -> int:
        """How many trials have not ended, or not begun."""
        return self.plan.config.trials - sum(trial.end is not None for trial in self.all())

    def next_batch(self) -> list[Trial]:
        """The trials to train now: those of a batch that has not ended, or the next one; none at the end."""
        config, known = self.plan.config, self.all()
        begun = next((trial.number for trial in known if trial.end is None), len(known))
        until = min((begun // config.batch + 1) * config.batch, config.trials)
        for number in range(len(known), until):
            self._ask(number)
        return [trial for trial in self.all() if trial.end is None]

    def tell(self, trial: Trial, end: End, value: float | None, course: Mapping[int, float], error: str = "") -> None:
        """Record how a trial ended: its value, and the value at each evaluation."""
        from optuna.trial import Trial as OptunaTrial
        from optuna.trial import TrialState

        study = self.open()
        frozen = next(one for one in study.get_trials(deepcopy=False) if one.number == trial.number)
        optuna_trial = OptunaTrial(study, frozen._trial_id)
        for iteration, measured in course.items():
            if iteration not in frozen.intermediate_values:
                optuna_trial.report(measured, iteration)
        if error:
            optuna_trial.set_user_attr("error", error)
        states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        study.tell(trial.number, value if end == "complete" else None, states[end])

    def _ask(self, number: int) -> None:
        study = self.open()
        study.sampler = make_sampler(self.plan, number)
        space = {axis.title: one for axis, one in zip(self.plan.axes, distributions(self.plan), strict=True)}
        if study.ask(space).number != number:
            raise RuntimeError(f"{near(self.path)} was changed by another program")

    def open(self) -> OptunaStudy:
        """Open the journal to write to it, or begin it; half a line of a process that was killed is dropped.

        Raises SpecError where it is of another search.
        """
        if self._study is None or not self._is_open:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _quiet():
                self._study = _load(self.path, self.plan)
            if self._check_settings(self._study) is None:
                self._study.set_user_attr(SETTINGS, settings_of(self.plan))
            self._is_open = True
        return self._study

    def _check_settings(self, study: OptunaStudy) -> Mapping[str, Any] | None:
        """The settings that the journal began with, where they are known; raises SpecError where they are others."""
        now = settings_of(self.plan)
        before: Mapping[str, Any] | None = study.user_attrs.get(SETTINGS)
        if before is None:
            return None
        for key, value in now.items():
            if before.get(key) != value:
                place = self.plan.source.place(
                    ("search", key) if key in self.plan.source.tree["search"] else ("search",)
                )
                was = f"is {json.dumps(before.get(key))} in {near(self.folder)} and would be {json.dumps(value)}"
                raise SpecError(f"{place}: search.{key} {was}: search into another folder")
        return before


def check_installed() -> None:
    """Raise SpecError where Optuna is not installed."""
    try:
        import optuna  # noqa: F401
    except ModuleNotFoundError:
        raise SpecError('search: Optuna is not installed here: pip install "allmodes[search]"') from None


def settings_of(plan: SearchPlan) -> dict[str, Any]:
    """What decides which settings are suggested, as plain values."""
    fields = plan.config.model_dump(mode="json", include={"by", "sampler", "seed", "batch", "prune"})
    space = {axis.title: _describe(axis, words) for axis, words in zip(plan.axes, plan.words, strict=True)}
    length = {"iterations": plan.start.training.iterations, "seeds": list(plan.start.seeds)}
    return {**fields, "better": plan.better, "space": space, **length}


def distributions(plan: SearchPlan) -> Iterator[BaseDistribution]:
    """Optuna's distribution of each axis: numbers of a range, or a word for each of its points."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    for axis, words in zip(plan.axes, plan.words, strict=True):
        if not axis.is_open or axis.range is None:
            yield CategoricalDistribution(words)
        elif axis.is_whole:
            yield IntDistribution(round(axis.range.start), round(axis.range.to), log=axis.range.scale == "log")
        else:
            yield FloatDistribution(axis.range.start, axis.range.to, log=axis.range.scale == "log")


def make_sampler(plan: SearchPlan, number: int) -> BaseSampler:
    """The sampler for one trial, so that a search that goes on suggests what one without a break does."""
    from optuna.samplers import RandomSampler, TPESampler

    seed = (plan.config.seed * 1_000_003 + number) % 2**32
    with warnings.catch_warnings(action="ignore"):  # parts of it are called experimental
        return RandomSampler(seed) if plan.config.sampler == "random" else TPESampler(seed=seed, constant_liar=True)


def _read(path: Path) -> OptunaStudy | None:
    """Read a journal; None where it holds no study yet. Half a line at its end is passed over."""
    import optuna

    try:
        with _quiet(), suppress(KeyError):
            return optuna.load_study(storage=_storage(path), study_name=STUDY)
    except ValueError as error:
        remedy = "mend or remove that line, or search into another folder"
        raise SpecError(f"{near(path)}: a line of the search's journal cannot be read ({error}): {remedy}") from error
    return None


def _load(path: Path, plan: SearchPlan) -> OptunaStudy:
    import optuna

    _drop_half_line(path)
    return optuna.create_study(
        storage=_storage(path),
        study_name=STUDY,
        direction="minimize" if plan.better == "lower" else "maximize",
        load_if_exists=True,
    )


def _storage(path: Path) -> JournalStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    with warnings.catch_warnings(action="ignore"):  # the journal was called experimental
        return JournalStorage(JournalFileBackend(str(path)))


def _drop_half_line(path: Path) -> None:
    """Drop what a process that was killed wrote of a line; after it no line could be read."""
    text = path.read_bytes() if path.is_file() else b""
    if text and not text.endswith(b"\n"):
        os.truncate(path, text.rfind(b"\n") + 1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from logging that a study was made."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _describe(axis: Axis, words: list[str]) -> object:
    return axis.range.model_dump(mode="json") if axis.range and axis.is_open else words


def _to_trial(frozen: FrozenTrial) -> Trial:
    from optuna.trial import TrialState

    ends: dict[TrialState, End] = {
        TrialState.COMPLETE: "complete",
        TrialState.PRUNED: "pruned",
        TrialState.FAIL: "failed",
    }
    value = frozen.value if frozen.state == TrialState.COMPLETE else None
    error = str(frozen.user_attrs.get("error", ""))
    return Trial(frozen.number, frozen.params, ends.get(frozen.state), value, error)
