"""The compiled engine: the stacked engine's turns, each as one compiled function, for one lane or many."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from torch.utils._pytree import tree_leaves
from typing_extensions import override

from allmodes.engine.compiling import check_compiler, compile_trace
from allmodes.engine.draws import Tree
from allmodes.engine.eager import EagerEngine, Losses
from allmodes.engine.functional import State
from allmodes.engine.knobs import Varying
from allmodes.engine.stacked import Run, StackedEngine
from allmodes.engine.tracing import trace
from allmodes.engine.turns import Arguments, StackedTurn
from allmodes.game.networks import Tensors
from allmodes.system.log import log_wait

log = logging.getLogger(__name__)


class CompiledEngine(StackedEngine):
    """Updates lanes by compiled turns: one for each set of terms that count together, the first time that they do.

    Raises EngineError where there is no C++ compiler, or lanes cannot be stacked.
    """

    name = "compiled"

    def __init__(self, engines: Sequence[EagerEngine]) -> None:
        if not any(p.is_cuda for engine in engines for own in engine.parameters.values() for p in own):
            check_compiler()
        super().__init__(engines)

    @override
    def _make(self, turn: StackedTurn, arguments: Arguments) -> Run:
        began = time.monotonic()
        log_wait(f"the compiler: a turn of {' and '.join(turn.turn.players)}")
        compiled = CompiledTurn(turn, arguments)
        log.info("compiled a turn of %s in %.0f s", " and ".join(turn.turn.players), time.monotonic() - began)
        return compiled


class CompiledTurn:
    """A whole turn, the steps of the optimisers included, as one compiled function."""

    def __init__(self, turn: StackedTurn, arguments: Arguments) -> None:
        self.leaves = tree_leaves(tuple(arguments))
        self.trace = trace(turn.take, arguments, turn.composition.modules)
        self.run = compile_trace(self.trace, self.leaves)

    def __call__(self, state: State, batch: Tree, noise: Tensors, varying: Varying) -> Losses:
        """Take it; the arguments are those that it was made for."""
        losses: Losses = self.trace.restore(self.run(*self.leaves))
        return losses
