"""Drawing from a trained model: evaluation mode, no gradients, in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from allmodes.contracts import NOTHING
from allmodes.noise import Noise
from allmodes_schemas import Given

CHUNK = 1024


@torch.no_grad()
def draw(
    modules: Mapping[str, nn.Module], n: int, generator: torch.Generator, given: Given = NOTHING, chunk: int = CHUNK
) -> Tensor:
    """n generated items (n, *shape) on the CPU, with the parts of the latent in `given` held fixed.

    `modules` holds `prior` and `generator`, on the device of the random generator.
    """
    prior, network = modules["prior"], modules["generator"]
    with evaluating(prior, network):
        sizes = [min(chunk, n - start) for start in range(0, n, chunk)]
        return torch.cat([network(prior(Noise(generator), size, given).z).cpu() for size in sizes])


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """Modules in evaluation mode, and afterwards in the mode that they were in."""
    modes = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.train(mode)
