"""One run by several processes, as torchrun starts them: how they meet, and what those do that do not lead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from allmodes.engine.loop import Lane
from allmodes.engine.peers import Command, Peers
from allmodes.experiments.following import Follower
from allmodes.experiments.lanes import build_lane
from allmodes.experiments.leading import STATUSES
from allmodes.experiments.resources import Resources
from allmodes.experiments.results import Results
from allmodes.runs.run import Outcome, Run, Status
from allmodes.runs.run_folder import RunFolder
from allmodes.specs.ranks import check_ranks
from allmodes.system.ranks import find_rank
from allmodes.system.signals import Stop
from allmodes.system.torch_settings import settings
from allmodes_schemas import Spec

if TYPE_CHECKING:
    from allmodes.experiments.experiment import Experiment


@contextmanager
def meeting(spec: Spec, seeds: Sequence[int], resources: Resources) -> Iterator[Peers | None]:
    """Meet the other processes of a run, if torchrun has started several; rank 0 tells them at last how it has ended.

    Raises SpecError where several processes cannot train one run of the spec, PeerError where they do not come.
    """
    if (rank := find_rank()) is None:
        yield None
        return
    check_ranks(spec, seeds, rank.processes)
    peers = Peers(rank)
    peers.open(resources.device)
    try:
        yield peers
    except BaseException as error:
        peers.fail(error)
        raise
    finally:
        if rank.leads:
            peers.end(STATUSES[peers.ended])
        peers.close()


def follow(experiment: Experiment, seed: int, peers: Peers, stop: Stop) -> Results:
    """Take part in a run that rank 0 writes; its results are read from its folder, where this host sees it."""
    spec, resources = experiment.spec, experiment.resources

    def build(run: Run) -> Lane:
        return build_lane(run, resources.data, experiment.functions, resources.labelled(seed), peers)

    follower = Follower(peers, lambda: experiment.run_of(seed, experiment.folder / spec.name), build, stop)
    with settings(spec.training.threads, spec.training.deterministic):
        command = follower.follow()
    folder = follower.folder or experiment.folder
    ended = RunFolder(folder).of_seed(seed).outcome() or Outcome(_status(command), follower.iteration, 0.0)
    return Results(spec, folder, {seed: ended})


def _status(command: Command) -> Status:
    found: list[Status] = [status for status, known in STATUSES.items() if known == command]
    return found[0] if found else "failed"
