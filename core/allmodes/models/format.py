"""A trained model on disk: a folder with one safetensors file for each module and a page of JSON, nothing pickled."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

import torch
from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt, ValidationError, model_validator
from safetensors import safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialised
from torch import Tensor, nn

from allmodes.data.standardisation import Standardisation
from allmodes.game.contracts import Prior
from allmodes.runs.run_folder import MODEL_PAGE
from allmodes.system import durable, json_pages
from allmodes.system.torch_settings import seeded_generator
from allmodes_schemas import Shape, Spec

Page: TypeAlias = dict[str, Any]

FORMAT = 3
AVERAGE = "average."
"""Before the name of a module's moving average."""
AVERAGED = ("generator", "prior")
"""The modules of which a run keeps moving averages, where its spec asks for any."""
WEIGHED = (".safetensors", ".pt")
"""Endings of the files that decide what a stored model is."""


class ModelError(ValueError):
    """A stored model or checkpoint that cannot be read."""


class DamagedError(ModelError):
    """A stored model of which a file is missing or is not what was written; the message names it."""


@dataclass(frozen=True)
class Stored:
    """A model that was read back: `prior` and `generator` as samples are drawn with, the item's shape and its units."""

    modules: Mapping[str, nn.Module]
    shape: Shape
    units: Standardisation | None = None
    iteration: int | None = None


def save(
    modules: Mapping[str, nn.Module], page: Page, folder: Path, more: Callable[[Path], None] | None = None
) -> Path:
    """Write modules and page beside `folder` and then take its place, so that a reader never sees half a model.

    `more` writes further files into the folder before it takes its place. On any error nothing is left behind and what
    was there before stays. The page holds a digest of every file that decides what the model is, and one of itself.
    """
    beside = folder.with_name(f".{folder.name}-{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        for name, module in modules.items():
            if tensors := _tensors_of(module):
                # safetensors' own writing makes files that only their owner may read.
                (beside / _file(name)).write_bytes(serialised(tensors))
        if more is not None:
            more(beside)
        (beside / MODEL_PAGE).write_text(json.dumps(_sealed({"format": FORMAT, **page}, beside), indent=1))
        return durable.replace_folder(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def page_of(modules: Mapping[str, nn.Module], shape: Shape, units: Standardisation | None, iteration: int) -> Page:
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

    Raises ModelError where the folder is missing, of an unknown format, damaged, or does not fit the spec.
    """
    page, prior = read_page(folder), stored_prior(spec, folder)
    shape = tuple(page["shape"])
    generator = _restored(
        lambda: spec.generator.build(((prior.dim,),), shape), folder, sampled(spec, page, "generator")
    )
    modules = {"prior": prior, "generator": generator}
    return Stored(modules, shape, page["units"] and Standardisation.of(page["units"]), page["iteration"])


def stored_prior(spec: Spec, folder: Path) -> Prior:
    """The prior of a stored model as it was fitted, so that nothing has to be fitted again."""
    page = read_page(folder)
    prior = _restored(spec.prior.build, folder, sampled(spec, page, "prior"))
    assert isinstance(prior, Prior)
    prior.dim, prior.sizes = page["prior"]["dim"], page["prior"]["sizes"]
    return prior


def restore_sampled(module: nn.Module, spec: Spec, folder: Path, name: str) -> None:
    """Give a module what samples are drawn with: of a checkpoint its moving average, where the spec asks for one."""
    stored = sampled(spec, read_page(folder), name)
    restore(module, tensors_of(module, folder, stored), stored)


def sampled(spec: Spec, page: Page, name: str) -> str:
    """The name under which a stored model holds what samples are drawn with."""
    averaged = spec.training.ema is not None and name in AVERAGED and "device" in page  # which checkpoints tell alone
    return AVERAGE + name if averaged else name


def restore(module: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Give a module its stored tensors; a buffer whose shape a fit decided takes the stored shape."""
    for key, buffer in module.named_buffers():
        if key in tensors and tensors[key].shape != buffer.shape:
            owner, _, leaf = key.rpartition(".")
            module.get_submodule(owner).register_buffer(leaf, torch.empty_like(tensors[key]))
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(f"the stored {name} does not fit the spec: {in_one_line(error)}") from None


def read_page(folder: Path) -> Page:
    """The page of a stored model, brought up to the present format; every file that it names is there.

    Raises ModelError.
    """
    path = folder / MODEL_PAGE
    try:
        page = json_pages.read(path, dict[str, Any])
    except FileNotFoundError:
        if list(folder.glob("*.safetensors")):
            raise DamagedError(f"{path} is missing") from None
        raise ModelError(f"{folder} holds no model: the run has not saved one yet") from None
    except json_pages.PageError as error:
        raise DamagedError(str(error)) from None
    page = _formed(_migrated(_unbroken(page, path), folder), path)
    if missing := [name for name in page.get("files", ()) if not (folder / name).is_file()]:
        raise DamagedError(f"{folder / missing[0]} is missing")
    return page


def damage(folder: Path) -> str:
    """What is wrong with the files of a stored model; nothing where they are what was written."""
    try:
        for name in read_page(folder).get("files", ()):
            check_digest(folder / name)
    except ModelError as error:
        return str(error)
    return ""


def tensors_of(module: nn.Module, folder: Path, name: str) -> dict[str, Tensor]:
    """What is stored of a module under a name; nothing for one that has no tensors.

    Raises ModelError where the file is missing or damaged.
    """
    path = folder / _file(name)
    if not path.exists():
        if module.state_dict():
            raise DamagedError(f"{path} is missing")
        return {}
    check_digest(path)
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises several types for a damaged file
        raise DamagedError(f"{path} is damaged: {error}") from None


def check_digest(path: Path, otherwise: str = "is damaged: it is not what was written (another sha256)") -> None:
    """Refuse a file of a stored model that is not what was written; those of older versions have no digest.

    Raises ModelError.
    """
    try:
        wanted = read_page(path.parent).get("files", {}).get(path.name)
        if wanted is not None and _digest(path) != wanted:
            raise DamagedError(f"{path} {otherwise}")
    except OSError as error:
        raise DamagedError(f"{path} cannot be read ({error.strerror or error})") from None


def _restored(build: Callable[[], nn.Module], folder: Path, name: str) -> nn.Module:
    """A module as the spec builds it, with what is stored under a name.

    What it wants is compared with what is there before memory is taken for it.
    """
    with seeded_generator(None):
        if wanted := _sizes_of(build):
            _compare(wanted, folder / _file(name), name)
        try:
            module = build()
        except (MemoryError, RuntimeError) as error:
            raise ModelError(f"{folder}: its {name} cannot be built ({in_one_line(error)})") from None
    restore(module, tensors_of(module, folder, name), name)
    return module


def _sizes_of(build: Callable[[], nn.Module]) -> dict[str, Shape]:
    """The shapes of a module's parameters, without memory for them; none where it cannot be built so."""
    with suppress(Exception), torch.device("meta"):
        return {key: tuple(value.shape) for key, value in build().named_parameters()}
    return {}


def _compare(wanted: Mapping[str, Shape], path: Path, name: str) -> None:
    if not path.exists():
        raise DamagedError(f"{path} is missing")
    try:
        with safe_open(path, "pt") as file:
            have = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except Exception as error:
        raise DamagedError(f"{path} is damaged: {error}") from None
    for key, shape in wanted.items():
        if have.get(key) != shape:
            stored = f"{have[key]}" if key in have else "not"
            raise ModelError(
                f"the stored {name} does not fit the spec: {key} is {stored} in {path} and would be {shape}"
            )


def _sealed(page: Page, folder: Path) -> Page:
    """The page with a digest of each file that decides what the model is, and one of itself."""
    files = sorted(path for path in folder.iterdir() if path.suffix in WEIGHED)
    page = json.loads(json.dumps({**page, "files": {path.name: _digest(path) for path in files}}))
    return {**page, "digest": _seal(page)}


def _unbroken(page: Page, path: Path) -> Page:
    if "digest" in page and page["digest"] != _seal(page):
        raise DamagedError(f"{path} is damaged: it is not what was written (another sha256)")
    return page


def _seal(page: Page) -> str:
    """Of all that decides what the model is: not of the plugins' versions."""
    said = {key: value for key, value in page.items() if key not in ("digest", "format", "plugins")}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _formed(page: Page, path: Path) -> Page:
    try:
        _Page.model_validate(page)
    except ValidationError as error:
        raise DamagedError(f"{path} is damaged ({json_pages.reason(error)})") from None
    return page


class _Latent(BaseModel):
    dim: PositiveInt
    sizes: dict[str, NonNegativeInt]


class _Units(BaseModel):
    mean: list[float]
    std: list[float]


class _Page(BaseModel):
    """What a page must say; whatever else it says is left as it is."""

    iteration: NonNegativeInt | None
    shape: list[PositiveInt] = Field(min_length=1)
    units: _Units | None
    prior: _Latent
    plugins: dict[str, str] = {}
    files: dict[str, str] = {}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.units and not len(self.units.mean) == len(self.units.std) == self.shape[0]:
            raise ValueError("units are not those of the shape")
        return self


def in_one_line(error: BaseException) -> str:
    """What torch says in several lines, without the first, which only says that there are more."""
    said = "; ".join(line.strip() for line in str(error).splitlines()[1:] or [str(error)])
    return f"{said[:300]}..." if len(said) > 300 else said


def _migrated(page: Page, folder: Path) -> Page:
    version = page.get("format")
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


def _file(name: str) -> str:
    return f"{name.replace('/', '.')}.safetensors"
