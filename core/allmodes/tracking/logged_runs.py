"""Finds and creates the MLflow runs of an experiment or study, of its methods and of their seeds.

A process that died may have created them, and a server that hung creates a run when it wakes, although we had given up
and asked again: one of several is kept, the others are deleted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from mlflow import MlflowClient
from mlflow.entities import Run as Logged

from allmodes.tracking.address import without_secrets
from allmodes.tracking.events import Description
from allmodes.tracking.places import Places
from allmodes.tracking.receipt import Receipt

PARENT, FOLDER, SEEDS_OF = "mlflow.parentRunId", "allmodes.folder", "allmodes.seeds_of"
ENDS = tuple(f"allmodes.{name}" for name in ("error", "stopped", "kept", "rewinds", "engine"))
"""Tags of how a seed ended."""
SHARED = ("allmodes.", "plugin.", "version.", "mlflow.source.", "mlflow.user")
"""Beginnings of the tags that a method's seeds have in common."""
OF_STUDY = tuple(f"allmodes.{name}" for name in ("experiment", "study", "host", "command", "git.dirty"))


class LoggedRuns:
    """The runs of a store; `warn` is called when a deleted experiment is restored."""

    def __init__(self, client: MlflowClient, address: str, warn: Callable[[str], None]) -> None:
        self.client, self._address = client, address
        self._places = Places(client, address, warn)

    def open(self, start: Description, place: str | None = None) -> Receipt:
        """Find or create the run of an experiment or study, in a study that of the method, and that of the seed.

        Args:
            start: The description of the seed's run.
            place: The id of the MLflow experiment in which the other runs are, if there are any.
        """
        experiment, outer = (place, None) if place else self._places.find(start)
        if place:
            self._places.show(place, start)
        known = self.find(experiment, start.experiment)
        top = self._open_top(experiment, start, known, {PARENT: outer} if outer else {})
        above = self._open_method(experiment, start, known, top) if start.study else top
        tags = {"allmodes.kind": "seed", "allmodes.seed": str(start.seed), PARENT: above, SEEDS_OF: seeds_of(start)}
        mine = (run for run in known if is_seed(run) and method_and_seed(run) == (start.method, str(start.seed)))
        child = self._keep_one(mine) or self._create(experiment, start, f"{start.method}/seed-{start.seed}", tags)
        self.client.set_tag(child, PARENT, above)  # that of an earlier one may have been deleted
        return Receipt(child, top, without_secrets(self._address), experiment)

    def above(self, start: Description, receipt: Receipt) -> str:
        """The run in which that of a seed is nested; an older version nested those of a study in the study itself."""
        above = self.client.get_run(receipt.run_id).data.tags.get(PARENT, receipt.parent_run_id)
        if not start.study or above != receipt.parent_run_id:
            return str(above)
        top = self.client.get_run(above)
        if top.data.tags.get("allmodes.kind") != "study":  # the seed was trained alone before
            return str(above)
        known = self.find(receipt.experiment_id, top.data.tags["allmodes.experiment"])
        method = self._open_method(receipt.experiment_id, start, known, receipt.parent_run_id)
        self.client.set_tag(receipt.run_id, PARENT, method)
        return method

    def create_method(self, like: Logged, top: str) -> str:
        """Create the run of a method within that of a study, as one of its seeds describes itself."""
        tags = {name: value for name, value in like.data.tags.items() if name.startswith(SHARED)}
        method = str(method_and_seed(like)[0])
        tags |= {"allmodes.kind": "method", PARENT: top}
        for name in (FOLDER, "allmodes.seed", *ENDS):
            tags.pop(name, None)
        made = self.client.create_run(like.info.experiment_id, like.info.start_time, tags, method)
        return str(made.info.run_id)

    def find(self, experiment: str, name: str) -> list[Logged]:
        """The runs of one execution of a spec."""
        found, token = list[Logged](), None
        while True:
            page = self.client.search_runs([experiment], _filter(name), max_results=1000, page_token=token)
            found += [run for run in page if run.data.tags.get("allmodes.experiment") == name]
            if not (token := page.token):
                return found

    def seeds(self, runs: Sequence[Logged], receipt: Receipt) -> list[Logged]:
        """The runs of the seeds among those of an experiment; twins of the receipt's run are deleted."""
        seeds = list(filter(is_seed, runs))
        this = next((method_and_seed(run) for run in seeds if run.info.run_id == receipt.run_id), None)
        twins = [run for run in seeds if method_and_seed(run) == this and run.info.run_id != receipt.run_id]
        for twin in twins:
            self.client.delete_run(twin.info.run_id)
        self._keep_one(filter(_is_top, runs), {run.data.tags.get(PARENT) for run in runs})
        return [run for run in seeds if run not in twins]

    def _keep_one(self, found: Iterable[Logged], used: Iterable[str | None] = ()) -> str | None:
        """Choose a run, one that is used before others, and delete those that are not used."""
        runs = sorted(found, key=lambda run: (run.info.run_id not in used, run.info.start_time, run.info.run_id))
        for twin in runs[1:]:
            if twin.info.run_id not in used:
                self.client.delete_run(twin.info.run_id)
        return str(runs[0].info.run_id) if runs else None

    def _open_top(self, experiment: str, start: Description, known: Sequence[Logged], nested: Mapping[str, str]) -> str:
        parents = {run.data.tags.get(PARENT) for run in known}
        return self._keep_one(filter(_is_top, known), parents) or self._create_top(experiment, start, nested)

    def _open_method(self, experiment: str, start: Description, known: Sequence[Logged], top: str) -> str:
        parents = {run.data.tags.get(PARENT) for run in known}
        mine = (run for run in known if is_method(run) and method_and_seed(run)[0] == start.method)
        tags = {"allmodes.kind": "method", PARENT: top, SEEDS_OF: seeds_of(start)}
        method = self._keep_one(mine, parents) or self._create(experiment, start, start.method, tags)
        self.client.set_tag(method, PARENT, top)
        return method

    def _create_top(self, experiment: str, start: Description, nested: Mapping[str, str]) -> str:
        """Create the run of an experiment, with its spec; or that of a study, which has several methods."""
        if not start.study:
            tags = {"allmodes.kind": "experiment", SEEDS_OF: seeds_of(start)}
            return self._create(experiment, start, start.name, {**tags, **nested})
        kept = {
            name: value
            for name, value in start.tags.items()
            if name.startswith(("mlflow.", "version.")) or name in OF_STUDY
        }
        shared = start.model_copy(update={"tags": kept})
        return self._create(experiment, shared, start.study, {"allmodes.kind": "study", **nested})

    def _create(self, experiment: str, start: Description, name: str, tags: Mapping[str, str]) -> str:
        given = {**start.tags, **tags}
        if tags["allmodes.kind"] != "seed":
            given.pop(FOLDER, None)
        return str(self.client.create_run(experiment, start.time, given, name).info.run_id)


def _filter(name: str) -> str:
    """MLflow's filter for the runs of an experiment; it cannot quote a quote, but takes `_` for any letter."""
    odd = re.sub(r"[^\w.\- ]", "_", name)
    return f"tags.`allmodes.experiment` {'=' if odd == name else 'LIKE'} '{odd}'"


def seeds_of(start: Description) -> str:
    """The tag that a method shares with its seeds, and by which the view averages them."""
    return f"{start.method} in {start.experiment}" if start.study else start.experiment


def is_seed(run: Logged) -> bool:
    """Whether it is the run of a seed; those of the first versions do not say so."""
    return not _is_top(run) and not is_method(run)


def is_method(run: Logged) -> bool:
    """Whether it is the run of a method of a study."""
    return run.data.tags.get("allmodes.kind") == "method"


def method_and_seed(run: Logged) -> tuple[str | None, str | None]:
    """The tags by which the runs of an experiment or study differ."""
    tags = run.data.tags
    return tags.get("allmodes.method", tags.get("allmodes.spec")), tags.get("allmodes.seed")


def _is_top(run: Logged) -> bool:
    return run.data.tags.get("allmodes.kind") in ("experiment", "study")
