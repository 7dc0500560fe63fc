"""The latent of a trained model: drawn, mapped to items in chunks, and the ways between two latents."""

from __future__ import annotations

from reprlib import repr as short
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from allmodes.game.contracts import Latent
from allmodes.game.noise import Noise
from allmodes.game.sampling import CHUNK, eval_mode, rows_of
from allmodes.models.page import ModelError
from allmodes.registry.faults import calling
from allmodes_schemas import Given, Shape

Way: TypeAlias = Literal["spherical", "linear"]
"""How latents between two others are found: on the arc, or on the straight line."""

ANY = -1
"""In a shape: any number of rows."""


@torch.no_grad()
def draw_latents(prior: nn.Module, n: int, generator: torch.Generator, given: Given) -> Latent:
    """n latents on the CPU, in the chunks and with the randomness that items are drawn with."""
    chunks = [range(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)] or [range(1)]
    with eval_mode(prior), calling(f"forward of prior for {n} items", prior):
        drawn = [prior(Noise(generator), len(rows), rows_of(given, n, rows) if n else {}) for rows in chunks]
    parts = {name: torch.cat([latent.parts[name] for latent in drawn]).cpu()[:n] for name in drawn[0].parts}
    return Latent(torch.cat([latent.z for latent in drawn]).cpu()[:n], parts)


@torch.no_grad()
def generate(network: nn.Module, z: Tensor, device: str) -> Tensor:
    """The items (n, *shape) of latents (n, dim), on the CPU; those of no latents are none, of the same shape."""
    chunks = torch.split((z if len(z) else z.new_zeros(1, *z.shape[1:])).to(device), CHUNK)
    with eval_mode(network), calling(f"forward of generator on {tuple(z.shape)}", network):
        return torch.cat([network(chunk).cpu() for chunk in chunks])[: len(z)]


def as_numbers(value: Any, name: str, what: str, *shapes: Shape) -> Tensor:
    """A tensor, array or nested list as a tensor on the CPU, of one of the shapes, which may have ANY rows.

    Raises ModelError where it has another shape, or holds other than finite floating-point numbers.
    """
    numbers = _as_tensor(value, name)
    if not numbers.is_floating_point():
        raise ModelError(f"{name} holds {_dtype(numbers)}: give floating-point numbers, such as float32")
    if not any(_fits(numbers.shape, shape) for shape in shapes):
        wanted = " or ".join(_words(shape) for shape in shapes)
        raise ModelError(f"{name} has shape {_words(tuple(numbers.shape))}: give {what} of shape {wanted}")
    if not numbers.isfinite().all():
        raise ModelError(f"{name} holds numbers that are not finite")
    return numbers.detach().cpu()


def _as_tensor(value: Any, name: str) -> Tensor:
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise ModelError(f"{name} is {short(value)}: give a tensor or an array") from None


def _dtype(numbers: Tensor) -> str:
    return str(numbers.dtype).removeprefix("torch.")


def _fits(shape: Shape, wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(b in (ANY, a) for a, b in zip(shape, wanted, strict=True))


def _words(shape: Shape) -> str:
    sizes = ["n" if size == ANY else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def default_way(prior: nn.Module) -> Way:
    """How latents of a prior are interpolated by default: as it says."""
    way: Way = getattr(prior, "interpolation", "linear")
    return way


def between(a: Tensor, b: Tensor, steps: int, how: Way) -> Tensor:
    """The latents (n, steps, dim) on the ways from a (n, dim) to b (n, dim), both included.

    On an arc the direction turns evenly, and the length changes evenly. Where there is no single arc (latents that are
    parallel, opposite or zero) the way is straight.
    """
    t = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]  # (steps, 1)
    begin, end = a.double()[:, None], b.double()[:, None]  # (n, 1, dim)
    way = (1 - t) * begin + t * end
    if how == "spherical":
        way = _arc(begin, end, t, way)
    return torch.cat([begin, way[:, 1:-1], end], 1).to(a.dtype)


def _arc(a: Tensor, b: Tensor, t: Tensor, straight: Tensor) -> Tensor:
    lengths = [end.norm(dim=-1, keepdim=True) for end in (a, b)]
    a, b = a / lengths[0], b / lengths[1]  # NaN where one is zero, which the comparison below refuses
    angle = 2 * torch.atan2((a - b).norm(dim=-1, keepdim=True), (a + b).norm(dim=-1, keepdim=True))  # (n, 1, 1)
    arc = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
    return torch.where(angle.sin() > 1e-6, ((1 - t) * lengths[0] + t * lengths[1]) * arc, straight)


def check_steps(steps: Any, how: Any) -> None:
    """Raise ModelError where the number of steps or the way between latents is none."""
    if type(steps) is not int or steps < 2:
        raise ModelError(f"steps={short(steps)}: take two or more, of which the first is a and the last b")
    if how not in (None, "spherical", "linear"):
        raise ModelError(f"how={short(how)}: it is 'spherical', 'linear', or None for what suits the prior")
