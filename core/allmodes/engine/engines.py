"""Engines by the names that specs have for them, and which is the next slower one."""

from __future__ import annotations

from collections.abc import Sequence

from allmodes.engine.differences import EngineError
from allmodes.engine.eager import EagerEngine
from allmodes.engine.graphed import GraphedEngine
from allmodes.engine.loop import EagerLanes, Engine
from allmodes.engine.stacked import StackedEngine

SLOWER = {"graphed": "stacked", "compiled": "stacked", "stacked": "eager"}
"""The engine that goes on where one cannot."""


def make_engine(name: str, lanes: Sequence[EagerEngine]) -> Engine:
    """An engine for lanes; raises EngineError where it cannot run them."""
    if name == "eager":
        return EagerLanes(lanes)
    if name == "stacked":
        return StackedEngine(lanes)
    if name == "graphed":
        return GraphedEngine(lanes)
    raise EngineError("it is not there yet")
