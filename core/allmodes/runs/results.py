"""What an experiment gave, in memory and on disk."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from allmodes.runs import averages
from allmodes.runs.run import Outcome
from allmodes.runs.run_folder import RunFolder
from allmodes.system import json_pages
from allmodes.system.durable import write_json
from allmodes_schemas import Spec


@dataclass(frozen=True)
class Results:
    """What an experiment gave: an outcome for each seed, in its folder."""

    spec: Spec
    folder: Path
    outcomes: Mapping[int, Outcome]

    def values(self, metric: str) -> list[float]:
        """A metric's last value for each seed that has one; seeds that withheld it are left out."""
        return averages.known(o.results[metric] for o in self.outcomes.values() if metric in o.results)

    def mean(self, metric: str) -> float:
        """Mean over the seeds that have the number, with a warning where some have none; NaN where none has."""
        averages.warn_of_withheld(metric, self.values(metric), len(self.outcomes))
        return averages.mean(self.values(metric))

    def standard_error(self, metric: str) -> float:
        """Standard error of the mean over the seeds that have the number; NaN for fewer than two."""
        return averages.standard_error(self.values(metric))

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics, without their averages over the end of the run."""
        names = dict.fromkeys(name for outcome in self.outcomes.values() for name in outcome.results)
        return [name for name in names if not name.startswith("recent_")]

    @property
    def floors(self) -> Mapping[str, float]:
        """What real data score on the same metrics with as many samples."""
        return next((outcome.floors for outcome in self.outcomes.values() if outcome.floors), {})

    @property
    def status(self) -> str:
        """`finished` if every seed did, else the first other status."""
        return next((o.status for o in self.outcomes.values() if o.status != "finished"), "finished")

    def write(self) -> None:
        """Write the outcomes to the experiment's folder."""
        write_json(
            RunFolder(self.folder).results, {str(seed): vars(outcome) for seed, outcome in self.outcomes.items()}
        )


def load_results(folder: Path) -> dict[int, Outcome]:
    """The outcomes by seed that an experiment wrote to its folder; none where it has not ended yet.

    Where the page is damaged, they are those that the runs wrote, with a warning.
    """
    try:
        return json_pages.read(RunFolder(folder).results, dict[int, Outcome])
    except FileNotFoundError:
        return {}
    except json_pages.PageError as error:
        warnings.warn(f"{error}: the numbers are taken from the folders of its seeds", stacklevel=2)
        return RunFolder(folder).outcomes()
