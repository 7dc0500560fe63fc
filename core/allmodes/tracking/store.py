"""A store of MLflow, which gets the events of runs. Every call may be repeated: what the store has stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.entities import Run as Logged

from allmodes.runs.lock import take_turns
from allmodes.runs.run_folder import RunFolder
from allmodes.tracking import description, flavor, pictures, summary
from allmodes.tracking.connection import connect
from allmodes.tracking.events import Description, End, Figure, Numbers
from allmodes.tracking.logged_runs import LoggedRuns
from allmodes.tracking.receipt import Receipt

T = TypeVar("T")

METRICS_PER_BATCH, PARAMS_PER_BATCH = 1000, 100  # MLflow's own limits
NOTE = "mlflow.note.content"


class Store:
    """A connection to a store; `warn` is called for what had to be mended there."""

    def __init__(self, address: str, warn: Callable[[str], None]) -> None:
        self.client = connect(address, warn)
        self._runs = LoggedRuns(self.client, address, warn)

    def has(self, receipt: Receipt) -> bool:
        """Whether the run and that of its experiment exist and are not deleted."""
        return self._runs.is_active(receipt.run_id) and self._runs.is_active(receipt.parent_run_id)

    def start(self, start: Description, folder: Path, receipt: Receipt | None) -> Receipt:
        """Open a run and, for the first seed, its experiment's; or set the run of the receipt running again."""
        with take_turns(folder.parent):
            receipt = receipt or self._runs.open(start)
        for run_id in (receipt.run_id, receipt.parent_run_id):
            self.client.update_run(run_id, status="RUNNING")
        self._describe(receipt, start, folder)
        return receipt

    def log(self, receipt: Receipt, events: Sequence[Numbers]) -> None:
        """Send numbers of several iterations."""
        self._log(receipt.run_id, [m for e in events for m in _metrics(e.values, e.iteration, e.time)])

    def draw(self, receipt: Receipt, event: Figure, path: Path) -> None:
        """Send a picture. Raises DamagedError where it cannot be read."""
        with pictures.named_for_slider(event, receipt.run_id, path) as folder:
            self.client.log_artifacts(receipt.run_id, str(folder), "images")
        self.client.set_tag(receipt.run_id, "mlflow.loggedImages", "True")

    def end(self, receipt: Receipt, start: Description, end: End, folder: Path) -> None:
        """Send results and model, end the run, and bring that of the experiment up to date."""
        final = summary.final(end)
        self._log(receipt.run_id, _metrics(final, end.iteration, end.time))
        self._save_model(receipt.run_id, folder, start.requirements)
        self._upload(receipt.run_id, RunFolder(folder).results)
        self._add_table(receipt.run_id, final)
        for name in ("error", "stopped", "kept"):
            self._set_or_clear(receipt.run_id, f"allmodes.{name}", getattr(end, name))
        if end.engine:
            self.client.set_tag(receipt.run_id, "allmodes.engine", end.engine)
        self.client.set_terminated(receipt.run_id, end.status.upper(), end.time)
        self._update_parent(receipt, start.seeds, end.time)

    def attach(self, receipt: Receipt, files: Sequence[Path], page: str) -> None:
        """Add files and a page of Markdown to the run of an experiment or study."""
        for path in files:
            self._upload(receipt.parent_run_id, path)
        self.client.set_tag(receipt.parent_run_id, NOTE, page[: description.TAG])

    def _describe(self, receipt: Receipt, start: Description, folder: Path) -> None:
        """Add settings, data and page to both runs; to the experiment's only the settings that all seeds share."""
        shared = {key: value for key, value in start.params.items() if not key.startswith("seeds")}
        whole = folder.parent if RunFolder(folder.parent).spec.exists() else folder
        if not start.study:
            self._add_settings(receipt.parent_run_id, start, shared, whole)
        self._add_settings(receipt.run_id, start, start.params, folder)

    def _add_settings(self, run_id: str, start: Description, params: Mapping[str, str], folder: Path) -> None:
        known = self.client.get_run(run_id).data.params  # a run may go on with other settings; MLflow refuses a change
        new = [Param(name, value) for name, value in params.items() if name not in known]
        for batch in _batches(new, PARAMS_PER_BATCH):
            self.client.log_batch(run_id, params=batch)
        context = InputTag("mlflow.data.context", "training")
        self.client.log_inputs(run_id, [DatasetInput(Dataset(**start.data), [context])])
        self.client.set_tag(run_id, NOTE, summary.page(start, folder)[: description.TAG])
        self._upload(run_id, RunFolder(folder).spec)

    def _update_parent(self, receipt: Receipt, number: int, time: int) -> None:
        """Bring the experiment's run up to date from its seeds in the store, whichever process ran them."""
        parent = self.client.get_run(receipt.parent_run_id)
        seeds = self._runs.seeds(
            self._runs.find(receipt.experiment_id, parent.data.tags["allmodes.experiment"]), receipt
        )
        if parent.data.tags["allmodes.kind"] != "study":  # means over methods would mean nothing
            self._add_means(receipt.parent_run_id, seeds, time)
        if status := summary.overall([seed.info.status for seed in seeds], number):
            self.client.set_terminated(receipt.parent_run_id, status, time)

    def _add_means(self, parent: str, seeds: Sequence[Logged], time: int) -> None:
        finished = [seed.data.metrics for seed in seeds if seed.info.status == "FINISHED"]
        means = summary.over_seeds(finished)
        self._log(parent, _metrics(means, len(finished), time))
        self._add_table(parent, means | summary.beside(finished))
        numbers = sorted(int(seed.data.tags["allmodes.seed"]) for seed in seeds)
        self.client.set_tag(parent, "allmodes.seeds", ", ".join(map(str, numbers))[: description.TAG])

    def _log(self, run_id: str, metrics: Sequence[Metric]) -> None:
        for batch in _batches(metrics, METRICS_PER_BATCH):
            self.client.log_batch(run_id, metrics=batch)

    def _add_table(self, run_id: str, metrics: Mapping[str, float]) -> None:
        before = self.client.get_run(run_id).data.tags.get(NOTE, "")
        self.client.set_tag(run_id, NOTE, summary.note(before, metrics)[: description.TAG])

    def _set_or_clear(self, run_id: str, tag: str, value: object) -> None:
        """Set a tag, or clear it where there is nothing to say; a run that never had one gets none."""
        text = "" if value is None else str(value)[: description.TAG]
        if text or tag in self.client.get_run(run_id).data.tags:
            self.client.set_tag(run_id, tag, text)

    def _save_model(self, run_id: str, folder: Path, requirements: Sequence[str]) -> None:
        if RunFolder(folder).model.is_dir():
            with flavor.pack(folder, run_id, requirements) as model:
                self.client.log_artifacts(run_id, str(model), "model")

    def _upload(self, run_id: str, path: Path) -> None:
        if path.exists():
            self.client.log_artifact(run_id, str(path))


def _metrics(values: Mapping[str, float], step: int, timestamp: int) -> list[Metric]:
    return [Metric(description.key(name), value, timestamp, step) for name, value in values.items()]


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
