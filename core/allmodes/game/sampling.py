"""Drawing from a trained model: evaluation mode, no gradients, in chunks, or by its sampler."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from reprlib import repr as short
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from allmodes.game.contracts import NOTHING
from allmodes.game.noise import Noise
from allmodes.game.samplers import Sampler, Source, check_samples
from allmodes.game.untouched import Untouched
from allmodes.registry.faults import calling
from allmodes_schemas import Given

CHUNK = 1024


@torch.no_grad()
def draw(
    modules: Mapping[str, nn.Module], n: int, generator: torch.Generator, given: Given = NOTHING, chunk: int = CHUNK
) -> Tensor:
    """n generated items (n, *shape) on the CPU, with the parts of the latent in `given` held fixed.

    `modules` holds `prior` and `generator`, on the device of the random generator; a `sampler` among them is asked for
    the items, once for all draws that hold the same parts fixed.

    Raises ContractError where a sampler gives something else, or changes a module; that is put back.
    """
    if n == 0:  # of the shape of one item, which the generator alone knows
        return draw({name: modules[name] for name in ("prior", "generator")}, 1, generator)[:0]
    given = as_tensors(given)
    if isinstance(sampler := modules.get("sampler"), Sampler):
        return _ask(sampler, modules, n, generator, given)
    prior, network = modules["prior"], modules["generator"]
    with eval_mode(prior, network):
        chunks = [range(start, min(start + chunk, n)) for start in range(0, n, chunk)]
        return torch.cat([_items(prior, network, Noise(generator), len(p), rows_of(given, n, p)).cpu() for p in chunks])


def _items(prior: nn.Module, generator: nn.Module, noise: Noise, n: int, given: Given) -> Tensor:
    """n generated items, where the modules are."""
    with calling(f"forward of prior for {n} items", prior):
        z: Tensor = prior(noise, n, given).z
    with calling(f"forward of generator on {tuple(z.shape)}", generator):
        items: Tensor = generator(z)
    return items


def _ask(
    sampler: Sampler, modules: Mapping[str, nn.Module], n: int, generator: torch.Generator, given: Given
) -> Tensor:
    """Let a sampler draw n items; loss terms are none of the modules that it may call."""
    order, drawn = list[Tensor](), list[Tensor]()
    with eval_mode(*(module for name, module in modules.items() if not name.startswith("losses/"))):
        untouched = Untouched("drawing only reads", modules)
        for rows, fixed in _groups(given, n):
            source = Source(modules, generator, fixed)
            with calling(f"forward of sampler for {len(rows)} items", sampler):
                with untouched.kept():
                    samples = sampler(source, len(rows))
                shape = source.items(source.latent(1)).shape[1:]
                drawn.append(check_samples(samples, len(rows), shape).cpu())
            order.append(rows)
    return torch.cat(drawn)[torch.cat(order).argsort()]


def _groups(given: Given, n: int) -> Iterator[tuple[Tensor, Given]]:
    """The numbers of the draws that hold the same parts fixed, and these parts: a mode (), any other (size,)."""
    each = {name: value for name, value in given.items() if _is_per_draw(value, n)}
    columns = [value.cpu().reshape(n, -1).double() for value in each.values()] or [torch.zeros(n, 1).double()]
    kinds, kind = torch.unique(torch.cat(columns, 1), dim=0, return_inverse=True)
    for number in range(len(kinds)):
        rows = (kind == number).nonzero()[:, 0]
        yield rows, {**given, **{name: value[rows[0]] for name, value in each.items()}}


def as_tensors(given: Given) -> Given:
    """Parts with lists and arrays as tensors."""
    return {name: torch.as_tensor(value) if _is_list(value) else value for name, value in given.items()}


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple | np.ndarray)


def given_problem(prior: nn.Module, given: Given, n: int) -> str | None:
    """The reason why a prior cannot draw n latents with these parts held fixed, or None.

    A part `mode` is a number from 0, or one for each draw (n,); any other part is a tensor (n, size).
    """
    sizes: dict[str, int] = dict(prior.sizes)  # type: ignore[arg-type]
    for name, value in given.items():
        if name not in sizes:
            return f"the prior has no part {name!r}: its parts are {', '.join(sizes)}"
        if name != "mode":
            shape = tuple(getattr(value, "shape", ()))
            if shape != (n, sizes[name]):
                return f"part {name!r} is given as a tensor of shape ({n}, {sizes[name]}), not {shape or short(value)}"
        elif problem := _mode_problem(value, sizes[name], n):
            return problem
    return None


def _mode_problem(given: Any, modes: int, n: int) -> str | None:
    mode = torch.as_tensor(given) if isinstance(given, int | Tensor | np.integer) else torch.tensor(math.nan)
    if mode.is_floating_point() or mode.dtype == torch.bool or mode.shape not in ((), (n,)):
        return f"modes are given as a number from 0 to {modes - 1}, or as {n} of them, one for each draw"
    for wrong in mode[(mode < 0) | (mode >= modes)].tolist():
        return f"there is no mode {wrong}: the prior has modes 0 to {modes - 1}"
    return None


def rows_of(given: Given, n: int, rows: range) -> Given:
    """The fixed parts of some of n draws."""
    each = {name: value for name, value in given.items() if _is_per_draw(value, n)}
    return {**given, **{name: value[rows.start : rows.stop] for name, value in each.items()}}


def _is_per_draw(value: object, n: int) -> bool:
    return isinstance(value, Tensor) and value.shape[:1] == (n,)


@contextmanager
def eval_mode(*modules: nn.Module) -> Iterator[None]:
    """Put modules into evaluation mode for the block, and afterwards into their previous mode."""
    modes = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.train(mode)
