"""Rank 0 of a run that several processes train: it decides what all do, and saves what each of them needs to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from allmodes.data.base import fingerprint_of
from allmodes.engine.loop import Lane
from allmodes.engine.peers import Command, Peers, Word
from allmodes.experiments.rewinding import Rewinding
from allmodes.models.checkpoints import State
from allmodes.runs.run import Run, RunError, Status
from allmodes.system.signals import Stop

STATUSES: Mapping[Status, Command] = {"finished": Command.FINISHED, "killed": Command.KILLED, "failed": Command.FAILED}
"""What is said at the end, by the status of a run."""


@dataclass
class Leader:
    """Has the other processes do what rank 0 does.

    Attributes:
        peers: All of them.
        stop: Asked for where any of them got a signal.
        run: The run.
    """

    peers: Peers
    stop: Stop
    run: Run
    _lane: Lane | None = None
    _rewinding: Rewinding | None = None
    _own: list[State] = field(default_factory=list)
    _digests: Mapping[str, str] = field(default_factory=dict)
    _is_handed_out: bool = False

    def begin(self, lane: Lane, rewinding: Rewinding) -> None:
        """Take a lane that was built, which is handed out before the next iteration."""
        self._lane, self._rewinding, self._own, self._is_handed_out = lane, rewinding, [], False
        self._digests = describe_start(self.run, lane)

    def take(self, state: State) -> None:
        """Take what each process needs from a checkpoint's state. Raises RunError where as many did not write it."""
        own, here = state.get("ranks", []), self.peers.rank.processes
        if len(own) != here:
            raise RunError(describe_number(max(len(own), 1), here))
        self._own = list(own)

    def iterate(self) -> None:
        """Have all make an iteration. Raises PeerError where one has failed, or cannot be reached."""
        self._hand_out()
        heard = self.peers.agree(Word(command=Command.ITERATE, signal=said(self.stop)))
        if heard.signal and not self.stop.asked:
            self.stop.asked, self.stop.number = True, heard.signal - 1

    def fail(self, error: BaseException) -> None:
        """End all, as the run ends with an error."""
        self.peers.fail(error)

    def collect(self) -> list[State]:
        """What each process needs to go on from here. Raises PeerError where their weights are not the same."""
        assert self._lane is not None
        self._hand_out()
        self.peers.agree(Word(command=Command.SAVE))
        return collect(self.peers, self._lane)

    def _hand_out(self) -> None:
        """Hand out the state of the lane, unless all have it."""
        if self._is_handed_out or self._lane is None:
            return
        self.peers.agree(Word(command=Command.TAKE))
        self.peers.check_same(self._digests, "start all processes with the same spec, data and packages")
        self.peers.hand_out(self._state(self._lane))
        self._is_handed_out = True

    def _state(self, lane: Lane) -> State:
        modules = lane.composition.modules.items()
        return {
            "modules": {name: module.state_dict() for name, module in modules},
            "loop": lane.state_dict(),
            "folder": str(self.run.folder.parent),
            "ranks": self._own,
            **(self._rewinding.state_dict() if self._rewinding else {}),
        }


def said(stop: Stop) -> int:
    """What a process says of a stop that it was asked for."""
    return 1 + stop.number if stop.asked else 0


def collect(peers: Peers, lane: Lane) -> list[State]:
    """The states of all processes that are their own: their noise, and their place in the data."""
    weights = {"weights": digest_of(lane.composition.modules)}
    peers.check_same(weights, "they have come apart: go on from the last checkpoint, with training.deterministic=true")
    return peers.gather({"noise": lane.generator.get_state(), "data": lane.loader.state_dict()})


def describe_start(run: Run, lane: Lane) -> dict[str, str]:
    """What has to be the same in all processes before they begin, as digests."""
    return {
        "spec": fingerprint_of(run.spec.model_dump_json(serialize_as_any=True), run.seed),
        "data": str(run.data.get("fingerprint")),
        "packages": fingerprint_of(torch.__version__, sorted(run.plugins.items())),
        "initial weights": digest_of(lane.composition.modules),
    }


def digest_of(modules: Mapping[str, nn.Module]) -> str:
    """A digest of all that modules hold; a sampler is fitted by rank 0 alone."""
    others = sorted(name for name in modules if name != "sampler")
    return fingerprint_of(*[value for name in others for value in _values(modules[name])])


def describe_number(then: int, here: int) -> str:
    """Why a run cannot go on with another number of processes."""
    how = "without torchrun" if then == 1 else f"with `torchrun --nproc-per-node {then} -m allmodes resume`"
    return f"it was trained by {_count(then)} and cannot go on with {here}: resume it {how}"


def _count(processes: int) -> str:
    return "1 process" if processes == 1 else f"{processes} processes"


def _values(module: nn.Module) -> Sequence[Any]:
    return [value for value in module.state_dict().values() if isinstance(value, torch.Tensor)]
