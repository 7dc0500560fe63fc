"""A trained model on disk: a folder with one safetensors file for each module and a page of JSON, nothing pickled."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor, nn

from allmodes.data.standardisation import Standardisation
from allmodes.game.compose import build_networks
from allmodes.game.contracts import Prior
from allmodes.game.samplers import build_sampler
from allmodes.models.page import DamagedError, ModelError, Page, check_digest, read_page, write_page
from allmodes.system import durable
from allmodes.system.torch_settings import seeded_generator
from allmodes_schemas import Shape, Spec

AVERAGE = "average."
"""Prefix of the name of a module's moving average."""
SAMPLER = "sampler"
"""Name of the module that draws samples, where a spec has one, and of the entry of the page that holds its kind."""
AVERAGED = ("generator", "prior")
"""Modules of which a run keeps moving averages, where its spec asks for them."""


@dataclass(frozen=True)
class Stored:
    """A loaded model: what samples are drawn with, an item's shape and units."""

    modules: Mapping[str, nn.Module]
    shape: Shape
    units: Standardisation | None = None
    iteration: int | None = None


def save(
    modules: Mapping[str, nn.Module], page: Page, folder: Path, more: Callable[[Path], None] | None = None
) -> Path:
    """Write modules and page beside `folder` and rename, so that a reader never sees half a model.

    On any error nothing is left behind, and the previous folder stays.

    Args:
        modules: Written under their names.
        page: As `make_page` gives it, with further entries of the caller's.
        folder: Replaced if it exists.
        more: Writes further files into the folder before it is renamed.
    """
    beside = folder.with_name(f".{folder.name}-{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        for name, module in modules.items():
            if tensors := _copy_tensors(module):
                # safetensors' own writing makes files that only their owner may read.
                (beside / _file_name(name)).write_bytes(serialise(tensors))
        if more is not None:
            more(beside)
        write_page(page, beside)
        return durable.replace_folder(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def make_page(modules: Mapping[str, nn.Module], shape: Shape, units: Standardisation | None, iteration: int) -> Page:
    """The page of a model: everything that its tensors do not hold."""
    return {
        "iteration": iteration,
        "shape": shape,
        "units": units and units.page(),
        "priors": {
            path: {"dim": prior.dim, "sizes": dict(prior.sizes)}
            for name, module in modules.items()
            for path, prior in _priors_in(name, module)
        },
        SAMPLER: getattr(modules.get(SAMPLER), "kind", None),
    }


def _priors_in(name: str, module: nn.Module) -> Iterator[tuple[str, Prior]]:
    """The priors of a module, itself included, by path: `prior`, `prior.inner`."""
    for path, inner in module.named_modules():
        if isinstance(inner, Prior):
            yield f"{name}.{path}" if path else name, inner


def _restore_sizes(module: nn.Module, page: Page, name: str) -> None:
    """Give the priors of a module the sizes that were stored, save those that ask a prior within for them."""
    for path, prior in _priors_in(name, module):
        for key, size in page["priors"].get(path, {}).items():
            if not isinstance(getattr(type(prior), key, None), property):
                setattr(prior, key, size)


def load(spec: Spec, folder: Path, every: bool = False) -> Stored:
    """Load what samples of a stored model are drawn with; of a checkpoint, the moving averages if it has them.

    That are `prior` and `generator` and, where the spec has a sampler, this and all that it may call. With `every`
    it is all networks; `holds_all` tells whether they are there.

    Raises ModelError where the folder is missing, of an unknown format, damaged, or does not fit the spec.
    """
    page, prior = read_page(folder), load_prior(spec, folder)
    _check_sampler(spec, page, folder)
    shape = tuple(page["shape"])
    modules = _load_modules(lambda: _build_sampled(spec, prior, shape, every), spec, folder)
    units = page["units"] and Standardisation.of(page["units"])
    return Stored({"prior": prior, **modules}, shape, units, page["iteration"])


def load_prior(spec: Spec, folder: Path) -> Prior:
    """Load the prior of a stored model as it was fitted, without fitting anything again."""
    prior = _load_modules(lambda: {"prior": spec.prior.build()}, spec, folder)["prior"]
    assert isinstance(prior, Prior)
    return prior


def restore_sampled(module: nn.Module, spec: Spec, folder: Path, name: str) -> None:
    """Restore the tensors that samples are drawn with: of a checkpoint the moving average, if the spec asks for one."""
    stored = sampled_name(spec, read_page(folder), name)
    restore(module, read_tensors(module, folder, stored), stored)


def is_restored(module: nn.Module, folder: Path, name: str) -> bool:
    """Whether a run that goes on takes a module from a stored model.

    All but a sampler of another form, which the run did not have before: it is fitted at the next evaluation.
    """
    if name != SAMPLER or not module.state_dict():
        return True
    if not (folder / _file_name(name)).exists():
        return False
    tensors, parameters = read_tensors(module, folder, name), dict(module.named_parameters())
    same = tensors.keys() == module.state_dict().keys()
    return same and all(tensors[key].shape == value.shape for key, value in parameters.items())


def sampled_name(spec: Spec, page: Page, name: str) -> str:
    """The name under which a stored model holds the tensors of a module that samples are drawn with."""
    is_checkpoint = "device" in page
    averaged = is_checkpoint and spec.training.ema is not None and name in AVERAGED
    return AVERAGE + name if averaged else name


def restore(module: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Load stored tensors into a module; a buffer whose shape was decided by a fit takes the stored shape.

    Raises ModelError where they do not fit.
    """
    for key, buffer in module.named_buffers():
        if key in tensors and tensors[key].shape != buffer.shape:
            owner, _, leaf = key.rpartition(".")
            module.get_submodule(owner).register_buffer(leaf, torch.empty_like(tensors[key]))
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(f"the stored {name} does not fit the spec: {shorten_error(error)}") from None


def read_tensors(module: nn.Module, folder: Path, name: str) -> dict[str, Tensor]:
    """Read the tensors of a module that are stored under a name; none for a module without tensors.

    Raises ModelError where the file is missing or damaged.
    """
    path = folder / _file_name(name)
    if not path.exists():
        if module.state_dict():
            raise DamagedError(f"{path} is missing")
        return {}
    check_digest(path)
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises several types for a damaged file
        raise DamagedError(f"{path} is damaged: {error}") from None


def shorten_error(error: BaseException) -> str:
    """Torch's message of several lines as one, without the first line, which only announces the others."""
    message = "; ".join(line.strip() for line in str(error).splitlines()[1:] or [str(error)])
    return f"{message[:300]}..." if len(message) > 300 else message


def holds_all(folder: Path) -> bool:
    """Whether a stored model holds all networks of its spec: a checkpoint, or one that is sampled by a sampler."""
    page = read_page(folder)
    return "device" in page or page.get(SAMPLER) is not None


def _build_sampled(spec: Spec, prior: Prior, shape: Shape, every: bool) -> dict[str, nn.Module]:
    """What samples are drawn with besides the prior, as the spec describes it: a sampler may call every network."""
    if spec.sampler is None and not every:
        return {"generator": spec.generator.build(((prior.dim,),), shape)}
    sampler = {} if spec.sampler is None else {SAMPLER: build_sampler(spec.sampler)}
    return {**build_networks(spec, prior, shape), **sampler}


def _check_sampler(spec: Spec, page: Page, folder: Path) -> None:
    """Refuse to sample with a sampler that was not there when a model was stored, and so was never fitted to it."""
    stored = page.get(SAMPLER)
    if spec.sampler is not None and spec.sampler.kind != stored:
        found = f"{folder} was stored with {f'sampler {stored}' if stored else 'no sampler'}"
        raise ModelError(f"{found}, and the spec has {spec.sampler.kind}: measure it with `allmodes evaluate`")


def _load_modules(build: Callable[[], dict[str, nn.Module]], spec: Spec, folder: Path) -> dict[str, nn.Module]:
    """Build modules by name as the spec describes them and restore the tensors that samples are drawn with.

    Shapes are compared with the stored ones first, before memory is allocated for modules that do not fit.
    """
    page = read_page(folder)
    with seeded_generator(None):
        for name, shapes in _parameter_shapes(build).items():
            stored = sampled_name(spec, page, name)
            _check_shapes(shapes, folder / _file_name(stored), stored)
        try:
            modules = build()
        except (MemoryError, RuntimeError) as error:
            raise ModelError(f"{folder}: its model cannot be built ({shorten_error(error)})") from None
    for name, module in modules.items():
        restore_sampled(module, spec, folder, name)
        _restore_sizes(module, page, name)
    return modules


def _parameter_shapes(build: Callable[[], dict[str, nn.Module]]) -> dict[str, dict[str, Shape]]:
    """The shapes of parameters by module, found without memory for them; none where that is not possible."""
    with suppress(Exception), torch.device("meta"):
        modules = build()
        shapes = {name: {key: tuple(p.shape) for key, p in m.named_parameters()} for name, m in modules.items()}
        return {name: inside for name, inside in shapes.items() if inside}
    return {}


def _check_shapes(shapes: Mapping[str, Shape], path: Path, name: str) -> None:
    if not path.exists():
        raise DamagedError(f"{path} is missing")
    try:
        with safe_open(path, "pt") as file:
            have = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except Exception as error:
        raise DamagedError(f"{path} is damaged: {error}") from None
    for key, shape in shapes.items():
        if have.get(key) != shape:
            stored = f"{have[key]}" if key in have else "not"
            raise ModelError(
                f"the stored {name} does not fit the spec: {key} is {stored} in {path} and would be {shape}"
            )


def _copy_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Copies on the CPU, because safetensors refuses tensors that share memory."""
    return {key: value.detach().cpu().contiguous().clone() for key, value in module.state_dict().items()}


def _file_name(name: str) -> str:
    return f"{name.replace('/', '.')}.safetensors"
