"""Errors that end training: divergence and collapse."""

from __future__ import annotations

import math
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence

from torch import nn

from allmodes.data.base import DataError
from allmodes.registry import faults
from allmodes.runs.run import Run
from allmodes.runs.run_folder import RunFolder
from allmodes.system.durable import replace_text
from allmodes.system.paths import near
from allmodes.text import redact


class DivergenceError(RuntimeError):
    """A loss or a weight is not a finite number any more."""


class CollapseError(RuntimeError):
    """The model has lost modes that it had captured, and the spec asks to stop then."""


def check_losses(values: Mapping[str, float], modules: Collection[str], iteration: int) -> None:
    """Raise DivergenceError where a loss is not finite; `modules` are the names of those that are trained."""
    if broken := [name for name, value in values.items() if not math.isfinite(value)]:
        raise DivergenceError(_describe(broken, "is" if len(broken) == 1 else "are", modules, iteration))


def check_weights(modules: Mapping[str, nn.Module], iteration: int) -> None:
    """Raise DivergenceError where a tensor of a module is not finite; a sampler is fitted anew, and trains nothing."""
    trained = {name: module for name, module in modules.items() if name != "sampler"}
    if broken := [f"the weights of {name}" for name, module in trained.items() if not _is_finite(module)]:
        raise DivergenceError(_describe(broken, "are", modules, iteration))


def describe_error(problem: BaseException) -> str:
    """The calls that an error came out of, its type and message, without secrets."""
    return redact.text(faults.describe(problem))


def print_traceback(problem: BaseException) -> None:
    """Print where an error that nobody foresaw came from, to standard error."""
    print(redact.text("".join(traceback.format_exception(problem))), file=sys.stderr)


def is_fault(problem: BaseException) -> bool:
    """Whether an error came out of a component's code, so that it ends its run alone; problems of data end all."""
    if isinstance(problem, Exception):
        faults.trace(problem)
    return bool(faults.calls(problem)) and not isinstance(problem, DataError)


def report_fault(problem: BaseException, run: Run, warn: Callable[[str], None]) -> None:
    """Warn of an error that came out of a component's code, and write its traceback into the run's folder."""
    page, text = RunFolder(run.folder).traceback, "".join(traceback.format_exception(problem))
    warn(f"{run.name}: {describe_error(problem)} (its traceback: {near(page)})")
    try:
        replace_text(page, redact.text(text))
    except OSError as error:
        warn(f"{page} could not be written: {error.strerror or error}")


def _is_finite(module: nn.Module) -> bool:
    floats = [tensor for tensor in module.state_dict().values() if tensor.is_floating_point()]
    return all(bool(tensor.isfinite().all()) for tensor in floats)


def _describe(broken: Sequence[str], verb: str, modules: Collection[str], iteration: int) -> str:
    penalty = ", or add a penalty such as {kind: r1}" if "discriminator" in modules else ""
    remedy = f"lower the learning rate{penalty}"
    return f"{', '.join(broken)} {verb} no longer finite at iteration {iteration}: {remedy}"
