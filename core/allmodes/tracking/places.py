"""Where in MLflow runs go: the experiment, created if it is missing, and the user's own run that they are nested in."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from allmodes.tracking import view
from allmodes.tracking.address import artifacts, without_secrets
from allmodes.tracking.database import StoreError
from allmodes.tracking.events import Description

MISSING = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""Answers to an id that is not in the store, or is no id."""
KIND = {"mlflow.experimentKind": "custom_model_development"}  # else the UI asks, and opens a page for chat traces


def is_active(client: MlflowClient, run_id: str) -> bool:
    """Whether a run exists and is not deleted."""
    try:
        return str(client.get_run(run_id).info.lifecycle_stage) == "active"
    except MlflowException as error:
        if error.error_code in MISSING:
            return False
        raise


class Places:
    """Finds the places of runs in a store; `warn` is called where they are not as asked."""

    def __init__(self, client: MlflowClient, address: str, warn: Callable[[str], None]) -> None:
        self.client, self._address, self._warn = client, address, warn

    def find(self, start: Description) -> tuple[str, str | None]:
        """The ids of the experiment that a run belongs to, and of the user's own run, if there is one."""
        experiment, outer = self._outer(start)
        return experiment or self._experiment(self._name(start), start.labelled), outer

    def show(self, experiment: str, start: Description) -> None:
        """Give the views of an MLflow experiment columns for the labelled numbers of a run that joins others there."""
        self._add_columns(self.client.get_experiment(experiment), start.labelled)

    def _outer(self, start: Description) -> tuple[str | None, str | None]:
        """The user's own run, if the store has it, and before it its experiment: nested runs have to be in the same."""
        if start.outer is None:
            return None, None
        if is_active(self.client, start.outer):
            return str(self.client.get_run(start.outer).info.experiment_id), start.outer
        self._warn(
            f"{without_secrets(self._address)} has no run {start.outer}, which MLFLOW_RUN_ID or mlflow.start_run() "
            "names: what is logged is not nested in it; MLFLOW_TRACKING_URI names another store"
        )
        return None, None

    def _name(self, start: Description) -> str:
        """The name of the MLflow experiment that the user chose by its id, if the store has that, or by its name."""
        if start.mlflow_experiment_id:
            try:
                return str(self.client.get_experiment(start.mlflow_experiment_id).name)
            except MlflowException as error:
                if error.error_code not in MISSING:
                    raise
        return start.mlflow_experiment

    def _experiment(self, name: str, labelled: Iterable[str]) -> str:
        """Id of the MLflow experiment that runs go to: created if it does not exist, restored if it was deleted."""
        known = self.client.get_experiment_by_name(name)
        if known is None:
            try:
                table = view.tag(labelled)
                tags = KIND | {view.TAG: table, view.CURVES: view.curves(table)}
                return str(self.client.create_experiment(name, artifacts(self._address), tags))
            except MlflowException:  # another process was faster, or the store is at fault
                if (known := self.client.get_experiment_by_name(name)) is None:
                    raise
        if known.lifecycle_stage != "active":
            self._restore(known.experiment_id, name)
            self._warn(
                f"the experiment {name} had been deleted in {without_secrets(self._address)} and is restored, since "
                "runs are logged to it; MLFLOW_EXPERIMENT_NAME names another"
            )
        self._add_columns(known, labelled)
        return str(known.experiment_id)

    def _add_columns(self, experiment: Experiment, labelled: Iterable[str]) -> None:
        """Add the labelled numbers to the views of an experiment that has them, also of an older version."""
        if (saved := experiment.tags.get(view.TAG)) is None:
            return
        table = view.tag(labelled, saved)
        for name, tag in {view.TAG: table, view.CURVES: view.curves(table)}.items():
            if experiment.tags.get(name) != tag:
                self.client.set_experiment_tag(experiment.experiment_id, name, tag)

    def _restore(self, experiment_id: str, name: str) -> None:
        try:
            self.client.restore_experiment(experiment_id)
        except MlflowException:
            remedy = "restore it there, or name another in MLFLOW_EXPERIMENT_NAME"
            raise StoreError(f"the experiment {name} was deleted: {remedy}") from None
