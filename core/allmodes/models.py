"""A trained model on disk: a folder with one safetensors file for each module and a page of JSON, nothing pickled."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from allmodes.contracts import Prior
from allmodes_schemas import Spec

FORMAT = 1


class ModelError(ValueError):
    """A stored model that cannot be read."""


def save(modules: Mapping[str, nn.Module], shape: tuple[int, ...], folder: Path) -> Path:
    """Write the modules beside `folder` and then take its place, so that a reader never sees half a model."""
    beside = folder.with_name(f".{folder.name}-{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name, module in modules.items():
        if tensors := {key: value.detach().cpu().contiguous().clone() for key, value in module.state_dict().items()}:
            save_file(tensors, beside / f"{_file(name)}.safetensors")
    prior = modules["prior"]
    assert isinstance(prior, Prior)
    page = {"format": FORMAT, "shape": shape, "prior": {"dim": prior.dim, "sizes": dict(prior.sizes)}}
    (beside / "model.json").write_text(json.dumps(page, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    return beside.replace(folder)


def load(spec: Spec, folder: Path) -> tuple[dict[str, nn.Module], tuple[int, ...]]:
    """The prior and the generator of a stored model, and the shape of an item.

    Raises ModelError where the folder is missing, of another format, or does not fit the spec.
    """
    page = _page(folder)
    shape = tuple(page["shape"])
    prior = spec.prior.build()
    prior.dim, prior.sizes = page["prior"]["dim"], page["prior"]["sizes"]
    modules = {"prior": prior, "generator": spec.generator.build(((prior.dim,),), shape)}
    for name, module in modules.items():
        restore(module, _tensors(folder / f"{name}.safetensors"), name)
    return modules, shape


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


def _page(folder: Path) -> dict[str, Any]:
    try:
        page: dict[str, Any] = json.loads((folder / "model.json").read_text())
    except FileNotFoundError:
        raise ModelError(f"{folder} holds no model: the run has not saved one yet") from None
    except json.JSONDecodeError as error:
        raise ModelError(f"{folder / 'model.json'} is damaged: {error}") from None
    if page.get("format") != FORMAT:
        raise ModelError(f"{folder} has format {page.get('format')}; this version of allmodes reads format {FORMAT}")
    return page


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path) if path.exists() else {}
    except Exception as error:  # safetensors raises several types for a damaged file
        raise ModelError(f"{path} is damaged: {error}") from None


def _file(name: str) -> str:
    return name.replace("/", ".")
