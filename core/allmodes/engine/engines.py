"""Engines by the names that specs have for them, and which is the next slower one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from allmodes.engine.compiled import CompiledEngine
from allmodes.engine.eager import EagerEngine
from allmodes.engine.graphed import GraphedEngine
from allmodes.engine.loop import EagerLanes, Engine
from allmodes.engine.stacked import StackedEngine

ENGINES: Mapping[str, type[EagerLanes | StackedEngine]] = {
    "eager": EagerLanes,
    "stacked": StackedEngine,
    "compiled": CompiledEngine,
    "graphed": GraphedEngine,
}
SLOWER = {"graphed": "stacked", "compiled": "stacked", "stacked": "eager"}
"""The engine that goes on where one cannot."""


def make_engine(name: str, lanes: Sequence[EagerEngine]) -> Engine:
    """An engine for lanes; raises EngineError where it cannot run them."""
    return ENGINES[name](lanes)
