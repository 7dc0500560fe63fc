"""Operations that were traced, compiled by torch's Inductor into one function: C++ on a CPU."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule

from allmodes.engine.differences import EngineError
from allmodes.engine.tracing import Trace
from allmodes.registry.faults import describe
from allmodes.system.paths import cache_folder

log = logging.getLogger(__name__)

aten = torch.ops.aten
OPTIONS: Mapping[str, Any] = {"compile_threads": 1}
"""Inductor's settings: it starts no processes of its own, since a study has a worker on each core."""
FOLDER = "TORCHINDUCTOR_CACHE_DIR"
NEEDED = "install g++ or clang, or name one in the environment's CXX"
LONGEST = 300


def compile_trace(trace: Trace, leaves: Sequence[Tensor]) -> Callable[..., Sequence[Tensor]]:
    """The operations of a trace as one function of tensors like `leaves`, the leaves of its arguments.

    It has no guards, so that nothing is ever compiled again: another shape is an AssertionError. Raises EngineError
    where they cannot be compiled.
    """
    try:
        with torch.no_grad(), _caching():
            graph = copy_one_by_one(trace.graph)
            run: Callable[..., Sequence[Tensor]] = torch._inductor.compile(graph, list(leaves), options=dict(OPTIONS))
            return run
    except Exception as error:
        log.debug("compiling a turn failed", exc_info=True)
        raise EngineError(_in_short(error)) from error


def copy_one_by_one(graph: GraphModule) -> GraphModule:
    """The same operations with a copy of its own for each tensor that is written.

    On CUDA, Inductor makes one kernel of a copy of a list, with what is copied: its parts run at the same time, though
    one may read what another writes (seen with torch 2.11: an Adam step before its moments were there).
    """
    single = copy.deepcopy(graph)
    for node in single.graph.find_nodes(op="call_function", target=aten._foreach_copy_.default):
        with single.graph.inserting_before(node):
            for into, source in zip(*node.args, strict=True):
                single.graph.call_function(aten.copy_.default, (into, source))
        single.graph.erase_node(node)
    single.recompile()
    return single


def check_compiler() -> None:
    """Raise EngineError where there is no C++ compiler that runs."""
    from torch._inductor.cpp_builder import get_cpp_compiler  # loads Inductor, which takes seconds

    try:
        get_cpp_compiler()
    except Exception as error:
        raise EngineError(f"there is no C++ compiler: {NEEDED}") from error


@contextmanager
def _caching() -> Iterator[None]:
    """Let Inductor keep what it compiles in the user's cache folder, unless the environment names another one.

    torch itself sets the environment's to a temporary folder as soon as it is asked for it.
    """
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    before = os.environ.get(FOLDER)
    if before is None or before == default_cache_dir():
        os.environ[FOLDER] = str(cache_folder() / "compiled")
    try:
        yield
    finally:
        os.environ.pop(FOLDER)
        if before is not None:
            os.environ[FOLDER] = before


def _in_short(error: Exception) -> str:
    """An error in one line: that of torch at times fills a page."""
    line = " ".join(describe(error).partition("\n")[0].split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."
