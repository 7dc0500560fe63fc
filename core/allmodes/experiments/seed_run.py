"""The run of one seed: build, train, log, evaluate, save; and what happens when it is stopped or breaks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from allmodes.data import Data
from allmodes.data.labelled import LabelledItems
from allmodes.engine.costs import costs
from allmodes.engine.eager import EagerEngine, Losses
from allmodes.engine.loop import Average, Loop
from allmodes.experiments import collapse
from allmodes.experiments.batches import loader_of
from allmodes.figures import drawing
from allmodes.game.compose import compose
from allmodes.game.contracts import Functions
from allmodes.game.noise import rng
from allmodes.metrics import Evaluation, Metric, measure
from allmodes.models import checkpoints
from allmodes.models import format as model_format
from allmodes.models.checkpoints import Checkpoint
from allmodes.models.page import ModelError, Page
from allmodes.registry.registry import Registry
from allmodes.runs.journal import Journal
from allmodes.runs.run import Outcome, Run, RunError, Status
from allmodes.runs.run_folder import RunFolder
from allmodes.system.durable import write_json
from allmodes.system.signals import Stop
from allmodes.text import redact

RECENT = 0.3
"""Share of a run, at its end, over which `recent` averages are taken."""


class DivergenceError(RuntimeError):
    """A loss or a weight is no longer a finite number."""


class CollapseError(RuntimeError):
    """Modes that the model had captured are lost, and the spec says to stop then."""


@dataclass
class SeedRun:
    """One seed in training. `tell` calls an observer hook; `stop` says whether the user asked to end."""

    run: Run
    data: Data
    metrics: Mapping[str, Metric]
    registry: Registry
    warn: Callable[[str], None]
    stop: Stop
    functions: Functions = field(default_factory=dict)
    labelled: Mapping[str, LabelledItems] | None = None
    evaluations: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    samples: Tensor | None = None
    collapsed: bool = False
    seconds_before: float = 0.0
    saved: int | None = None

    def __post_init__(self) -> None:
        self.folder = RunFolder(self.run.folder)
        self._build()
        self.journal = Journal(self.folder.metrics, self.warn)
        self.run = replace(self.run, journal=self.journal)

    def _build(self) -> None:
        """Everything as it is at the start."""
        spec, seed, device = self.run.spec, self.run.seed, self.run.device
        composition = compose(spec, self.data.to("cpu"), seed, self.functions)
        for module in composition.modules.values():
            module.to(device).train()
        self.loop = Loop(
            composition,
            EagerEngine(composition),
            loader_of(spec, self.data, seed, self.labelled),
            rng(seed, "noise", device),
            Average(spec.training.ema, composition) if spec.training.ema else None,
        )

    # The run

    def train(self, floors: Callable[[], Mapping[str, float]]) -> Outcome:
        """Train to the end, to the user's stop, or to an error; observers are told which, and the model is saved."""
        self.begin()
        status: Status = "failed"
        error: str | None = None
        try:
            status = self.advance(self.run.spec.training.iterations)
            self.checkpoint()
        except BaseException as problem:
            said = redact.text(str(problem))
            error = f"{type(problem).__name__}: {said}" if said else type(problem).__name__
            status = "killed" if isinstance(problem, KeyboardInterrupt) else "failed"
            if not isinstance(problem, DivergenceError | CollapseError | KeyboardInterrupt):
                raise
        finally:
            self.loop.loader.close()
            outcome = self._finish(status, error, floors if status == "finished" else dict)
        return outcome

    def begin(self) -> None:
        """Start the clock and tell the observers."""
        self.began = self.saved_at = time.monotonic()
        self.idle = 0.0
        self.journal.start(self.loop.iteration)
        self._tell("run_started")

    def advance(self, until: int) -> Status:
        """Train to an iteration, logging, evaluating and saving on their cadences, or to the user's stop."""
        spec, loop = self.run.spec, self.loop
        while loop.iteration < until and not self.stop.asked:
            losses = loop.iterate()
            if loop.iteration % spec.training.log_every == 0 or loop.iteration == 1:
                self._log_losses(losses)
            if loop.iteration % spec.evaluation.every == 0 or loop.iteration == spec.training.iterations:
                self.evaluate()
            if self._checkpoint_due():
                self.checkpoint()
        return "killed" if self.stop.asked else "finished"

    @property
    def seconds(self) -> float:
        """Time spent on training so far, in s, without evaluations."""
        return self.seconds_before + time.monotonic() - self.began - self.idle

    # Measuring

    def evaluate(self) -> dict[str, float]:
        """Measure the model on fresh draws, log the numbers and pictures."""
        began, iteration = time.monotonic(), self.loop.iteration
        evaluation = self._evaluation()
        self.samples = evaluation.samples
        results = measure.measure(self.metrics, evaluation, self.warn)
        self.evaluations.append((iteration, results))
        self._log({f"eval/{key}": value for key, value in results.items()})
        if self.run.spec.evaluation.figure:
            self._draw(evaluation, results)
        self.idle += time.monotonic() - began
        self._watch()
        if self._is_best():
            self.checkpoint(best=True)
        return results

    def recent(self) -> dict[str, float]:
        """Mean of each metric over the evaluations in the last part of the run; NaN where one withheld the number."""
        since = (1 - RECENT) * self.loop.iteration
        last = [results for iteration, results in self.evaluations if iteration >= since]
        shared = set.intersection(*map(set, last)) if last else set()
        return {key: sum(r[key] for r in last) / len(last) for key in (last[-1] if last else ()) if key in shared}

    def _evaluation(self) -> Evaluation:
        run, loop = self.run, self.loop
        n = run.spec.evaluation.samples
        return measure.evaluation(loop.composition, loop.sampled(), self.data, n, run.seed, loop.iteration, run.device)

    def _watch(self) -> None:
        """Say when the model has lost half of what it had: once for each fall."""
        *past, present = [results for _, results in self.evaluations]
        most, left = collapse.most_held(past, self.data), collapse.captured(present)
        before, self.collapsed = self.collapsed, most > 1 and left <= most / 2
        action = self.run.spec.evaluation.collapse
        if not self.collapsed or action == "ignore":
            return
        what = f"{left:.0f} of {most:.0f} modes are left at iteration {self.loop.iteration}"
        if action == "stop":
            self.checkpoint()
            raise CollapseError(f"{what}; evaluation.collapse is stop")
        if not before:
            self.warn(f"{self.run.name}: collapse: {what}")

    def _is_best(self) -> bool:
        """Whether the last evaluation is the best so far by the metric that the spec names."""
        key = self.run.spec.training.checkpoints.best
        better = {k: v for metric in self.metrics.values() for k, v in metric.better.items()}
        sign = -1 if better.get(key or "") == "lower" else 1
        *before, last = [sign * results.get(key or "", math.nan) for _, results in self.evaluations]
        return not math.isnan(last) and not any(value >= last for value in before)

    def _draw(self, evaluation: Evaluation, results: Mapping[str, float]) -> None:
        iteration, folder = self.loop.iteration, self.folder.figures
        title = f"{self.run.name}  iteration {iteration:,}"
        title += f"\nmodes {results['modes']:.0f}" if "modes" in results else ""
        title += f"  high quality {results['high_quality']:.0%}" if "high_quality" in results else ""
        try:
            path = folder / f"samples-{iteration:08d}.png"
            drawing.draw_samples(evaluation.samples, self.data, path, title)
            self._log_figure(path, "samples")
        except OSError as error:
            self.warn(f"{self.run.name}: no picture at iteration {iteration}: {error.strerror or error}")
        for name, path in measure.pictures(self.metrics, evaluation, folder, iteration, self.warn):
            self._log_figure(path, name)

    def _log_losses(self, losses: Losses) -> None:
        # One transfer for all terms; asking each for its value would wait for the device once for each.
        # There is none where no term was due.
        values = torch.stack([value.detach() for value in losses.values()]).tolist() if losses else []
        named = {f"train/{player}/{term}": value for (player, term), value in zip(losses, values, strict=True)}
        rate = {"time/iterations_per_second": self.loop.iteration / self.seconds, "time/seconds": self.seconds}
        self._log(named | rate)
        if broken := [name for name, value in named.items() if not math.isfinite(value)]:
            raise DivergenceError(_diverged(broken, self.loop.iteration))

    def _log(self, metrics: Mapping[str, float]) -> None:
        self.journal.write(self.loop.iteration, metrics)
        self._tell("metrics_logged", iteration=self.loop.iteration, metrics=metrics)

    def _log_figure(self, path: Path, name: str) -> None:
        self.journal.figure(self.loop.iteration, path)
        self._tell("samples_drawn", iteration=self.loop.iteration, figure=path, name=name)

    # Saving

    def checkpoint(self, best: bool = False) -> None:
        """Save everything that a resumed run needs; a disk that takes nothing costs a warning, not the run.

        Raises DivergenceError rather than save weights that are not finite.
        """
        if self.saved == self.loop.iteration:
            return
        began = self.saved_at = time.monotonic()
        device, data = torch.device(self.run.device).type, self.run.data.get("fingerprint")
        page = self._page(best=best, device=device, data=data)
        modules = self._checked_modules()
        try:
            self.journal.settle()
            checkpoints.write(self.folder, modules, page, self._state())
            checkpoints.delete_old(self.folder, self.run.spec.training.checkpoints.keep, self.loop.iteration)
            self.saved = self.loop.iteration
        except OSError as error:
            self.warn(f"{self.run.name}: no checkpoint at iteration {self.loop.iteration}: {error.strerror or error}")
        self.idle += time.monotonic() - began

    def _checkpoint_due(self) -> bool:
        config = self.run.spec.training.checkpoints
        late = time.monotonic() - self.saved_at >= 60 * config.minutes
        return late or self.loop.iteration % config.every == 0

    def restore(self) -> None:
        """Go on from the newest checkpoint that can be read, or from the start where there is none."""
        if not checkpoints.restore_newest(self.folder, self.warn, self._use):
            self.warn(f"{self.run.name} has no checkpoint that can be read: it starts from the beginning")
            self.loop.loader.close()
            self._build()  # one that did not fit may have been taken in part
        self.run = replace(self.run, iteration=self.loop.iteration)

    def _use(self, checkpoint: Checkpoint) -> None:
        here = torch.device(self.run.device).type
        if (there := checkpoint.page.get("device", here)) != here:  # not to be passed over: nothing is wrong with it
            what = f"{checkpoint.folder} was written on {there} and cannot go on on {here}"
            raise RunError(f"{what}: set training.device={there}")
        if (then := checkpoint.page.get("data", now := self.run.data.get("fingerprint"))) != now:
            what = f"{checkpoint.folder} was trained on other data"
            raise RunError(f"{what} (fingerprint {then}, these have {now})")
        checkpoint.restore(self._modules())
        try:
            self._set_state(checkpoint.state)
            self.saved = self.loop.iteration
        except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
            what = "its state does not fit the spec"
            raise ModelError(f"{what}: {type(error).__name__}: {model_format.shorten_error(error)}") from None

    def _state(self) -> checkpoints.State:
        measured = {"evaluations": self.evaluations, "collapsed": self.collapsed}
        return {"loop": self.loop.state_dict(), "seconds": self.seconds, **measured}

    def _set_state(self, state: checkpoints.State) -> None:
        self.loop.load_state_dict(state["loop"])
        self.seconds_before, self.collapsed = state["seconds"], state["collapsed"]
        self.evaluations = [(iteration, dict(results)) for iteration, results in state["evaluations"]]

    def _modules(self) -> dict[str, nn.Module]:
        averages = self.loop.average.modules if self.loop.average else {}
        return {**self.loop.composition.modules, **{model_format.AVERAGE + name: m for name, m in averages.items()}}

    def _checked_modules(self) -> dict[str, nn.Module]:
        modules = self._modules()
        broken = [name for name, module in modules.items() if not _finite(module)]
        if broken:
            raise DivergenceError(_diverged([f"the weights of {name}" for name in broken], self.loop.iteration))
        return modules

    def _page(self, **facts: Any) -> Page:
        modules = self.loop.composition.modules
        page = model_format.make_page(modules, self.data.shape, self.data.units, self.loop.iteration)
        return page | {"plugins": dict(self.run.plugins)} | facts

    def _finish(self, status: Status, error: str | None, floors: Callable[[], Mapping[str, float]]) -> Outcome:
        seconds = self.seconds
        try:
            model_format.save(dict(self.loop.sampled()), self._page(), self.folder.model)
        except OSError as problem:
            status, error = "failed", error or f"the model could not be saved: {problem.strerror or problem}"
        results = self.evaluations[-1][1] if self.evaluations else {}
        recent = {f"recent_{key}": value for key, value in self.recent().items()}
        spent = costs(self.loop.composition, self.run.spec.training.batch_size, self.loop.iteration)
        outcome = Outcome(status, self.loop.iteration, seconds, results | recent, floors(), error, spent)
        try:
            write_json(self.folder.results, vars(outcome))
        except OSError as problem:
            self.warn(f"{self.run.name}: results.json could not be written: {problem.strerror or problem}")
        self.journal.end(vars(outcome))
        self._tell("run_finished", outcome=outcome)
        return outcome

    def _tell(self, hook: str, **arguments: Any) -> None:
        self.registry.notify(hook, self.warn, run=self.run, **arguments)


def _finite(module: nn.Module) -> bool:
    floats = [tensor for tensor in module.state_dict().values() if tensor.is_floating_point()]
    return all(bool(tensor.isfinite().all()) for tensor in floats)


def _diverged(what: list[str], iteration: int) -> str:
    verb = "is" if len(what) == 1 and not what[0].startswith("the weights") else "are"
    remedy = "lower the learning rate, or add a penalty such as {kind: r1}"
    return f"{', '.join(what)} {verb} no longer finite at iteration {iteration}: {remedy}"
