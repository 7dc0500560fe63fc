"""A trained model on disk: a folder with one safetensors file for each module and a page of JSON, nothing pickled."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors.torch import load_file
from safetensors.torch import save as serialised
from torch import Tensor, nn

from allmodes.contracts import Prior
from allmodes.surroundings import seeded_generator
from allmodes.units import Units
from allmodes_schemas import Shape, Spec

Page: TypeAlias = dict[str, Any]

FORMAT = 3
AVERAGE = "average."
"""Before the name of a module's moving average."""


class ModelError(ValueError):
    """A stored model or checkpoint that cannot be read."""


@dataclass(frozen=True)
class Stored:
    """A model that was read back: `prior` and `generator` as samples are drawn with, the item's shape and its units."""

    modules: Mapping[str, nn.Module]
    shape: Shape
    units: Units | None = None
    iteration: int | None = None


def save(
    modules: Mapping[str, nn.Module], page: Page, folder: Path, more: Callable[[Path], None] | None = None
) -> Path:
    """Write modules and page beside `folder` and then take its place, so that a reader never sees half a model.

    `more` writes further files into the folder before it takes its place. On any error nothing is left behind and what
    was there before stays.
    """
    beside = folder.with_name(f".{folder.name}-{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        for name, module in modules.items():
            if tensors := _tensors_of(module):
                # safetensors' own writing makes files that only their owner may read.
                (beside / f"{_file(name)}.safetensors").write_bytes(serialised(tensors))
        (beside / "model.json").write_text(json.dumps({"format": FORMAT, **page}, indent=1))
        if more is not None:
            more(beside)
        _on_disk(beside)
        return _replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def page_of(modules: Mapping[str, nn.Module], shape: Shape, units: Units | None, iteration: int) -> Page:
    """What the tensors alone do not say."""
    prior = modules["prior"]
    assert isinstance(prior, Prior)
    return {
        "iteration": iteration,
        "shape": shape,
        "units": units and units.page(),
        "prior": {"dim": prior.dim, "sizes": dict(prior.sizes)},
    }


def load(spec: Spec, folder: Path) -> Stored:
    """The prior and the generator of a stored model; of a checkpoint, their moving averages where it has them.

    Raises ModelError where the folder is missing, of an unknown format, or does not fit the spec.
    """
    page, prior = read_page(folder), stored_prior(spec, folder)
    shape = tuple(page["shape"])
    with seeded_generator(None):
        modules = {"prior": prior, "generator": spec.generator.build(((prior.dim,),), shape)}
    restore_sampled(modules["generator"], folder, "generator")
    return Stored(modules, shape, page["units"] and Units.of(page["units"]), page["iteration"])


def stored_prior(spec: Spec, folder: Path) -> Prior:
    """The prior of a stored model as it was fitted, so that nothing has to be fitted again."""
    page = read_page(folder)
    with seeded_generator(None):
        prior = spec.prior.build()
    assert isinstance(prior, Prior)
    prior.dim, prior.sizes = page["prior"]["dim"], page["prior"]["sizes"]
    restore_sampled(prior, folder, "prior")
    return prior


def restore_sampled(module: nn.Module, folder: Path, name: str) -> None:
    """Give a module what was stored of it: its moving average, where it has one."""
    restore(module, tensors_in(folder, AVERAGE + name) or tensors_in(folder, name), name)


def restore(module: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Give a module its stored tensors; a buffer whose shape a fit decided takes the stored shape."""
    for key, buffer in module.named_buffers():
        if key in tensors and tensors[key].shape != buffer.shape:
            owner, _, leaf = key.rpartition(".")
            module.get_submodule(owner).register_buffer(leaf, torch.empty_like(tensors[key]))
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(f"the stored {name} does not fit the spec: {error}") from None


def read_page(folder: Path) -> Page:
    """The page of a stored model, brought up to the present format."""
    try:
        page: Page = json.loads((folder / "model.json").read_text())
    except FileNotFoundError:
        raise ModelError(f"{folder} holds no model: the run has not saved one yet") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder / 'model.json'} is damaged: {error}") from None
    return _migrated(page, folder)


def tensors_in(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a module by name; none for a module without any."""
    path = folder / f"{_file(name)}.safetensors"
    try:
        return load_file(path) if path.exists() else {}
    except Exception as error:  # safetensors raises several types for a damaged file
        raise ModelError(f"{path} is damaged: {error}") from None


def _migrated(page: Page, folder: Path) -> Page:
    version = page.get("format") if isinstance(page, dict) else None
    if not isinstance(version, int) or not 1 <= version <= FORMAT:
        readable = f"this version of allmodes reads formats 1 to {FORMAT}"
        raise ModelError(f"{folder} has format {version}; {readable}: it may have been written by a newer one")
    for older in range(version, FORMAT):
        page = _MIGRATIONS[older](page)
    return page  # which still says in what format it was written


_MIGRATIONS: Mapping[int, Callable[[Page], Page]] = {
    1: lambda page: {**page, "units": None, "iteration": None},
    2: lambda page: page,  # only the state of checkpoints changed
}
"""From each older format to the next."""


def _tensors_of(module: nn.Module) -> dict[str, Tensor]:
    # Copies, because safetensors refuses tensors that share memory.
    return {key: value.detach().cpu().contiguous().clone() for key, value in module.state_dict().items()}


def _replace(beside: Path, folder: Path) -> Path:
    """Take the place of a folder, which stands aside meanwhile (no system replaces a full folder in one step)."""
    if not folder.exists():
        return beside.replace(folder)
    aside = folder.with_name(f".{folder.name}-old-{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    folder.replace(aside)
    placed = beside.replace(folder)
    shutil.rmtree(aside, ignore_errors=True)
    return placed


def _on_disk(folder: Path) -> None:
    """Wait until the files are on disk: a rename may otherwise survive a power failure that its content does not."""
    for path in (*folder.iterdir(), folder):
        with suppress(PermissionError):  # Windows opens no folders
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _file(name: str) -> str:
    return name.replace("/", ".")
