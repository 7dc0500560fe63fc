"""Warm start: a run begins with weights of another one, as far as names and shapes are equal; the rest is told.

Taken are weights and buffers of the generator, the discriminator, the auxiliaries and, whole or not at all, the prior;
moving averages go to those of the new run. Losses, the sampler, optimisers and random streams begin anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from allmodes.models.format import AVERAGE, SAMPLER
from allmodes.models.page import DamagedError, ModelError, check_digest, read_page
from allmodes.models.reading import local_folder
from allmodes.runs.run_folder import MODEL_PAGE, RunFolder
from allmodes.specs.players import term_module
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import near

Tensors = Mapping[str, Tensor]
NAMED = 6
"""Tensors, at most, that are named of each kind; the others are counted."""
LOSSES = term_module("").replace("/", ".")
"""Beginning of the names of files that hold the tensors of losses."""


@dataclass(frozen=True)
class Taken:
    """What a run began with: tensors named `generator.head.weight`, sorted as the modules have them.

    Attributes:
        folder: Where they were stored.
        iteration: How far they were trained.
        taken: Those that were found with the same name and shape.
        new: Those of the run that were not stored, which begin as the seed draws them.
        left: Those that were stored and have no place in the run.
        reshaped: Those of another shape, which begin as the seed draws them, with both shapes.
    """

    folder: Path
    iteration: int
    taken: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is new, left over or of another shape."""
        return not (self.new or self.left or self.reshaped)

    def describe(self) -> str:
        """Where the run begins, what was taken, and what was not."""
        begins = f"begins with {len(self.taken)} tensors of {near(self.folder)} (iteration {self.iteration:,})"
        rest = {"new": self.new, "left over": self.left, "of another shape": self.reshaped}
        told = [f"{word}: {_name(names)}" for word, names in rest.items() if names]
        return "; ".join([begins, *told]) if told else f"{begins}: all of them"


def find_source(reference: str, seed: int, here: Path) -> Path:
    """The folder of the stored model that a reference names: of a run, a seed's run, an exported model, or MLflow's.

    Of a run that is its newest checkpoint, which has all networks; without one, its model. Of an experiment it is the
    run of the same seed, else the first. A relative path is looked for in `here`.

    Raises ModelError where there is none.
    """
    folder = local_folder(reference, here)
    if not holds(folder.exists):
        raise ModelError(f"training.from: {no_such_file(near(folder))}")
    if (folder / MODEL_PAGE).is_file():
        return folder
    runs = RunFolder(folder).runs
    if not runs:
        raise ModelError(f"training.from: {near(folder)} is neither the folder of a run nor an exported model")
    run = next((run for run in runs if run.seed == seed), runs[0])
    return next(iter(run.checkpoints), run.model)


@torch.no_grad()
def take_weights(modules: Mapping[str, nn.Module], folder: Path, averages: Mapping[str, nn.Module] = {}) -> Taken:
    """Copy stored weights into modules, in place, and into their moving `averages`.

    An average that is not stored, or not as a whole, follows the weights.

    Raises ModelError where nothing is equal, or a stored file is damaged.
    """
    targets = {name: module for name, module in modules.items() if name != SAMPLER and term_module("") not in name}
    stored = dict(_stored(folder))
    found = Taken(folder, int(read_page(folder)["iteration"] or 0))
    for name, module in targets.items():
        _take(name, module, stored.pop(name, {}), found)
    found.left.extend(f"{name}.{key}" for name, tensors in stored.items() if AVERAGE not in name for key in tensors)
    if not any(parameter in found.taken for parameter in _parameters(targets)):
        what = f"{near(folder)} holds no weight with a name and a shape of this spec's networks"
        raise ModelError(f"training.from: {what}{_show_shapes(found)}: leave it out, or give networks of the same form")
    for name, average in averages.items():
        kept = stored.get(AVERAGE + name, {})
        average.load_state_dict(kept if _fits(average, kept) else modules[name].state_dict())
    return found


def _take(name: str, module: nn.Module, stored: Tensors, found: Taken) -> None:
    own = module.state_dict()
    if name == "prior" and not _fits(module, stored):
        found.new.extend(f"{name}.{key}" for key in own)
        found.left.extend(f"{name}.{key}" for key in stored)
        return
    for key, tensor in own.items():
        if key not in stored:
            found.new.append(f"{name}.{key}")
        elif stored[key].shape != tensor.shape:
            found.reshaped.append(f"{name}.{key} {tuple(tensor.shape)}, stored {tuple(stored[key].shape)}")
        else:
            tensor.copy_(stored[key])
            found.taken.append(f"{name}.{key}")
    found.left.extend(f"{name}.{key}" for key in stored if key not in own)


def _fits(module: nn.Module, stored: Tensors) -> bool:
    """Whether stored tensors are all that a module has, in its shapes."""
    own = module.state_dict()
    return own.keys() == stored.keys() and all(own[key].shape == tensor.shape for key, tensor in stored.items())


def _parameters(modules: Mapping[str, nn.Module]) -> Iterator[str]:
    return (f"{name}.{key}" for name, module in modules.items() for key, _ in module.named_parameters())


def _stored(folder: Path) -> Iterator[tuple[str, Tensors]]:
    """The tensors of each module of a stored model, by its name; without those of losses and of a sampler."""
    for path in sorted(folder.glob("*.safetensors")):
        if path.stem == SAMPLER or path.stem.startswith(LOSSES):
            continue
        check_digest(path)
        try:
            yield path.stem, load_file(path)
        except Exception as error:  # safetensors raises several types for a damaged file
            raise DamagedError(f"training.from: {path} is damaged: {error}") from None


def _show_shapes(found: Taken) -> str:
    return f" (of another shape: {_name(found.reshaped)})" if found.reshaped else ""


def _name(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
