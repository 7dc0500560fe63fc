"""Checkpoints: everything that a run needs to go on as if it had never stopped, each in a folder of its own.

`checkpoints/00001000/` is a stored model (safetensors for each module, moving averages as `average.*`, a page of JSON)
and `state.pt`, which torch reads with `weights_only=True`: optimisers, random generators, the place in the data, the
measurements so far.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import nn

from allmodes.models import format as model_format
from allmodes.models.format import ModelError, Page
from allmodes.runs.run_folder import RunFolder
from allmodes.system.paths import near

STATE = "state.pt"
DAMAGED = "is damaged, or holds more than plain data"

State = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read: where it lies, its page and the trainer's state (tensors on the CPU)."""

    folder: Path
    page: Page
    state: State

    @property
    def iteration(self) -> int:
        """Iterations that were complete."""
        return int(self.page["iteration"])

    def restore(self, modules: Mapping[str, nn.Module]) -> None:
        """Give modules what was stored under their names.

        Raises ModelError where a file is damaged or does not fit.
        """
        read = {name: model_format.tensors_of(module, self.folder, name) for name, module in modules.items()}
        for name, module in modules.items():  # all of it was read before any is changed
            model_format.restore(module, read[name], name)


def write(run: RunFolder, modules: Mapping[str, nn.Module], page: Page, state: State) -> Path:
    """Write a checkpoint of a run's folder; it appears whole or not at all."""
    return model_format.save(
        modules, page, run.checkpoint(page["iteration"]), lambda beside: _write_state(state, beside / STATE)
    )


def read(folder: Path) -> Checkpoint:
    """A checkpoint with its state; raises ModelError where it cannot be read."""
    page = model_format.read_page(folder)
    if not (folder / STATE).exists():
        raise ModelError(f"{folder} has no {STATE}: it is a model, not a checkpoint")
    model_format.check_digest(folder / STATE, DAMAGED)
    try:
        state = torch.load(folder / STATE, map_location="cpu", weights_only=True)
        for older in range(page["format"], model_format.FORMAT):
            state = _MIGRATIONS[older](state)
    except Exception:  # several types, and where it is not plain data torch's own words advise to load it anyway
        raise model_format.DamagedError(f"{folder / STATE} {DAMAGED}") from None
    return Checkpoint(folder, page, state)


def newest(run: RunFolder, warn: Callable[[str], None], use: Callable[[Checkpoint], None]) -> Checkpoint | None:
    """Read and use the newest checkpoint that lets itself be; those that do not are reported and passed over."""
    for folder in run.checkpoints:
        try:
            checkpoint = read(folder)
            use(checkpoint)
        except ModelError as error:
            warn(f"checkpoint {folder.name} is passed over: {error}")
        else:
            return checkpoint
    return None


def chosen(run: RunFolder, which: str) -> Path:
    """The folder of a checkpoint: `last`, `best`, or by its iteration.

    Raises ModelError where there is no such checkpoint.
    """
    have = run.checkpoints
    if which == "last" and have:
        return have[0]
    if which == "best":
        have = [folder for folder in have if _page(folder).get("best")]
        if have:
            return have[0]
        raise ModelError(
            f"{near(run.path)} keeps no best checkpoint: set training.checkpoints.best to a metric such as modes"
        )
    for folder in have:
        if which.isdecimal() and int(which) == int(folder.name):
            return folder
    known = ", ".join(str(int(folder.name)) for folder in reversed(have)) or "none"
    raise ModelError(f"{near(run.path)} has no checkpoint {which!r}: there are best, last, and iterations {known}")


def tidy(run: RunFolder, keep: int, iteration: int) -> None:
    """Delete all but the last `keep` checkpoints and the newest of those marked best, and what broken writes left.

    Those beyond the run's iteration are damaged ones that it passed over: they stay, and stand for none that is sound.
    """
    have = [folder for folder in run.checkpoints if int(folder.name) <= iteration]
    best = [folder for folder in have if _page(folder).get("best")][:1]
    for folder in (*have[keep:], *run.checkpoint_folder.glob(".[0-9]*")):
        if folder not in best:
            shutil.rmtree(folder, ignore_errors=True)


_MIGRATIONS: Mapping[int, Callable[[State], State]] = {
    2: lambda state: {**state, "evaluations": [], "collapsed": False},
}
"""From each older format of the state to the next; there were no checkpoints in format 1."""


def _write_state(state: State, path: Path) -> None:
    """Through memory: writing itself, torch answers to a full disk with an error of no use to anybody."""
    buffer = BytesIO()
    torch.save(state, buffer)
    path.write_bytes(buffer.getbuffer())


def _page(folder: Path) -> Page:
    with suppress(ModelError):
        return model_format.read_page(folder)
    return {}


__all__ = ["Checkpoint", "State", "chosen", "newest", "read", "tidy", "write"]
