"""Training the runs of a study in the process of the caller, where objects of Python are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allmodes.registry.given import given_in
from allmodes.registry.registry import Registry
from allmodes.specs.executor_block import ExecutorBlock
from allmodes.specs.source import SpecError
from allmodes.studies.stacks import make_stacks
from allmodes.studies.study import StudyEntry

if TYPE_CHECKING:
    from allmodes.studies.executors import Work
    from allmodes.studies.pool import Task


@dataclass(frozen=True)
class Here:
    """The process of the caller, which trains one task after another.

    Attributes:
        registry: The plugins, and the objects as kinds.
        objects: The objects by keyword argument and name.
    """

    registry: Registry
    objects: Mapping[str, Mapping[str, Any]]
    shares: bool = False

    def describe(self) -> str:
        """That no other process is started."""
        return "this process"

    def train(self, work: Work) -> None:
        """Train all runs, those of equal shapes together."""
        runs = {run.name: run for run in work.study.runs}

        def handle(**message: Any) -> None:
            work.monitor.handle(runs[message["run"]], message)

        for stack in make_stacks(work.unfinished, jobs=1):
            if not work.stop.asked:
                self._train(work.make_task(stack), handle, work)

    def _train(self, task: Task, handle: Any, work: Work) -> None:
        from allmodes.studies.reports import Reports
        from allmodes.studies.tasks import Kit, train_units, units_of
        from allmodes.system.torch_settings import plain_torch

        reports = Reports(units_of(task), handle)
        with plain_torch():
            train_units(task, reports.make_folders, reports, work.stop, Kit(self.registry, self.objects))


def check_here(jobs: int | None, on: str | None) -> None:
    """Refuse other processes for objects of Python."""
    if on not in (None, "local"):
        raise SpecError(f"on={on!r}: objects of Python do not reach other processes: leave it out, with jobs=1")
    if jobs not in (None, 1):
        reach = "objects of Python do not reach processes of their own"
        raise SpecError(f"jobs={jobs}: {reach}: with jobs=1 (the default for them) this process trains")


def check_blocks(blocks: Sequence[ExecutorBlock]) -> None:
    """Refuse other processes for objects of Python that a spec asks for."""
    for block in blocks:
        if block.config.kind != "local":
            what = "objects of Python do not reach other processes: say local, or on='local' in Python"
            raise SpecError(block.message("kind", what))


def find_unused(entries: Sequence[StudyEntry], objects: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The objects that no spec names, as messages."""
    used = {(keyword, name) for entry in entries for keyword, names in given_in(entry.spec).items() for name in names}
    unused = [(k, name) for k, inside in objects.items() for name in inside if (k, name) not in used]
    return [f"{k}: {name!r} was passed, but nothing in the specs is of kind python:{name}" for k, name in unused]
