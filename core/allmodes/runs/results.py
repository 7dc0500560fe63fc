"""The results of an experiment, in memory and on disk."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from allmodes.runs.averages import Averages, metric_names
from allmodes.runs.run import Outcome
from allmodes.runs.run_folder import RunFolder
from allmodes.system import json_pages
from allmodes.system.durable import write_json
from allmodes_schemas import Spec


@dataclass(frozen=True)
class Results(Averages):
    """An outcome for each seed of an experiment, and the experiment's folder."""

    spec: Spec
    folder: Path
    outcomes: Mapping[int, Outcome]

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
    def status(self) -> str:
        """`finished` if every seed did, else the first other status."""
        return next((o.status for o in self.outcomes.values() if o.status != "finished"), "finished")

    def write(self) -> None:
        """Write the outcomes to the experiment's folder."""
        write_json(
            RunFolder(self.folder).results, {str(seed): vars(outcome) for seed, outcome in self.outcomes.items()}
        )


def load_results(folder: Path) -> dict[int, Outcome]:
    """Read the outcomes by seed from an experiment's folder; empty if it has not ended yet.

    If the page is damaged they are read from the folders of the seeds, with a warning.
    """
    try:
        return json_pages.read(RunFolder(folder).results, dict[int, Outcome])
    except FileNotFoundError:
        return {}
    except json_pages.PageError as error:
        warnings.warn(f"{error}: the numbers are taken from the folders of its seeds", stacklevel=2)
        return RunFolder(folder).outcomes()
