"""Draws from torch's global generators in a step, which no seed governs and no checkpoint holds: found and named."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from typing_extensions import override

from allmodes.engine.differences import name_of
from allmodes.system.torch_settings import no_networks_built

FOLLOWS = "which no seed governs and no checkpoint holds, so a resumed run draws otherwise"
REMEDY = "take noise from the step, or allmodes.Dropout for torch's"
FOREIGN = (Path(torch.__file__).parent, Path(__file__).parents[1])
"""Folders of the code that calls what users wrote, or is called by it."""
ENGINE = str(Path(__file__).with_name("eager.py"))
"""The file of what takes steps."""
STANDARD = Path(contextlib.__file__).parent
"""The folder of Python's own modules, in which packages are installed, too."""


class StrayDraws:
    """Watches steps for draws from torch's global generators, each kind of step the first time that it is taken.

    Args:
        modules: The modules that may draw, by name.
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self._modules, self._found = modules, list[str]()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch within the block, which this slows."""
        watch = _Watch()
        with no_networks_built():
            before = _read_generators()
            with watch:
                yield
            has_moved = _read_generators() != before
        if watch.place or has_moved:
            self._found.append(f"{watch.describe(self._modules)} torch's global generator, {FOLLOWS}: {REMEDY}")

    def take(self) -> list[str]:
        """What was found since the last time, in words."""
        found, self._found = self._found, []
        return found


class _Watch(TorchFunctionMode):
    """Finds the first call of torch that moves a global generator, and who makes it."""

    def __init__(self) -> None:
        super().__init__()
        self.place, self._owners = "", list[nn.Module]()

    @override
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if self.place:
            return func(*args, **(kwargs or {}))
        before = _read_generators()
        result = func(*args, **(kwargs or {}))
        if _read_generators() != before:
            frames = list(_frames(sys._getframe(1)))
            self.place, self._owners = _describe(func, frames), list(_owners(frames))
        return result

    def describe(self, modules: Mapping[str, nn.Module]) -> str:
        """Who draws, and by which call, up to the word `from`."""
        paths = [
            (id(inner), f"{name_of(name, path)} ({type(inner).__name__})")
            for name, module in modules.items()
            for path, inner in module.named_modules(remove_duplicate=False)
        ]
        names = dict(sorted(paths, key=lambda pair: len(pair[1]), reverse=True))  # the shortest of several
        owner = next((names[id(one)] for one in self._owners if id(one) in names), "something in the step")
        return f"{owner} draws by {self.place} from" if self.place else f"{owner} draws from"


def _read_generators() -> tuple[bytes, ...]:
    """The states of torch's global generators; none within a transform of torch.func, which lets nobody read them.

    What moves one there is noticed when the step has ended.
    """
    is_begun: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda = torch.cuda.default_generators if is_begun else ()
    try:
        return tuple(one.get_state().numpy().tobytes() for one in (torch.default_generator, *cuda))
    except RuntimeError:
        return ()


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    """The calls from the innermost out to the engine's."""
    while frame is not None and frame.f_code.co_filename != ENGINE:
        yield frame
        frame = frame.f_back


def _owners(frames: list[FrameType]) -> Iterator[nn.Module]:
    """The modules whose methods are being called, the innermost first."""
    for frame in frames:
        if isinstance(owner := frame.f_locals.get("self"), nn.Module):
            yield owner


def _describe(func: Callable[..., Any], frames: list[FrameType]) -> str:
    """A call of torch, and the line of the user's code that made it, if there is one."""
    name = getattr(func, "__name__", "a call")
    for frame in frames:
        file = Path(frame.f_code.co_filename)
        if file.parent != STANDARD and not any(file.is_relative_to(folder) for folder in FOREIGN):
            return f"{name} ({file.name}:{frame.f_lineno})"
    return name
