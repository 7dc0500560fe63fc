"""The runs above seeds, of an experiment, a method or a study: brought up to date from the seeds in the store.

Which process trained or sent a seed does not matter, nor whether an older version did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mlflow import MlflowClient
from mlflow.entities import Run as Logged

from allmodes.tracking import summary
from allmodes.tracking.events import Description
from allmodes.tracking.logged_runs import PARENT, LoggedRuns, is_method, method_and_seed
from allmodes.tracking.receipt import Receipt
from allmodes.tracking.writing import NOTE, Writer, metrics_of

JOINED = ("allmodes.data", "allmodes.game", "allmodes.prior")
"""Tags of the view's columns, of which a study has those of all its methods."""
OWN = ("seeds", "allmodes.seed")
"""Beginnings of settings in which the seeds of a method differ by their nature."""


class Rows:
    """The runs above seeds in a store."""

    def __init__(self, client: MlflowClient, runs: LoggedRuns, writer: Writer) -> None:
        self._client, self._runs, self._writer = client, runs, writer

    def update(self, receipt: Receipt, start: Description, time: int) -> None:
        """Bring the runs above a seed up to date, whose attempt ended at a time in ms."""
        top = self._client.get_run(receipt.parent_run_id)
        known = self._runs.find(receipt.experiment_id, top.data.tags["allmodes.experiment"])
        seeds = self._runs.seeds(known, receipt)
        if _is_study(top):
            mine = [seed for seed in seeds if method_and_seed(seed)[0] == start.method]
            self._update_method(known, receipt.parent_run_id, mine, start.repeats)
            self._join(receipt.parent_run_id, seeds, start.seeds)
        else:
            self._add_means(receipt.parent_run_id, seeds)
        self._end(receipt.parent_run_id, seeds, start.seeds, time)

    def update_study(
        self, receipt: Receipt, planned: Mapping[str, Sequence[int]], numbers: Mapping[str, float]
    ) -> None:
        """Bring a study and all its methods up to date from the planned seeds of each method; it gets numbers."""
        top = self._client.get_run(receipt.parent_run_id)
        known = self._runs.find(receipt.experiment_id, top.data.tags["allmodes.experiment"])
        seeds = [seed for seed in self._runs.seeds(known, receipt) if _is_planned(seed, planned)]
        for method, given in planned.items():
            if mine := [seed for seed in seeds if method_and_seed(seed)[0] == method]:
                self._update_method(known, receipt.parent_run_id, mine, len(given))
        number = sum(map(len, planned.values()))
        self._join(receipt.parent_run_id, seeds, number)
        finished = sum(seed.info.status == "FINISHED" for seed in seeds)
        self._writer.numbers(receipt.parent_run_id, metrics_of(numbers, finished, _last(seeds)))
        self._end(receipt.parent_run_id, seeds, number, _last(seeds))

    def is_study(self, run_id: str) -> bool:
        """Whether a run is that of a study."""
        return _is_study(self._client.get_run(run_id))

    def _update_method(self, known: Iterable[Logged], top: str, seeds: Sequence[Logged], number: int) -> None:
        method = self._method_of(known, top, seeds)
        for seed in seeds:
            if seed.data.tags.get(PARENT) != method:  # of a version without methods, or of a twin that is deleted
                self._client.set_tag(seed.info.run_id, PARENT, method)
        self._writer.params(method, _shared([seed.data.params for seed in seeds]))
        self._add_means(method, seeds)
        self._end(method, seeds, number, _last(seeds))

    def _method_of(self, known: Iterable[Logged], top: str, seeds: Sequence[Logged]) -> str:
        """The run of the seeds' method; of several that processes made at once, all keep the first."""
        name = method_and_seed(seeds[0])[0]
        found = [run for run in known if is_method(run) and method_and_seed(run)[0] == name]
        ids = [str(run.info.run_id) for run in sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))]
        for twin in ids[1:]:
            self._client.delete_run(twin)
        return ids[0] if ids else self._create_method(seeds[0], top)

    def _create_method(self, seed: Logged, top: str) -> str:
        """Create the run of a method whose seeds an older version logged."""
        method = self._runs.create_method(seed, top)
        if seed.inputs and seed.inputs.dataset_inputs:
            self._client.log_inputs(method, seed.inputs.dataset_inputs)
        self._writer.page(method, summary.about(seed.data.tags.get(NOTE, "")))
        return method

    def _add_means(self, run_id: str, seeds: Sequence[Logged]) -> None:
        finished = [seed for seed in seeds if seed.info.status == "FINISHED"]
        numbers = [seed.data.metrics for seed in finished]
        means, beside = summary.over_seeds(numbers), summary.beside(numbers)
        self._writer.numbers(run_id, metrics_of(means | beside, len(finished), _last(finished)))
        self._writer.table(run_id, means | beside)
        given = sorted(int(seed.data.tags["allmodes.seed"]) for seed in seeds)
        self._writer.tag(run_id, "allmodes.seeds", ", ".join(map(str, given)))

    def _join(self, study: str, seeds: Sequence[Logged], number: int) -> None:
        """Give a study's row what its methods have in its columns, and how many of its seeds have finished."""
        each = {name: dict.fromkeys(seed.data.tags.get(name, "") for seed in seeds) for name in JOINED}
        methods = dict.fromkeys(str(method_and_seed(seed)[0]) for seed in seeds)
        joined = {name: ", ".join(sorted(filter(None, values))) for name, values in each.items()}
        self._writer.tags(study, joined | {"allmodes.methods": ", ".join(sorted(methods))})
        finished = [seed for seed in seeds if seed.info.status == "FINISHED"]
        counts = {"methods": len(methods), "seeds": number, "seeds_finished": len(finished)}
        self._writer.numbers(study, metrics_of(counts, len(finished), _last(seeds)))

    def _end(self, run_id: str, seeds: Sequence[Logged], number: int, time: int) -> None:
        if status := summary.overall([seed.info.status for seed in seeds], number):
            self._client.set_terminated(run_id, status, time)


def _is_study(run: Logged) -> bool:
    return run.data.tags.get("allmodes.kind") == "study"


def _is_planned(seed: Logged, planned: Mapping[str, Sequence[int]]) -> bool:
    method, number = method_and_seed(seed)
    return number in {str(one) for one in planned.get(str(method), ())}


def _shared(each: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The settings that all seeds have in common."""
    return {
        name: value
        for name, value in each[0].items()
        if not name.startswith(OWN) and all(params.get(name) == value for params in each)
    }


def _last(seeds: Iterable[Logged]) -> int:
    """When the last of the seeds that ended did, in ms."""
    return max((seed.info.end_time or 0 for seed in seeds), default=0)
