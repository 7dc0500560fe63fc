"""The models of a run as MLflow's logged models: one for each kept checkpoint and for the end, with its metrics.

Each is looked for before it is made, and what an earlier sending left out is added: a process may have died between
two requests, and a server that hung may have made a model twice.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, Metric
from mlflow.exceptions import MlflowException

from allmodes.runs.run_folder import RunFolder
from allmodes.system.paths import near
from allmodes.tracking import description, flavor, kept
from allmodes.tracking.events import Description
from allmodes.tracking.kept import Kept
from allmodes.tracking.receipt import Receipt

TYPE = "generator"
ITERATION, ROLE, WITHHELD = "allmodes.iteration", "allmodes.role", "allmodes.withheld"
VERSIONS = "mlflow.modelVersions"
EARLIER = "earlier"
"""Why a model is in MLflow that the run's folder keeps no longer."""
UNKNOWN = ("ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED")
"""Answers of servers older than MLflow 3."""


class LoggedModels:
    """The logged models of a store; `warn` is called where one cannot be kept there."""

    def __init__(self, client: MlflowClient, warn: Callable[[str], None]) -> None:
        self._client, self._warn = client, warn
        self._warned = False

    def keep(self, receipt: Receipt, start: Description, end: int, folder: Path) -> None:
        """Log the models that a run keeps, which ended at an iteration; those that MLflow has stay as they are."""
        try:
            known = self._known(receipt)
        except MlflowException as error:
            if error.error_code not in UNKNOWN:
                raise
            self._refuse()
            return
        models = kept.find(folder, end)
        for iteration in known.keys() - {model.iteration for model in models}:
            self._client.set_logged_model_tags(known[iteration].model_id, {ROLE: EARLIER})
        for model in models:
            try:
                self._keep(receipt, start, model, folder, known.get(model.iteration))
            except flavor.LOST as error:
                self._warn(f"{near(model.stored)} is not among MLflow's models, since it is gone or damaged ({error})")

    def of_run(self, receipt: Receipt) -> list[LoggedModel]:
        """The logged models of a run, oldest iteration first."""
        found, token = list[LoggedModel](), None
        mine = f"source_run_id = '{receipt.run_id}'"
        while True:
            page = self._client.search_logged_models([receipt.experiment_id], mine, page_token=token)
            found += [model for model in page if ITERATION in model.tags]
            if not (token := page.token):
                return sorted(found, key=lambda model: (_iteration(model), model.creation_timestamp))

    def register(self, name: str, model_id: str, location: str, run_id: str) -> tuple[str, bool]:
        """Register a model under a name, once; returns the version, and whether it is new."""
        self._name(name)
        versions = self._client.search_model_versions(f"name = '{name}'")
        if known := next((one for one in versions if one.source == location), None):
            return str(known.version), False
        made = self._client.create_model_version(name, location, run_id, model_id=model_id, await_creation_for=0)
        self._note_version(model_id, name, str(made.version))
        return str(made.version), True

    def _name(self, name: str) -> None:
        """Make a registered model, unless it exists."""
        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _note_version(self, model_id: str, name: str, version: str) -> None:
        """Note a version on its model, where MLflow's pages look for it; a server does so itself."""
        noted = json.loads(self._client.get_logged_model(model_id).tags.get(VERSIONS, "[]"))
        if not any((one["name"], str(one["version"])) == (name, version) for one in noted):
            tag = json.dumps([*noted, {"name": name, "version": version}])
            self._client.set_logged_model_tags(model_id, {VERSIONS: tag})

    def _known(self, receipt: Receipt) -> dict[int, LoggedModel]:
        """The logged models of a run by iteration; of twins the oldest, and the others are deleted."""
        known: dict[int, LoggedModel] = {}
        for model in self.of_run(receipt):
            if known.setdefault(_iteration(model), model) is not model:
                self._client.delete_logged_model(model.model_id)
        return known

    def _keep(self, receipt: Receipt, start: Description, model: Kept, folder: Path, known: LoggedModel | None) -> None:
        if known is None or str(known.status) != "READY":
            known = self._send(receipt, start, model, folder, known)
        self._measure(receipt, start, model, known)
        self._client.set_logged_model_tags(known.model_id, {ROLE: model.role, **_withheld(model)})
        self._link(receipt, model, known)
        if str(known.status) != "READY":
            self._client.finalize_logged_model(known.model_id, "READY")

    def _send(
        self, receipt: Receipt, start: Description, model: Kept, folder: Path, known: LoggedModel | None
    ) -> LoggedModel:
        with flavor.pack(model.stored, RunFolder(folder).spec, start.requirements) as packed:
            logged = known or self._create(receipt, start, model)
            flavor.describe(packed, receipt.run_id, logged.model_id)
            self._client.log_model_artifacts(logged.model_id, str(packed))
        return logged

    def _create(self, receipt: Receipt, start: Description, model: Kept) -> LoggedModel:
        own = {ITERATION: str(model.iteration), ROLE: model.role, "allmodes.seed": str(start.seed)}
        tags = {name: value for name, value in start.tags.items() if not name.startswith("mlflow.")} | own
        name = re.sub(r"[/:.%\"']", "_", f"{start.name}-seed-{start.seed}-iteration-{model.iteration}")
        return self._client.create_logged_model(
            receipt.experiment_id, name[: description.KEY], receipt.run_id, tags, model_type=TYPE
        )

    def _measure(self, receipt: Receipt, start: Description, model: Kept, logged: LoggedModel) -> None:
        """Link what was measured to the model and the data set; NaN, which MLflow would store as 0, is left out."""
        data = start.held_out or start.data
        known = {(metric.key, metric.timestamp, metric.step) for metric in logged.metrics or ()}
        metrics = [
            Metric(
                *(description.key(name), one.value, one.time, model.iteration),
                model_id=logged.model_id,
                dataset_name=data["name"],
                dataset_digest=data["digest"],
            )
            for name, one in model.measures.items()
            if not math.isnan(one.value)
        ]
        new = [metric for metric in metrics if (metric.key, metric.timestamp, metric.step) not in known]
        if new:
            self._client.log_batch(receipt.run_id, metrics=new)

    def _link(self, receipt: Receipt, model: Kept, logged: LoggedModel) -> None:
        """Link the run to a model, unless it is: a second link raises."""
        outputs = self._client.get_run(receipt.run_id).outputs
        if logged.model_id not in {output.model_id for output in (outputs.model_outputs if outputs else ())}:
            self._client.log_outputs(receipt.run_id, [LoggedModelOutput(logged.model_id, model.iteration)])

    def _refuse(self) -> None:
        if not self._warned:
            self._warned = True
            self._warn("the server is older than MLflow 3 and keeps no models of checkpoints, only the one at the end")


def _iteration(model: LoggedModel) -> int:
    return int(model.tags[ITERATION])


def _withheld(model: Kept) -> Mapping[str, str]:
    """The tag that names what could not be measured of a model."""
    names = sorted(name for name, one in model.measures.items() if math.isnan(one.value))
    return {WITHHELD: ", ".join(names)[: description.TAG]} if names else {}
