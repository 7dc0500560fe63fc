"""Checkpoints: everything that a run needs to go on as if it had never stopped, each in a folder of its own.

`checkpoints/00001000/` is a stored model (safetensors for each module, moving averages as `average.*`, a page of JSON)
and `state.pt`, which torch reads with `weights_only=True`: optimisers, random generators, the position in the data, the
measurements so far.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import nn

from allmodes.models import format as model_format
from allmodes.models.page import DamagedError, ModelError, Page, check_digest, read_page
from allmodes.runs.run_folder import STATE, RunFolder
from allmodes.system.paths import near

DAMAGED = "is damaged, or holds more than plain data"

State = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read: its folder, its page and the trainer's state (tensors on the CPU)."""

    folder: Path
    page: Page
    state: State

    def restore(self, modules: Mapping[str, nn.Module]) -> None:
        """Load what was stored under the names of modules into them, once all of it has been read.

        A sampler that the run did not have before keeps its state: it is fitted at the next evaluation.

        Raises ModelError where a file is damaged or does not fit.
        """
        modules = {name: m for name, m in modules.items() if model_format.is_restored(m, self.folder, name)}
        tensors = {name: model_format.read_tensors(module, self.folder, name) for name, module in modules.items()}
        for name, module in modules.items():
            model_format.restore(module, tensors[name], name)


def write(run: RunFolder, modules: Mapping[str, nn.Module], page: Page, state: State) -> Path:
    """Write a checkpoint into a run's folder; it appears whole or not at all."""
    folder = run.checkpoint(page["iteration"])
    return model_format.save(modules, page, folder, lambda beside: _write_state(state, beside / STATE))


def read(folder: Path) -> Checkpoint:
    """Read a checkpoint with its state; raises ModelError where it cannot be read."""
    page = read_page(folder)
    if not (folder / STATE).exists():
        raise ModelError(f"{folder} has no {STATE}: it is a model, not a checkpoint")
    check_digest(folder / STATE, DAMAGED)
    try:
        state = torch.load(folder / STATE, map_location="cpu", weights_only=True)
    except Exception:  # several types, and where it is not plain data torch's own words advise to load it anyway
        raise DamagedError(f"{folder / STATE} {DAMAGED}") from None
    return Checkpoint(folder, page, state)


def restore_newest(
    run: RunFolder, warn: Callable[[str], None], restore: Callable[[Checkpoint], None], until: int | None = None
) -> bool:
    """Restore the newest checkpoint, up to an iteration, that can be read and fits; warn of each newer one.

    Returns whether there was one.
    """
    for folder in (one for one in run.checkpoints if until is None or int(one.name) <= until):
        try:
            restore(read(folder))
        except ModelError as error:
            warn(f"checkpoint {folder.name} is passed over: {error}")
        else:
            return True
    return False


def find_checkpoint(run: RunFolder, which: str) -> Path:
    """The folder of a checkpoint: `last`, `best`, or by its iteration.

    Raises ModelError where there is no such checkpoint.
    """
    folders = run.checkpoints
    if which == "last" and folders:
        return folders[0]
    if which == "best":
        if best := [folder for folder in folders if _is_best(folder)]:
            return best[0]
        raise ModelError(
            f"{near(run.path)} keeps no best checkpoint: set training.checkpoints.best to a metric such as modes"
        )
    for folder in folders:
        if which.isdecimal() and int(which) == int(folder.name):
            return folder
    iterations = ", ".join(str(int(folder.name)) for folder in reversed(folders)) or "none"
    raise ModelError(f"{near(run.path)} has no checkpoint {which!r}: there are best, last, and iterations {iterations}")


def delete_old(run: RunFolder, keep: int, iteration: int, good: int | None = None) -> None:
    """Delete all but the last `keep` checkpoints and the newest best one, and the remains of interrupted writes.

    The newest that is not newer than iteration `good` stays, too.

    Those beyond the run's iteration are damaged ones that it passed over: they stay, and do not count.
    """
    folders = [folder for folder in run.checkpoints if int(folder.name) <= iteration]
    best = [folder for folder in folders if _is_best(folder)][:1]
    needed = [folder for folder in folders if good is not None and int(folder.name) <= good][:1]
    _delete(run, [folder for folder in folders[keep:] if folder not in best and folder not in needed])


def delete_after(run: RunFolder, iteration: int) -> None:
    """Delete the checkpoints of a way that a run does not go on."""
    _delete(run, [folder for folder in run.checkpoints if int(folder.name) > iteration])


def _delete(run: RunFolder, folders: Iterable[Path]) -> None:
    for folder in folders:
        folder.replace(folder.with_name(f".{folder.name}-old"))  # no half of it is left if the process dies
    for folder in run.checkpoint_folder.glob(".[0-9]*"):
        shutil.rmtree(folder, ignore_errors=True)


def _write_state(state: State, path: Path) -> None:
    """Write through memory: on a full disk torch's own writing raises an error that names no reason."""
    buffer = BytesIO()
    torch.save(state, buffer)
    path.write_bytes(buffer.getbuffer())


def _is_best(folder: Path) -> bool:
    """Whether a checkpoint was the best so far when it was written; False for one that cannot be read."""
    with suppress(ModelError):
        return bool(read_page(folder).get("best"))
    return False
