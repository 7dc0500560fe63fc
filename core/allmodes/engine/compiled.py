"""The compiled engine: the stacked engine's turns, each as one compiled function, for one lane or many."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from allmodes.engine.compiling import check_compiler, compile_turn
from allmodes.engine.eager import EagerEngine
from allmodes.engine.stacked import Key, Run, StackedEngine

log = logging.getLogger(__name__)


class CompiledEngine(StackedEngine):
    """Updates lanes by compiled turns: one for each set of terms that count together, the first time that they do.

    Raises EngineError where there is no C++ compiler, or lanes cannot be stacked.
    """

    name = "compiled"

    def __init__(self, engines: Sequence[EagerEngine]) -> None:
        if all(not p.is_cuda for engine in engines for own in engine.parameters.values() for p in own):
            check_compiler()
        super().__init__(engines)

    @override
    def _transform(self, key: Key, run: Run, arguments: tuple[Any, ...]) -> Run:
        began = time.monotonic()
        compiled = compile_turn(run, arguments, self.stack.composition.modules)
        log.info("compiled a turn of %s in %.0f s", " and ".join(key[0]), time.monotonic() - began)
        return compiled
