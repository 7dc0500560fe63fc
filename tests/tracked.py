"""Runs to track, and stores to track them in."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from allmodes.runs.journal import Journal
from allmodes.runs.run import Outcome, Run
from allmodes.tracking import MlflowObserver
from allmodes.tracking.events import Description, End, Numbers
from allmodes.tracking.receipt import Receipt
from allmodes_schemas import (
    DatasetConfig,
    EvaluationConfig,
    LossTermConfig,
    NetworkConfig,
    PriorConfig,
    Spec,
    TrainingConfig,
)

FINISHED = Outcome("finished", iteration=20, seconds=1.5, results={"modes": 24.0}, floors={"modes": 25.0})


class Dots(DatasetConfig):
    kind: Literal["dots"] = "dots"
    side: int = 5


class Bell(PriorConfig):
    kind: Literal["bell"] = "bell"
    dim: int = 2


class Body(NetworkConfig):
    kind: Literal["body"] = "body"
    hidden: tuple[int, ...] = (8, 4)
    note: str = "x" * 7000


class Duel(LossTermConfig):
    is_game: ClassVar[bool] = True
    kind: Literal["duel"] = "duel"


class Toll(LossTermConfig):
    kind: Literal["toll"] = "toll"


class Training:
    """Writes the logs of runs and tells an observer of MLflow, as training does."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.observer = MlflowObserver(*args, **options)
        self.runs: dict[Path, Run] = {}

    def allmodes_run_started(self, run: Run) -> None:
        log = Journal(run.folder / "metrics.jsonl", self.observer._warn)
        self.runs[run.folder] = replace(run, journal=log)
        log.start(run.iteration)
        self.observer.allmodes_run_started(self.runs[run.folder])

    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        self._log(run).write(iteration, metrics)
        self.observer.allmodes_metrics_logged(self.runs[run.folder], iteration)

    def allmodes_samples_drawn(self, run: Run, iteration: int, figure: Path) -> None:
        self._log(run).figure(iteration, figure)

    def allmodes_run_finished(self, run: Run, outcome: Outcome) -> None:
        self._log(run).end(vars(outcome))
        self.observer.allmodes_run_finished(self.runs.pop(run.folder))

    def close(self, *args: float, **options: float) -> None:
        self.observer.close(*args, **options)

    def _log(self, run: Run) -> Journal:
        log = self.runs[run.folder].journal
        assert log is not None
        return log


class Recorder:
    """A store that remembers what it gets."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def has(self, receipt: Receipt) -> bool:
        return True

    def start(self, start: Description, folder: Path, receipt: Receipt | None) -> Receipt:
        self.told.append(("start", start.seed))
        return receipt or Receipt("run", "parent", "sqlite:////store", "0")

    def log(self, receipt: Receipt, events: Sequence[Numbers]) -> None:
        self.told += [("step", event.iteration) for event in events]

    def end(self, receipt: Receipt, start: Description, end: End, folder: Path) -> None:
        self.told.append(("end", end.status))


def spec_of(*seeds: int) -> Spec:
    return Spec.model_construct(
        name="dots-and-bells",
        data=Dots(),
        prior=Bell(),
        generator=Body(),
        discriminator=Body(),
        losses=(Toll(), Duel(weight=2.0)),
        training=TrainingConfig(),
        evaluation=EvaluationConfig(),
        seeds=seeds,
    )


def runs_in(folder: Path, *seeds: int) -> list[Run]:
    runs = []
    for position, seed in enumerate(seeds):
        place = folder / f"seed-{seed}"
        place.mkdir(parents=True)
        (place / "spec.yaml").write_text("name: dots-and-bells\n")
        runs.append(
            Run(
                spec_of(*seeds),
                seed,
                place,
                experiment="20261122-abc",
                position=position,
                seeds=len(seeds),
                device="cpu",
                plugins={"allmodes-dots": "0.3"},
                data={"kind": "dots", "fingerprint": "sha256:" + "f" * 64, "items": 100, "shape": (2,)},
            )
        )
    return runs


def picture(path: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (8, 8), "white").save(path)
    return path


def logged(client: Any, name: str = "allmodes") -> tuple[Any, list[Any]]:
    """The experiment's run and its seeds' runs in their order."""
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    (parent,) = [run for run in runs if run.data.tags["allmodes.kind"] == "experiment"]
    children = [run for run in runs if run.data.tags["allmodes.kind"] == "seed"]
    assert all(child.data.tags["mlflow.parentRunId"] == parent.info.run_id for child in children)
    return parent, sorted(children, key=lambda child: int(child.data.tags["allmodes.seed"]))


def files(client: Any, run: Any, folder: str | None = None) -> list[str]:
    return [found.path for found in client.list_artifacts(run.info.run_id, folder)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
