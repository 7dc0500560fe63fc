"""A store, told in MLflow's words what happened: the only module that imports mlflow; used by the writer's thread."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.exceptions import MlflowException

from allmodes.tracking import description
from allmodes.tracking.address import artifacts, shown, sqlite_file

if TYPE_CHECKING:
    from PIL.Image import Image

    from allmodes.run import Outcome, Run

T = TypeVar("T")

SQLITE_WAIT = 20.0  # s for another process that writes to the SQLite store, as long as MLflow itself waits
METRICS_PER_BATCH, PARAMS_PER_BATCH = 1000, 100  # MLflow's own limits
CHATTY = ("mlflow.store.db.utils", "alembic.runtime.migration", "urllib3.connectionpool")


@dataclass(frozen=True)
class Ids:
    """Where a run lives in MLflow; stored beside the run so that resuming can continue it."""

    run_id: str
    parent_run_id: str
    tracking_uri: str
    experiment_id: str


class Store:
    """A connection, and the runs that are being logged through it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._ids: dict[Path, Ids] = {}
        self._waiting: dict[str, list[Metric]] = {}
        self.client = connect(address)

    def start(self, run: Run, timestamp: int) -> None:
        """Open a run, or go on with the one that its folder was logged to."""
        ids = self._ids[run.folder] = self._continued(run) or self._created(run, timestamp)
        (run.folder / "mlflow.json").write_text(json.dumps(vars(ids), indent=2) + "\n")

    def log(self, run: Run, iteration: int, metrics: Mapping[str, float], timestamp: int) -> None:
        """Note metrics for the next `flush`."""
        self._note(self._ids[run.folder].run_id, iteration, metrics, timestamp)

    def flush(self) -> None:
        """Send the metrics that were noted."""
        for run_id, metrics in self._waiting.items():
            for batch in _batches(metrics, METRICS_PER_BATCH):
                self.client.log_batch(run_id, metrics=batch)
        self._waiting.clear()

    def draw(self, run: Run, iteration: int, image: Image, timestamp: int) -> None:
        """Send a picture of samples."""
        run_id = self._ids[run.folder].run_id
        self.client.log_image(run_id, image, key="samples", step=iteration, timestamp=timestamp)

    def end(self, run: Run, outcome: Outcome, timestamp: int) -> None:
        """Send results and model, end the run, and bring that of the experiment up to date."""
        ids = self._ids.pop(run.folder)
        last = {f"final/{name}": value for name, value in outcome.results.items()}
        last |= {f"floor/{name}": value for name, value in outcome.floors.items()}
        self._note(ids.run_id, outcome.iteration, last, timestamp)
        for path in (run.folder / "model", run.folder / "results.json"):
            self._upload(ids.run_id, path)
        if outcome.error is not None:
            self.client.set_tag(ids.run_id, "allmodes.error", outcome.error[: description.TAG])
        self.flush()
        self.client.set_terminated(ids.run_id, outcome.status.upper(), timestamp)
        self._summarise(run, ids, timestamp)

    def _continued(self, run: Run) -> Ids | None:
        """The run that this folder was logged to before, set running again, if this store has it."""
        try:
            ids = Ids(**json.loads((run.folder / "mlflow.json").read_text()))
            if ids.tracking_uri != shown(self._address):
                return None
            for run_id in (ids.run_id, ids.parent_run_id):
                self.client.update_run(run_id, status="RUNNING")
        except (OSError, ValueError, TypeError, MlflowException):
            return None
        return ids

    def _created(self, run: Run, timestamp: int) -> Ids:
        experiment = _experiment(self.client, self._address)
        parent = self._parent(run, experiment, timestamp)
        tags = {"allmodes.kind": "seed", "allmodes.seed": str(run.seed), "mlflow.parentRunId": parent}
        child = self._create(run, experiment, f"seed-{run.seed}", tags, timestamp)
        return Ids(child, parent, shown(self._address), experiment)

    def _parent(self, run: Run, experiment: str, timestamp: int) -> str:
        """The experiment's run: another seed, perhaps of another process, may have opened it."""
        mine = f"tags.`allmodes.kind` = 'experiment' and tags.`allmodes.experiment` = '{run.experiment}'"
        for found in self.client.search_runs([experiment], mine, max_results=1):
            return str(found.info.run_id)
        seeds = ", ".join(str(seed) for seed in run.spec.seeds)[: description.TAG]
        tags = {"allmodes.kind": "experiment", "allmodes.seeds": seeds}
        return self._create(run, experiment, run.spec.name, tags, timestamp)

    def _create(self, run: Run, experiment: str, name: str, tags: Mapping[str, str], timestamp: int) -> str:
        tags = {**description.tags(run), **tags}
        run_id = str(self.client.create_run(experiment, timestamp, tags, name).info.run_id)
        for params in _batches([Param(*item) for item in description.params(run).items()], PARAMS_PER_BATCH):
            self.client.log_batch(run_id, params=params)
        context = InputTag("mlflow.data.context", "training")
        self.client.log_inputs(run_id, [DatasetInput(Dataset(**description.dataset(run)), [context])])
        self._upload(run_id, run.folder / "spec.yaml")
        return run_id

    def _note(self, run_id: str, step: int, metrics: Mapping[str, float], timestamp: int) -> None:
        told = [Metric(description.key(name), float(value), timestamp, step) for name, value in metrics.items()]
        self._waiting.setdefault(run_id, []).extend(told)

    def _summarise(self, run: Run, ids: Ids, timestamp: int) -> None:
        """Bring the experiment's run up to date from its seeds as the store has them, whichever process ran them."""
        mine = f"tags.`mlflow.parentRunId` = '{ids.parent_run_id}'"
        seeds = self.client.search_runs([ids.experiment_id], mine, max_results=10_000)
        finished = [seed.data.metrics for seed in seeds if seed.info.status == "FINISHED"]
        self._note(ids.parent_run_id, len(finished), _means(finished), timestamp)
        self.flush()
        if status := _overall([seed.info.status for seed in seeds], run):
            self.client.set_terminated(ids.parent_run_id, status, timestamp)

    def _upload(self, run_id: str, path: Path) -> None:
        """Store a file, or a folder under its name; what is not there is not stored."""
        if path.is_dir():
            self.client.log_artifacts(run_id, str(path), path.name)
        elif path.exists():
            self.client.log_artifact(run_id, str(path))


def connect(address: str) -> MlflowClient:
    """A client of the store, whose database is created if need be."""
    for name in CHATTY:  # they tell of creating a database, of retries and errors; our own warning says what matters
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if (file := sqlite_file(address)) is None:
        return MlflowClient(tracking_uri=address)
    file.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(file.parent):
        _check_writable(file)
        return MlflowClient(tracking_uri=address)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time open a SQLite store: MLflow fails where two create its tables at once."""
    handle = None
    with contextlib.suppress(OSError, ImportError):  # Windows and some network file systems lock no folders
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)  # which lets go, as does the death of the process


def _check_writable(file: Path) -> None:
    """Fail at once on a SQLite file that cannot be written: MLflow would try again for 100 seconds."""
    with contextlib.closing(sqlite3.connect(file, timeout=SQLITE_WAIT)) as database:
        database.execute("BEGIN IMMEDIATE")


def _experiment(client: MlflowClient, address: str) -> str:
    """Id of the MLflow experiment that runs go to, created if it is not there."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "allmodes"
    if (known := client.get_experiment_by_name(name)) is None:
        try:
            return str(client.create_experiment(name, artifact_location=artifacts(address)))
        except MlflowException:  # another process was faster, or the store is at fault
            if (known := client.get_experiment_by_name(name)) is None:
                raise
    return str(known.experiment_id)


def _means(finished: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean over the seeds of each final metric that all of them have."""
    shared = set.intersection(*map(set, finished)) if finished else set()
    return {name: fmean(metrics[name] for metrics in finished) for name in sorted(shared) if name.startswith("final/")}


def _overall(statuses: Sequence[str], run: Run) -> str | None:
    """Status of an experiment from its seeds: the worst of them, or None while it still runs."""
    for bad in ("KILLED", "FAILED"):
        if bad in statuses:
            return bad
    ended = run.position == run.seeds - 1 or len(statuses) >= run.seeds
    return "FINISHED" if ended and set(statuses) == {"FINISHED"} else None


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
