"""The other ranks of a run that several processes train: they do what rank 0 says, and write nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from allmodes.data.base import DataError
from allmodes.engine.coupling import CouplingError
from allmodes.engine.loop import Lane, Loop
from allmodes.engine.peers import Command, PeerError, Peers, Word
from allmodes.experiments.errors import is_fault, print_traceback
from allmodes.experiments.leading import collect, describe_start, said
from allmodes.experiments.rewinding import Rewinding
from allmodes.game.compose import CompositionError
from allmodes.models import format as model_format
from allmodes.runs.run import Run
from allmodes.system.signals import Stop


@dataclass
class Follower:
    """Trains its part of a run, as rank 0 says.

    Attributes:
        peers: All processes of the run.
        make_run: Gives the run, once the data are read.
        build: Builds its lane before its first iteration.
        stop: Whether this process got a signal, which rank 0 hears of.
        folder: The experiment's, as rank 0 sees it.
        iteration: How far the run is.
    """

    peers: Peers
    make_run: Callable[[], Run]
    build: Callable[[Run], Lane]
    stop: Stop
    folder: Path | None = None
    iteration: int = 0

    def follow(self) -> Command:
        """Do what rank 0 says until the run has ended; returns how. Raises PeerError where rank 0 is lost."""
        try:
            with self.stop.listening():
                return self._follow()
        except PeerError:
            if self.peers.is_lost:
                raise
        except Exception as error:
            if not is_fault(error) and not isinstance(error, CouplingError | DataError | CompositionError):
                print_traceback(error)
            self.peers.fail(error)
        return self.peers.end(Command.NOTHING)

    def _follow(self) -> Command:
        run = self.make_run()
        lane = self.build(run)
        loop, is_new = Loop([lane]), True
        while True:
            command = self.peers.agree(Word(signal=said(self.stop))).command
            if command == Command.TAKE:
                lane = lane if is_new else self._build_anew(run, lane)
                self._take(run, lane)
                loop, is_new = Loop([lane]), False
            elif command == Command.ITERATE:
                self._iterate(loop, lane)
            elif command == Command.SAVE:
                collect(self.peers, lane)
            else:
                lane.loader.close()
                return Command(command)

    def _build_anew(self, run: Run, lane: Lane) -> Lane:
        lane.loader.close()
        return self.build(run)

    def _take(self, run: Run, lane: Lane) -> None:
        """Take the state that rank 0 hands out, with what of it is this process's own."""
        self.peers.check_same(describe_start(run, lane), "")
        state = self.peers.hand_out(None)
        self.folder = Path(state["folder"])
        for name, module in lane.composition.modules.items():
            if name != model_format.SAMPLER:
                model_format.restore(module, state["modules"][name], name)
        own = {"noise": lane.generator.get_state(), "data": lane.loader.state_dict()}
        lane.load_state_dict(state["loop"] | (state["ranks"][self.peers.rank.number] if state["ranks"] else own))
        rewinding = Rewinding(run)
        rewinding.load_state_dict(state)
        rewinding.scale(lane)

    def _iterate(self, loop: Loop, lane: Lane) -> None:
        updated = loop.iterate()[lane]
        if isinstance(updated, Exception):
            raise updated
        self.iteration = lane.iteration
