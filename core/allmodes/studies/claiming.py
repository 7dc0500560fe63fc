"""Claiming runs of a study that several commands train: of each run, one worker of one of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allmodes.runs import claims
from allmodes.runs.claims import CLAIMS, Claim, Watch, lease
from allmodes.runs.run import RunError
from allmodes.runs.run_folder import RunFolder, progress_of
from allmodes.specs import loading
from allmodes.studies.study import Study
from allmodes.system.paths import near

if TYPE_CHECKING:
    from allmodes.studies.reports import Send, Unit  # which loads torch

LOGGER = logging.getLogger("allmodes")


def claims_folder(study: Study) -> Path:
    """The folder of a study's claims."""
    return study.folder / CLAIMS


def check_unclaimed(study: Study) -> None:
    """Raise RunError where other commands train a study's runs. It takes a lease to be sure that one has died."""
    watch, until = Watch(claims_folder(study)), time.monotonic() + 1.1 * lease()
    first = {run.name: holder for run in study.runs if (holder := watch.holder(run.name)) is not None}
    if first:
        LOGGER.info(f"others claim {len(first)} runs: seeing if they live, for at most {1.1 * lease():g} s")
    while left := {name: holder for name in first if (holder := watch.holder(name)) is not None}:
        for name, holder in left.items():
            if holder.beats != first[name].beats or time.monotonic() > until:
                raise RunError(
                    f"{near(study.folder)} is being trained by commands that share it ({holder.describe()} has "
                    f"{name}): join them with --on join, or wait until they have ended"
                )
        time.sleep(lease() / 60)


def check_settings(study: Study) -> None:
    """Raise RunError where others train runs of a method with settings that this command would change."""
    watch = Watch(claims_folder(study))
    for entry in study.entries:
        stored = RunFolder(entry.folder).spec
        if stored.exists() and stored.read_text(encoding="utf-8") != loading.dump(entry.spec):
            for run in entry.runs:
                if (holder := watch.holder(run.name)) is not None:
                    raise RunError(
                        f"{near(stored)} has other settings, and {holder.describe()} trains {run.name} with them: join "
                        "with the same settings, or wait until it has ended"
                    )


@contextmanager
def claiming(
    units: Sequence[Unit], folder: str | None, after: Mapping[str, int], send: Send
) -> Iterator[tuple[list[Unit], Send]]:
    """Hold the claims of those runs of a task that nobody else has, each until it ends; sends `busy` for the others.

    `after` are the numbers of holders whose leases are over, by run. Without a folder of claims, all runs are this
    command's. Yields the runs, and what their messages are sent by.
    """
    if folder is None:
        yield list(units), send
        return
    held = _take(units, Path(folder), after)
    for unit in units:
        if unit.name not in held:
            send(event="busy", run=unit.name)
    with claims.holding(list(held.values())) as release:

        def send_and_release(**message: Any) -> None:
            if message["event"] == "done":
                release(held[message["run"]], message["status"] == "failed")
            send(**message)

        yield [unit for unit in units if unit.name in held], send_and_release


def is_taken_over(folder: str, unit: Unit) -> bool:
    """Whether this process has a run's claim from a holder that did not let go, and may still hold a lock."""
    return Watch(Path(folder)).was_lost(unit.name)


def _take(units: Sequence[Unit], folder: Path, after: Mapping[str, int]) -> dict[str, Claim]:
    watch = Watch(folder)
    found = {unit.name: watch.take(unit.name, progress_of(unit.path), after.get(unit.name, -1)) for unit in units}
    return {name: claim for name, claim in found.items() if claim is not None}
