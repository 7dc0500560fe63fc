"""Writes what a run of MLflow shows: numbers, settings, data, files and its description. All may be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from allmodes.tracking import description, summary

T = TypeVar("T")

METRICS_PER_BATCH, PARAMS_PER_BATCH = 1000, 100  # MLflow's own limits
NOTE = "mlflow.note.content"


class Writer:
    """Writes to the runs of a store by their ids."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client

    def numbers(self, run_id: str, metrics: Sequence[Metric]) -> None:
        """Send numbers."""
        for batch in _batches(metrics, METRICS_PER_BATCH):
            self.client.log_batch(run_id, metrics=batch)

    def params(self, run_id: str, params: Mapping[str, str]) -> None:
        """Send settings that the run does not have yet: it may go on with others, and MLflow refuses a change."""
        known = self.client.get_run(run_id).data.params
        new = [Param(name, value) for name, value in params.items() if name not in known]
        for batch in _batches(new, PARAMS_PER_BATCH):
            self.client.log_batch(run_id, params=batch)

    def tag(self, run_id: str, name: str, value: str) -> None:
        """Set a tag, cut to the length that every store takes."""
        self.client.set_tag(run_id, name, value[: description.TAG])

    def tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set those tags that the run has not, or otherwise."""
        known = self.client.get_run(run_id).data.tags
        for name, value in tags.items():
            if known.get(name) != value[: description.TAG]:
                self.tag(run_id, name, value)

    def page(self, run_id: str, page: str) -> None:
        """Set the description, which is Markdown."""
        self.tag(run_id, NOTE, page)

    def table(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Set the table of final numbers on top of the description."""
        before = self.client.get_run(run_id).data.tags.get(NOTE, "")
        self.page(run_id, summary.note(before, metrics))

    def file(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Upload a file, if it is there, to a folder of the run's artifacts."""
        if path.exists():
            self.client.log_artifact(run_id, str(path), folder)


def metrics_of(values: Mapping[str, float], step: int, timestamp: int) -> list[Metric]:
    """Numbers as MLflow's metrics of a step and time."""
    return [Metric(description.key(name), value, timestamp, step) for name, value in values.items()]


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
