"""The run of one seed: build, train, log, evaluate, save; and what happens when it is stopped or breaks."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from allmodes import figures, models
from allmodes.compose import compose, stream
from allmodes.data import Data
from allmodes.engine import EagerEngine, Losses
from allmodes.loop import Average, Loop
from allmodes.metrics import Evaluation, Metric
from allmodes.registry import Registry
from allmodes.run import Outcome, Run, Status
from allmodes.sampling import draw
from allmodes_schemas import Given

RECENT = 0.3
"""Share of a run, at its end, over which `recent` averages are taken."""


class DivergenceError(RuntimeError):
    """A loss is no longer a finite number."""


class CollapseError(RuntimeError):
    """Modes that the model had captured are lost, and the spec says to stop then."""


class Stop:
    """Set by Ctrl-C or SIGTERM; the turn in progress is finished first. A second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the two signals within the block (Python allows that in the main thread only)."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass
class SeedRun:
    """One seed in training. `tell` calls an observer hook; `stop` says whether the user asked to end."""

    run: Run
    data: Data
    metrics: Mapping[str, Metric]
    registry: Registry
    warn: Callable[[str], None]
    stop: Stop
    evaluations: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    samples: Tensor | None = None
    collapsed: bool = False

    def __post_init__(self) -> None:
        spec, seed, device = self.run.spec, self.run.seed, self.run.device
        composition = compose(spec, self.data.to("cpu"), seed)
        for module in composition.modules.values():
            module.to(device).train()
        self.loop = Loop(
            composition,
            EagerEngine(composition),
            self.data.loader(spec.training.batch_size, stream(seed, "data").initial_seed()),
            stream(seed, "noise", device),
            Average(spec.training.ema, composition) if spec.training.ema else None,
        )

    def train(self, floors: Callable[[], Mapping[str, float]]) -> Outcome:
        """Train to the end, to the user's stop, or to an error; observers are told which, and the model is saved."""
        self.begin()
        status: Status = "failed"
        error: str | None = None
        try:
            status = self.advance(self.run.spec.training.iterations)
        except BaseException as problem:
            error = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
            status = "killed" if isinstance(problem, KeyboardInterrupt) else "failed"
            if not isinstance(problem, DivergenceError | CollapseError | KeyboardInterrupt):
                raise
        finally:
            outcome = self._finish(status, error, floors if status == "finished" else dict)
        return outcome

    def evaluate(self) -> dict[str, float]:
        """Measure the model on fresh draws, log the numbers and a picture."""
        began = time.monotonic()
        evaluation = self._evaluation()
        self.samples = evaluation.samples
        results: dict[str, float] = {}
        for metric in self.metrics.values():
            results |= metric.compute(evaluation)
        self.evaluations.append((self.loop.iteration, results))
        self._log({f"eval/{key}": value for key, value in results.items()})
        if self.run.spec.evaluation.figure:
            self._draw(evaluation.samples, results)
        self._watch()
        self.idle += time.monotonic() - began
        return results

    def recent(self) -> dict[str, float]:
        """Mean of each metric over the evaluations in the last part of the run."""
        since = (1 - RECENT) * self.loop.iteration
        last = [results for iteration, results in self.evaluations if iteration >= since]
        return {key: sum(r[key] for r in last) / len(last) for key in (last[0] if last else ())}

    def begin(self) -> None:
        """Start the clock and tell the observers."""
        self.began, self.idle = time.monotonic(), 0.0
        self._tell("run_started")

    def advance(self, until: int) -> Status:
        """Train to an iteration, logging and evaluating on their cadences, or to the user's stop."""
        spec, loop = self.run.spec, self.loop
        while loop.iteration < until and not self.stop.asked:
            losses = loop.iterate()
            if loop.iteration % spec.training.log_every == 0 or loop.iteration == 1:
                self._log_losses(losses)
            if loop.iteration % spec.evaluation.every == 0 or loop.iteration == spec.training.iterations:
                self.evaluate()
        return "killed" if self.stop.asked else "finished"

    def _evaluation(self) -> Evaluation:
        n, modules = self.run.spec.evaluation.samples, self.loop.sampled()
        generator = stream(self.run.seed, f"evaluation/{self.loop.iteration}", self.run.device)
        real = self.data.held_out(n, generator)

        def sample(n: int, given: Given) -> Tensor:
            return draw(modules, n, generator, given)

        def encode(name: str, x: Tensor) -> Any:
            return self.loop.composition.modules[name](x.to(self.run.device))

        on_cpu = type(real)(real.x.cpu(), None if real.labels is None else real.labels.cpu())
        cpu = stream(self.run.seed, f"metrics/{self.loop.iteration}")
        return Evaluation(sample(n, {}), self.data, on_cpu, cpu, sample, encode, modules)

    def _watch(self) -> None:
        """Say when the model has lost half of what it had: once for each fall."""
        counts = [r.get("modes", r.get("classes", math.nan)) for _, r in self.evaluations]
        most, action = max(counts[:-1], default=math.nan), self.run.spec.evaluation.collapse
        before, self.collapsed = self.collapsed, most > 1 and counts[-1] <= most / 2
        if not self.collapsed or action == "ignore":
            return
        what = f"{counts[-1]:.0f} of {most:.0f} modes are left at iteration {self.loop.iteration}"
        if action == "stop":
            raise CollapseError(f"{what}; evaluation.collapse is stop")
        if not before:
            self.warn(f"{self.run.name}: collapse: {what}")

    def _draw(self, samples: Tensor, results: Mapping[str, float]) -> None:
        title = f"{self.run.name}  iteration {self.loop.iteration:,}"
        title += f"\nmodes {results['modes']:.0f}" if "modes" in results else ""
        title += f"  high quality {results['high_quality']:.0%}" if "high_quality" in results else ""
        path = self.run.folder / "figures" / f"samples-{self.loop.iteration:08d}.png"
        figures.draw_samples(samples, self.data, path, title)
        self._tell("samples_drawn", iteration=self.loop.iteration, figure=path)

    def _log_losses(self, losses: Losses) -> None:
        # One transfer for all terms; asking each for its value would wait for the device once for each.
        values = torch.stack([value.detach() for value in losses.values()]).tolist()
        named = {f"train/{player}/{term}": value for (player, term), value in zip(losses, values, strict=True)}
        seconds = time.monotonic() - self.began - self.idle
        rate = {"time/iterations_per_second": self.loop.iteration / seconds, "time/seconds": seconds}
        self._log(named | rate)
        if broken := [name for name, value in named.items() if not math.isfinite(value)]:
            raise DivergenceError(
                f"{', '.join(broken)} is no longer finite at iteration {self.loop.iteration}: lower the learning rate, "
                "or add a penalty such as {kind: r1}"
            )

    def _log(self, metrics: Mapping[str, float]) -> None:
        line = {"iteration": self.loop.iteration, **metrics}
        with (self.run.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._tell("metrics_logged", iteration=self.loop.iteration, metrics=metrics)

    def _finish(self, status: Status, error: str | None, floors: Callable[[], Mapping[str, float]]) -> Outcome:
        seconds = time.monotonic() - self.began - self.idle
        modules = {**self.loop.composition.modules, **self.loop.sampled()}
        models.save(modules, self.data.shape, self.run.folder / "model")
        results = self.evaluations[-1][1] if self.evaluations else {}
        recent = {f"recent_{key}": value for key, value in self.recent().items()}
        outcome = Outcome(status, self.loop.iteration, seconds, results | recent, floors(), error)
        write_json(self.run.folder / "results.json", vars(outcome))
        self._tell("run_finished", outcome=outcome)
        return outcome

    def _tell(self, hook: str, **arguments: Any) -> None:
        self.registry.tell(hook, self.warn, run=self.run, **arguments)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write JSON beside the file and rename, so that it is never half written."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(json.dumps(dict(values), indent=1, default=str))
    beside.replace(path)
