"""A store of MLflow, which gets the events of runs. Every call may be repeated: what the store has stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag

from allmodes.runs.lock import take_turns
from allmodes.runs.run_folder import RunFolder
from allmodes.tracking import datasets, flavor, pictures, summary
from allmodes.tracking.connection import connect
from allmodes.tracking.events import Description, End, Figure, Numbers
from allmodes.tracking.logged_models import LoggedModels
from allmodes.tracking.logged_runs import LoggedRuns
from allmodes.tracking.places import is_active
from allmodes.tracking.receipt import Receipt, beside
from allmodes.tracking.rows import Rows
from allmodes.tracking.writing import Writer, metrics_of


class Store:
    """A connection to a store; `warn` is called for what had to be mended there."""

    def __init__(self, address: str, warn: Callable[[str], None]) -> None:
        self._address, self.client = address, connect(address, warn)
        self._runs = LoggedRuns(self.client, address, warn)
        self._writer = Writer(self.client)
        self._rows = Rows(self.client, self._runs, self._writer)
        self.models = LoggedModels(self.client, warn)

    def has(self, receipt: Receipt) -> bool:
        """Whether the run and that of its experiment exist and are not deleted."""
        return is_active(self.client, receipt.run_id) and is_active(self.client, receipt.parent_run_id)

    def start(self, start: Description, folder: Path, receipt: Receipt | None) -> Receipt:
        """Open a run and, for the first seed, those above it; or set the run of the receipt running again."""
        top = folder.parent.parent if start.study else folder.parent
        with take_turns(top):
            receipt = receipt or self._runs.open(start, self._place_of_others(start, top, folder))
            above = self._runs.above(start, receipt)
        for run_id in dict.fromkeys((receipt.run_id, above, receipt.parent_run_id)):
            self.client.update_run(run_id, status="RUNNING")
        self._describe(receipt.run_id, above, start, folder)
        return receipt

    def log(self, receipt: Receipt, events: Sequence[Numbers]) -> None:
        """Send numbers of several iterations."""
        self._writer.numbers(receipt.run_id, [m for e in events for m in metrics_of(e.values, e.iteration, e.time)])

    def draw(self, receipt: Receipt, event: Figure, path: Path) -> None:
        """Send a picture. Raises DamagedError where it cannot be read."""
        with pictures.named_for_slider(event, receipt.run_id, path) as folder:
            self.client.log_artifacts(receipt.run_id, str(folder), "images")
        self.client.set_tag(receipt.run_id, "mlflow.loggedImages", "True")

    def end(self, receipt: Receipt, start: Description, end: End, folder: Path) -> None:
        """Send results and model, end the run, and bring those above it up to date."""
        final = summary.final(end)
        self._writer.numbers(receipt.run_id, metrics_of(final, end.iteration, end.time))
        self._save_model(receipt.run_id, folder, start.requirements)
        self.models.keep(receipt, start, end.iteration, folder)
        self._writer.file(receipt.run_id, RunFolder(folder).results)
        self._writer.table(receipt.run_id, final)
        for name in ("error", "stopped", "kept"):
            self._set_or_clear(receipt.run_id, f"allmodes.{name}", getattr(end, name))
        self._set_or_clear(receipt.run_id, "allmodes.rewinds", len(end.rewinds) or None)
        if end.engine:
            self.client.set_tag(receipt.run_id, "allmodes.engine", end.engine)
        self.client.set_terminated(receipt.run_id, end.status.upper(), end.time)
        self._rows.update(receipt, start, end.time)

    def is_of_study(self, receipt: Receipt) -> bool:
        """Whether the run exists, and is part of a study; one that was trained alone before stays where it was."""
        return self.has(receipt) and self._rows.is_study(receipt.parent_run_id)

    def attach(
        self,
        receipt: Receipt,
        runs: Sequence[Path],
        files: Sequence[Path],
        page: str,
        numbers: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> None:
        """Bring a study and its methods up to date; add files, specs, a page, numbers and tags to the study."""
        planned: dict[str, list[int]] = {}
        for folder in runs:
            planned.setdefault(folder.parent.name, []).append(RunFolder(folder).seed)
        self._rows.update_study(receipt, planned, numbers)
        self._writer.tags(receipt.parent_run_id, tags)
        for path in files:
            self._writer.file(receipt.parent_run_id, path)
        for experiment in dict.fromkeys(folder.parent for folder in runs):
            self._writer.file(receipt.parent_run_id, RunFolder(experiment).spec, f"specs/{experiment.name}")
        self._writer.page(receipt.parent_run_id, summary.tables_first(page))

    def _place_of_others(self, start: Description, top: Path, folder: Path) -> str | None:
        """The MLflow experiment in which the other runs are, if there are any: it may be that of a user's run."""
        others = beside(top, folder, self._address, start.experiment)
        return next((other.experiment_id for other in others if self.has(other)), None)

    def _describe(self, run_id: str, above: str, start: Description, folder: Path) -> None:
        """Add settings, data and page to a seed's run and the one above; to that only the settings all seeds share."""
        shared = {key: value for key, value in start.params.items() if not key.startswith("seeds")}
        whole = folder.parent if RunFolder(folder.parent).spec.exists() else folder
        self._add_settings(above, start, shared, whole)
        self._add_settings(run_id, start, start.params, folder)
        self._writer.tags(run_id, start.tags)  # a run may go on elsewhere, by another command

    def _add_settings(self, run_id: str, start: Description, params: Mapping[str, str], folder: Path) -> None:
        self._writer.params(run_id, params)
        used = [_input(start.data, datasets.TRAINING)]
        self.client.log_inputs(run_id, used + ([_input(start.held_out, datasets.HELD_OUT)] if start.held_out else []))
        self._writer.page(run_id, summary.page(start, run_id, params is start.params))
        self._writer.file(run_id, RunFolder(folder).spec)

    def _set_or_clear(self, run_id: str, tag: str, value: object) -> None:
        """Set a tag, or clear it where there is nothing to say; a run that never had one gets none."""
        text = "" if value is None else str(value)
        if text or tag in self.client.get_run(run_id).data.tags:
            self._writer.tag(run_id, tag, text)

    def _save_model(self, run_id: str, folder: Path, requirements: Sequence[str]) -> None:
        if (files := RunFolder(folder)).model.is_dir():
            with flavor.pack(files.model, files.spec, requirements) as model:
                flavor.describe(model, run_id)
                self.client.log_artifacts(run_id, str(model), "model")


def _input(data: Mapping[str, str], context: str) -> DatasetInput:
    return DatasetInput(Dataset(**data), [InputTag("mlflow.data.context", context)])
