"""The results of an experiment, in memory and on disk, as frames and as curves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from allmodes.registry.registry import Registry, installed
from allmodes.runs import frames
from allmodes.runs.averages import Averages, metric_names
from allmodes.runs.results import load_results
from allmodes.runs.run import Outcome, Status
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import recorded
from allmodes.specs.source import SpecError
from allmodes.system.durable import write_json
from allmodes.system.paths import near, place
from allmodes_schemas import Spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


@dataclass(frozen=True)
class Results(Averages):
    """An outcome for each seed of an experiment, and the experiment's folder."""

    spec: Spec
    folder: Path
    outcomes: Mapping[int, Outcome]

    @classmethod
    def load(cls, folder: str | Path, registry: Registry | None = None) -> Results:
        """Read the results of an experiment, of those of its seeds that have ended, from its folder or that of a seed.

        Raises SpecError where no seed has ended.
        """
        folder = place(folder)
        folder = folder.parent if RunFolder(folder).is_run else folder
        if not (outcomes := load_results(folder)):
            outcomes = RunFolder(folder).outcomes()
        if not outcomes:
            raise SpecError(f"{near(folder)}: no seed of an experiment has ended in this folder")
        return cls(recorded.load(folder, registry or installed()), folder, outcomes)

    @property
    @override
    def averaged(self) -> Collection[Outcome]:
        return self.outcomes.values()

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics, without their averages over the end of the run."""
        return metric_names(self.outcomes.values())

    @property
    def floors(self) -> Mapping[str, float]:
        """The scores of real data on the same metrics, with as many samples."""
        return next((outcome.floors for outcome in self.outcomes.values() if outcome.floors), {})

    @property
    def references(self) -> Mapping[str, Mapping[str, float]]:
        """The scores of each reference sampler on the same metrics, by its row, with as many samples."""
        return next((outcome.references for outcome in self.outcomes.values() if outcome.references), {})

    @property
    def status(self) -> Status:
        """`finished` if every seed did, else the first other status."""
        return next((o.status for o in self.outcomes.values() if o.status != "finished"), "finished")

    def write(self) -> None:
        """Write the outcomes to the experiment's folder."""
        write_json(
            RunFolder(self.folder).results, {str(seed): vars(outcome) for seed, outcome in self.outcomes.items()}
        )

    def to_frame(self, *, beside: bool = False) -> DataFrame:
        """Tabulate the seeds as a pandas frame: a row for each, indexed by `seed`, with the last value of each metric.

        The columns are `status`, `iteration`, the metrics, their averages over the end (`recent_*`), and `seconds`. A
        number that was withheld is NaN. With `beside`, rows for `real data` and each reference sampler stand above.

        Raises ModuleNotFoundError where pandas is not installed.
        """
        above = {"real data": self.floors, **self.references} if beside else {}
        rows = [{"seed": name, **numbers} for name, numbers in above.items()]
        rows += [{"seed": seed, **frames.row(outcome)} for seed, outcome in self.outcomes.items()]
        return frames.frame(rows, ["seed"], [*frames.FACTS, *frames.numbers_of(self.outcomes.values()), "seconds"])

    def history(self) -> DataFrame:
        """Read all numbers of the run as a long pandas frame with the columns `seed`, `iteration`, `metric`, `value`.

        Metrics have the names that they have in tables, losses are `train/<player>/<term>`, times `time/...`.

        Raises ModuleNotFoundError where pandas is not installed.
        """
        runs = [({"seed": seed}, RunFolder(self.folder).of_seed(seed)) for seed in self.outcomes]
        return frames.history(runs, ["seed"])

    def plot(self, *metrics: str) -> Figure:
        """Draw metrics over iterations, a panel for each: every seed, the mean, and what real data score (dotted).

        By default those that have a good direction or count modes, and the losses. The figure is a matplotlib Figure
        without a window: the last line of a notebook's cell shows it, `figure.savefig(path)` writes it.

        Raises ValueError for a metric that was not measured.
        """
        from allmodes.experiments.plots import plot_results

        return plot_results(self, metrics)

    @override
    def __repr__(self) -> str:
        from allmodes.experiments.shown import results_text

        return results_text(self)

    def _repr_html_(self) -> str:
        from allmodes.experiments.shown import results_html

        return results_html(self)
