"""The stages of the honest study: a search for settings, then each data set at equal images and at equal CPU time.

Each stage is a comparison in a folder of its own, so that the same command goes on after Ctrl-C or a crash.
"""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import inf, isfinite
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

from allmodes import Comparison, compare
from allmodes_study.honest import samplers, specs
from allmodes_study.honest.datasets import TUNING, Dataset
from allmodes_study.honest.methods import Block
from allmodes_study.honest.plan import BASELINE, POINTS, Plan, Trial

BUDGETS = ("images", "cpu")
LATENTS = ("every-mode", "every-mode-compressed")
"""Methods whose latent has the data's shape before any training: it is measured alone, too."""
STILL = 1e-12
"""A rate at which nothing moves."""
Tuned: TypeAlias = dict[str, Trial]
"""The chosen setting of each method."""


class StoppedError(Exception):
    """The user stopped; the same command goes on."""


@dataclass(frozen=True)
class Study:
    """A study in a folder: `tuning`, then `<budget>/<data>`; `jobs` processes work side by side.

    Samples and curves are drawn where `figures` says so, by one process; drawn by a later command they delay no run.
    """

    plan: Plan
    folder: Path
    jobs: int | None = None
    figures: bool = True

    def run(self) -> None:
        """Run what is not finished of all stages, data set after data set. Raises StoppedError after Ctrl-C."""
        tuned = self.screen(self.tune())
        for name, data in self.plan.data.items():
            counts = {method: specs.iterations(self.plan, method) for method in tuned}
            self._compare(self.folder / "images" / name, self._specs(data, counts, tuned))
            self.latents(name, tuned)
            counts = self._kept(name, self._affordable(name))
            self._compare(self.folder / "cpu" / name, self._specs(data, counts, tuned, False))
            self.samplers(name)

    def samplers(self, name: str) -> samplers.Draws:
        """Measure as many draws of each sampler without a game as methods have seeds, once."""
        found = specs.experiment(specs.beside(self.plan, self.plan.data[name]))
        return samplers.draw(found, len(self.plan.seeds), self.folder / "samplers" / f"{name}.json")

    def _affordable(self, name: str) -> dict[str, int]:
        """Iterations for which the processor time is enough on data, by method, by what the first stage took there."""
        folder, seconds = self.folder / "images" / name, self.plan.cpu_seconds
        unpaid = {method: unpaid_fit(self.folder, folder / method) for method in LATENTS}
        return {method: affordable(seconds - unpaid.get(method, 0), each) for method, each in times(folder).items()}

    def tune(self) -> Tuned:
        """Train each method with each setting on `TUNING`, and take that of the smallest mean w1; writes `tuning.json`.

        A method none of whose trials finished has no setting and is left out, with a warning.
        """
        folder, blocks = self.folder / "tuning", list(self._trials())
        found = self._compare(folder, blocks, seeds=self.plan.tuning_seeds, figures=False)
        assert found is not None  # there are trials
        trials = {
            method: [self._score(found, method, trial) for trial in self.plan.trials] for method in self.plan.methods
        }
        (self.folder / "tuning.json").write_text(json.dumps(trials, indent=1) + "\n", encoding="utf-8")
        best = {method: min(each, key=lambda one: one["w1"]) for method, each in trials.items()}
        for method in (method for method, one in best.items() if not isfinite(one["w1"])):
            warnings.warn(
                f"{method} is left out: none of its trials finished (see {folder / 'table.md'})", stacklevel=2
            )
        return {method: Trial(one["lr"], one["beta"]) for method, one in best.items() if isfinite(one["w1"])}

    def screen(self, tuned: Tuned) -> Tuned:
        """Leave out methods whose best trial was no better than the plain GAN's, but for those that are always kept.

        What cannot beat it with settings of its own choice, on the very data they were chosen on, costs no more time.
        """
        trials = json.loads((self.folder / "tuning.json").read_text("utf-8"))
        best = {method: min(one["w1"] for one in trials[method]) for method in tuned}
        kept = {method for method in tuned if method in self.plan.always or best[method] < best.get(BASELINE, inf)}
        return {method: trial for method, trial in tuned.items() if method in kept}

    def _trials(self) -> Iterable[Block]:
        for method in self.plan.methods:
            for trial in self.plan.trials:
                length = specs.iterations(self.plan, method)
                block = specs.spec(self.plan, method, TUNING, length, trial, f"{method}-{trial.name}")
                yield block | {"evaluation": specs.last_evaluation(self.plan, length)}

    def _score(self, found: Comparison, method: str, trial: Trial) -> Block:
        """A trial with its mean numbers; w1 is infinite unless every seed finished."""
        row = found.row(f"{method}-{trial.name}")
        is_whole = len(row.finished) == len(row.states)
        return {
            **asdict(trial),
            "seeds": len(row.finished),
            "w1": row.mean("w1") if is_whole else inf,
            "modes": row.mean("modes"),
            "high_quality": row.mean("high_quality"),
        }

    def _specs(self, data: Dataset, counts: dict[str, int], tuned: Tuned, is_first: bool = True) -> list[Block]:
        """A spec for each method that has a number of iterations: one that failed everywhere has none."""
        chosen = {method: trial for method, trial in tuned.items() if method in counts}
        return [
            specs.spec(self.plan, method, data, counts[method], trial, is_first=is_first)
            for method, trial in chosen.items()
        ]

    def latents(self, name: str, tuned: Tuned) -> None:
        """Measure latents that have the data's shape alone."""
        blocks = self._latents(self.plan.data[name], tuned)
        self._compare(self.folder / "alone" / name, blocks, figures=False)

    def _latents(self, data: Dataset, tuned: Tuned) -> list[Block]:
        """Specs of methods whose generators begin as the identity, and stay so."""
        still = {method: Trial(STILL, tuned[method].beta) for method in LATENTS if method in tuned}
        blocks = [specs.spec(self.plan, method, data, POINTS, trial) for method, trial in still.items()]
        return [{**block, "evaluation": {**block["evaluation"], "references": []}} for block in blocks]

    def _kept(self, name: str, counts: dict[str, int]) -> dict[str, int]:
        """The iterations that an earlier command computed, if there was one: times differ, and runs have begun."""
        path = self.folder / "cpu" / f"{name}.json"
        if path.exists():
            return {**counts, **json.loads(path.read_text("utf-8"))}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
        return counts

    def _compare(self, folder: Path, blocks: Sequence[Block], **options: Any) -> Comparison | None:
        """Train what is not finished; nothing is compared where there are no specs."""
        if not blocks:
            return None
        files = [str(specs.write(block, folder / "specs")) for block in blocks]
        names = [block["name"] for block in blocks]
        options = {"baseline": BASELINE if BASELINE in names else "", "figures": self.figures, **options}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*collapse: .*")  # what the study is about, and counts
            found = compare(files, folder=folder, jobs=self.jobs, track=False, **options)
        if any(state not in ("finished", "failed") for row in rows(found) for state in row.states.values()):
            raise StoppedError(f"stopped in {folder}: the same command goes on")
        return found


def rows(found: Comparison) -> list[Any]:
    """All rows of a comparison."""
    return [row for group in found.groups for row in group.rows]


def affordable(seconds: float, measured: Sequence[tuple[int, float]]) -> int:
    """Iterations for which a processor time is enough.

    Args:
        seconds: The time.
        measured: Iterations and the time until then, of a run of the same method on the same data; what its start
            costs, the fits of its prior and what an engine does once, is what the line through the first and the last
            of them has at iteration 0.
    """
    (first, began), (last, ended) = min(measured), max(measured)
    each = (ended - began) / max(1, last - first) if last > first else ended / last
    return specs.whole((seconds - (ended - each * last)) / each)


def unpaid_fit(study: Path, method: Path) -> float:
    """The processor time by which a fit would lengthen the start of a lone run of a method, in s.

    Runs of one process share the fit of a latent to the same items: the first pays, so that a mean over seeds has a
    part of it or none. What it takes, as the longest start tells, is taken from where the latent was measured `alone`.
    """
    begun = starts(method)
    lone = [seconds for one in LATENTS for seconds in starts(study / "alone" / method.parent.name / one)]
    return max(0.0, max(lone) - fmean(begun)) if lone and begun else 0.0


def starts(method: Path) -> list[float]:
    """The processor time before the first update of each run of a method, in s."""
    pages = (json.loads(path.read_text("utf-8")) for path in method.glob("seed-*/results.json"))
    return [page["start_cpu_seconds"] for page in pages if page.get("start_cpu_seconds")]


def times(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Read how much processor time each method took until its evaluations, as a mean over seeds, from the curves."""
    found: dict[str, dict[int, list[float]]] = {}
    with (folder / "curves.csv").open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            if line["metric"] == "modes" and line["cpu_seconds"]:
                each = found.setdefault(line["method"], {}).setdefault(int(line["iteration"]), [])
                each.append(float(line["cpu_seconds"]))
    return {method: [(at, fmean(each)) for at, each in points.items()] for method, points in found.items()}
