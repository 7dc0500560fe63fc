"""A store, told in MLflow's words what happened; with `flavor` the only module that imports mlflow.

Every call may be repeated: what the store knows already stays as it is.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.entities import Run as Logged
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from allmodes.runs.lock import in_turn
from allmodes.runs.run_folder import RunFolder
from allmodes.tracking import database, description, flavor, pictures, summary, view
from allmodes.tracking.address import artifacts, for_mlflow, shown, sqlite_address, sqlite_file
from allmodes.tracking.receipt import Receipt
from allmodes.tracking.spool import Event

T = TypeVar("T")
Say = Callable[[str], None]

METRICS_PER_BATCH, PARAMS_PER_BATCH = 1000, 100  # MLflow's own limits
NOTE = "mlflow.note.content"
KIND = {"mlflow.experimentKind": "custom_model_development"}  # else the UI asks, and opens a page for chat traces
CHATTY = ("mlflow.store.db.utils", "alembic.runtime.migration", "urllib3.connectionpool")


class Store:
    """A connection to a store; `say` is told of what had to be mended there."""

    def __init__(self, address: str, say: Say) -> None:
        self._address, self._say = address, say
        self.client = connect(address, say)

    def has(self, receipt: Receipt) -> bool:
        """Whether the run and that of its experiment are there and not deleted."""
        return self._is_active(receipt.run_id) and self._is_active(receipt.parent_run_id)

    def _is_active(self, run_id: str) -> bool:
        try:
            return str(self.client.get_run(run_id).info.lifecycle_stage) == "active"
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def start(self, event: Event, folder: Path, receipt: Receipt | None) -> Receipt:
        """Open a run and, for the first seed, its experiment's; or set the run of the receipt running again."""
        with in_turn(folder.parent):
            receipt = receipt or self._opened(event)
        for run_id in (receipt.run_id, receipt.parent_run_id):
            self.client.update_run(run_id, status="RUNNING")
        self._describe(receipt, event, folder)
        return receipt

    def log(self, receipt: Receipt, events: Sequence[Event]) -> None:
        """Send numbers of several iterations."""
        self._log(receipt.run_id, [m for e in events for m in _metrics(e["values"], e["step"], e["time"])])

    def draw(self, receipt: Receipt, event: Event, path: Path) -> None:
        """Send a picture. Raises DamagedError where it cannot be read."""
        with pictures.named(event, receipt.run_id, path) as folder:
            self.client.log_artifacts(receipt.run_id, str(folder), "images")
        self.client.set_tag(receipt.run_id, "mlflow.loggedImages", "True")

    def end(self, receipt: Receipt, event: Event, folder: Path) -> None:
        """Send results and model, end the run, and bring that of the experiment up to date."""
        final = summary.final(event)
        self._log(receipt.run_id, _metrics(final, event["step"], event["time"]))
        self._save_model(receipt, event, folder)
        self._upload(receipt.run_id, RunFolder(folder).results)
        self._note(receipt.run_id, final)
        self._blame(receipt.run_id, event["error"] or "")
        self.client.set_terminated(receipt.run_id, event["status"], event["time"])
        self._summarise(receipt, event)

    def attach(self, receipt: Receipt, files: Sequence[Path], page: str) -> None:
        """Add files and a page of Markdown to the run of an experiment or study."""
        for path in files:
            self._upload(receipt.parent_run_id, path)
        self.client.set_tag(receipt.parent_run_id, NOTE, page[: description.TAG])

    def _opened(self, event: Event) -> Receipt:
        """Find or create the runs of an experiment and of its seed: a process that died may have opened them."""
        experiment = self._experiment(event["mlflow_experiment"])
        known = self._runs(experiment, event["experiment"])
        parents = {run.data.tags.get("mlflow.parentRunId") for run in known}
        parent = self._only((run for run in known if _is_parent(run)), parents)
        if parent is None:
            parent = self._create_parent(experiment, event)
        tags = {"allmodes.kind": "seed", "allmodes.seed": str(event["seed"]), "mlflow.parentRunId": parent}
        mine = (run for run in known if _who(run) == (event["name"], tags["allmodes.seed"]))
        child = self._only(mine) or self._create(experiment, event, f"{event['name']}/seed-{event['seed']}", tags)
        self.client.set_tag(child, "mlflow.parentRunId", parent)  # that of an earlier one may have been deleted
        return Receipt(child, parent, shown(self._address), experiment)

    def _only(self, found: Iterable[Logged], kept: Iterable[str | None] = ()) -> str | None:
        """The run to go on with, one that is in use before others; the rest are deleted.

        A server that hung creates a run when it wakes, although we had given up and asked again.
        """
        runs = sorted(found, key=lambda run: (run.info.run_id not in kept, run.info.start_time, run.info.run_id))
        for twin in runs[1:]:
            if twin.info.run_id not in kept:
                self.client.delete_run(twin.info.run_id)
        return str(runs[0].info.run_id) if runs else None

    def _create_parent(self, experiment: str, event: Event) -> str:
        """The run of an experiment, which is its spec's; or that of a study, which is of no method alone."""
        if not event.get("study"):
            return self._create(experiment, event, event["name"], {"allmodes.kind": "experiment"})
        ours = {name: event["tags"][name] for name in ("allmodes.experiment", "allmodes.study")}
        tags = ours | {name: value for name, value in event["tags"].items() if name.startswith("mlflow.")}
        return self._create(experiment, {**event, "tags": tags}, event["study"], {"allmodes.kind": "study"})

    def _create(self, experiment: str, event: Event, name: str, tags: Mapping[str, str]) -> str:
        return str(self.client.create_run(experiment, event["time"], {**event["tags"], **tags}, name).info.run_id)

    def _describe(self, receipt: Receipt, event: Event, folder: Path) -> None:
        """Say of both runs what is run; of the experiment's only what all seeds share."""
        shared = {key: value for key, value in event["params"].items() if not key.startswith("seeds")}
        whole = folder.parent if RunFolder(folder.parent).spec.exists() else folder
        if not event.get("study"):
            self._tell_settings(receipt.parent_run_id, event, shared, whole)
        self._tell_settings(receipt.run_id, event, event["params"], folder)

    def _tell_settings(self, run_id: str, event: Event, params: Mapping[str, str], folder: Path) -> None:
        known = self.client.get_run(run_id).data.params  # a run may go on with other settings; MLflow refuses a change
        new = [Param(name, value) for name, value in params.items() if name not in known]
        for batch in _batches(new, PARAMS_PER_BATCH):
            self.client.log_batch(run_id, params=batch)
        context = InputTag("mlflow.data.context", "training")
        self.client.log_inputs(run_id, [DatasetInput(Dataset(**event["data"]), [context])])
        self.client.set_tag(run_id, NOTE, summary.page(event, folder)[: description.TAG])
        self._upload(run_id, RunFolder(folder).spec)

    def _summarise(self, receipt: Receipt, event: Event) -> None:
        """Bring the experiment's run up to date from its seeds as the store has them, whichever process ran them."""
        parent = self.client.get_run(receipt.parent_run_id)
        runs = self._runs(receipt.experiment_id, parent.data.tags["allmodes.experiment"])
        seeds = self._seeds(runs, receipt)
        finished = [seed.data.metrics for seed in seeds if seed.info.status == "FINISHED"]
        if parent.data.tags["allmodes.kind"] == "study":
            self._end_parent(receipt, event, seeds)  # means over methods would mean nothing
            return
        means = summary.over_seeds(finished)
        self._log(receipt.parent_run_id, _metrics(means, len(finished), event["time"]))
        self._note(receipt.parent_run_id, means | summary.floors(finished))
        numbers = sorted(int(seed.data.tags["allmodes.seed"]) for seed in seeds)
        self.client.set_tag(receipt.parent_run_id, "allmodes.seeds", ", ".join(map(str, numbers))[: description.TAG])
        self._end_parent(receipt, event, seeds)

    def _end_parent(self, receipt: Receipt, event: Event, seeds: Sequence[Logged]) -> None:
        if status := summary.overall([seed.info.status for seed in seeds], event["seeds"]):
            self.client.set_terminated(receipt.parent_run_id, status, event["time"])

    def _seeds(self, runs: Sequence[Logged], receipt: Receipt) -> list[Logged]:
        """The runs of an experiment's seeds, without those that a hung server created late, which are deleted."""
        mine = {receipt.run_id, receipt.parent_run_id}
        me = next((_who(run) for run in runs if run.info.run_id == receipt.run_id), None)
        late = [run for run in runs if _who(run) == me and run.info.run_id not in mine]
        for twin in late:
            self.client.delete_run(twin.info.run_id)
        used = {run.data.tags.get("mlflow.parentRunId") for run in runs}
        self._only((run for run in runs if _is_parent(run)), used)
        return [run for run in runs if not _is_parent(run) and run not in late]

    def _runs(self, experiment: str, name: str) -> list[Logged]:
        """The runs of one execution of a spec."""
        found, token = list[Logged](), None
        while True:
            page = self.client.search_runs([experiment], _tagged(name), max_results=1000, page_token=token)
            found += [run for run in page if run.data.tags.get("allmodes.experiment") == name]
            if not (token := page.token):
                return found

    def _experiment(self, name: str) -> str:
        """Id of the MLflow experiment that runs go to: created if it is not there, restored if it was deleted."""
        known = self.client.get_experiment_by_name(name)
        if known is None:
            try:
                return str(self.client.create_experiment(name, artifacts(self._address), KIND | view.tag()))
            except MlflowException:  # another process was faster, or the store is at fault
                if (known := self.client.get_experiment_by_name(name)) is None:
                    raise
        if known.lifecycle_stage != "active":
            self._restore(known.experiment_id, name)
            self._say(
                f"the experiment {name} had been deleted in {shown(self._address)} and is restored, since runs are "
                "logged to it; MLFLOW_EXPERIMENT_NAME names another"
            )
        return str(known.experiment_id)

    def _restore(self, experiment_id: str, name: str) -> None:
        try:
            self.client.restore_experiment(experiment_id)
        except MlflowException:
            remedy = "restore it there, or name another in MLFLOW_EXPERIMENT_NAME"
            raise database.StoreError(f"the experiment {name} was deleted: {remedy}") from None

    def _log(self, run_id: str, metrics: Sequence[Metric]) -> None:
        for batch in _batches(metrics, METRICS_PER_BATCH):
            self.client.log_batch(run_id, metrics=batch)

    def _note(self, run_id: str, metrics: Mapping[str, float]) -> None:
        before = self.client.get_run(run_id).data.tags.get(NOTE, "")
        self.client.set_tag(run_id, NOTE, summary.note(before, metrics)[: description.TAG])

    def _blame(self, run_id: str, error: str) -> None:
        """Say what ended a run, or that what ended it before does no more; a good run has no such tag."""
        if error or "allmodes.error" in self.client.get_run(run_id).data.tags:
            self.client.set_tag(run_id, "allmodes.error", error[: description.TAG])

    def _save_model(self, receipt: Receipt, event: Event, folder: Path) -> None:
        if RunFolder(folder).model.is_dir():
            with flavor.packed(folder, receipt.run_id, event["requirements"]) as model:
                self.client.log_artifacts(receipt.run_id, str(model), "model")

    def _upload(self, run_id: str, path: Path) -> None:
        if path.exists():
            self.client.log_artifact(run_id, str(path))


def connect(address: str, say: Say) -> MlflowClient:
    """A client of the store, whose database is created if need be.

    Raises StoreError where a SQLite file is none that MLflow can use, or there is no file.
    """
    for name in CHATTY:  # they tell of creating a database, of retries and errors; our own warning says what matters
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if (file := sqlite_file(address)) is None:
        if address.startswith("sqlite"):
            remedy = "name a file, such as sqlite:///mlflow.db"
            raise database.StoreError(f"a database in memory is lost when the program ends: {remedy}")
        return MlflowClient(tracking_uri=address)
    file.parent.mkdir(parents=True, exist_ok=True)
    database.make_whole(file, _make_tables, say)
    return _client(address, file)


def _client(address: str, file: Path) -> MlflowClient:
    try:
        return MlflowClient(tracking_uri=for_mlflow(address))
    except Exception as error:  # an older or newer MLflow's tables, or an upgrade that was broken off
        said = str(error).splitlines()[0]
        if "locked" in said:
            raise
        remedy = "move the file away, and a new one is made in its place"
        raise database.StoreError(f"MLflow cannot open {file} ({said[:150]}): {remedy}") from None


def _make_tables(file: Path) -> None:
    """All tables of a store in a new file; in one that is there, those that it lacks."""
    store = SqlAlchemyStore(  # type: ignore[no-untyped-call]
        for_mlflow(sqlite_address(file)), artifacts(sqlite_address(file))
    )
    store.engine.dispose()  # lets go of the file, which will be renamed


def _tagged(name: str) -> str:
    """MLflow's filter for the runs of an experiment; it knows no way to write a quote, and takes any letter for one."""
    odd = re.sub(r"[^\w.\- ]", "_", name)
    return f"tags.`allmodes.experiment` {'=' if odd == name else 'LIKE'} '{odd}'"


def _is_parent(run: Logged) -> bool:
    return run.data.tags.get("allmodes.kind") in ("experiment", "study")


def _who(run: Logged) -> tuple[str | None, str | None]:
    """Spec and seed, which tell the runs of an experiment or study from each other."""
    return run.data.tags.get("allmodes.spec"), run.data.tags.get("allmodes.seed")


def _metrics(values: Mapping[str, float], step: int, timestamp: int) -> list[Metric]:
    return [Metric(description.key(name), value, timestamp, step) for name, value in values.items()]


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
