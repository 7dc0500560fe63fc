"""Whether a turn couples the items of a batch: then processes with a part each would not do what one does with all.

A turn may be shared where its losses, their gradients and what its parts leave behind are, for a whole batch, the means
of those for its parts. That is tried out, on two parts of one batch with the noise of that batch, rather than declared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes.data.parts import part_of
from allmodes.engine.eager import EagerEngine
from allmodes.engine.memory import PythonMemory
from allmodes.game.composition import Composition
from allmodes.game.networks import find_inside
from allmodes.game.noise import Noise
from allmodes.game.parts import act
from allmodes.game.step import Draw, Step
from allmodes_schemas import TurnConfig

PARTS = 2
"""Parts of the batch that is tried; of what is a mean over two parts of a batch, the same holds for more of them."""
MOST = 16
"""Items of a part, at most: the fewer, the more of what couples them is seen."""
TOLERANCE = 3e-5
"""How far, of their size, values may be apart: ten times the rounding of sums of float32 in another order."""
SMALL_LOSS, SMALL = 0.1, 1e-3
"""A loss, or anything else, that is smaller is compared with this: what cancels out leaves nothing but rounding."""


class CouplingError(RuntimeError):
    """A turn that several processes cannot share; the message says which term couples the items of a batch."""


class PartNoise(Noise):
    """The part of a batch's noise that belongs to some of its items; what does not grow with the batch is shared."""

    def __init__(self, whole: dict[str, Tensor], part: int, place: str = "") -> None:
        super().__init__(None, whole, place)
        self.part = part

    @override
    def at(self, place: str) -> PartNoise:
        return PartNoise(self.drawn, self.part, f"{self.place}{place}/")

    @override
    def _draw(self, distribution: Callable[..., Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
        key, n = self.place + name, shape[0] if shape else 0
        whole = self.drawn.get(key)
        if whole is not None and whole.shape == shape:
            return whole
        if whole is not None and shape and whole.shape == (PARTS * n, *shape[1:]):
            return whole[self.part * n : (self.part + 1) * n]
        sizes = "none" if whole is None else f"{tuple(whole.shape)}"
        raise CouplingError(f"noise {key!r} of shape {shape} for a part of a batch, and {sizes} for the whole")


class Found(NamedTuple):
    """What a turn gave: losses (and gradients, flat) by player and term, and the modules' tensors after it."""

    losses: dict[tuple[str, str], Tensor]
    gradients: dict[tuple[str, str], Tensor]
    left: dict[str, Tensor]


def check_uncoupled(engine: EagerEngine, turn: TurnConfig, draw: Draw, iteration: int) -> None:
    """Raise CouplingError where a turn couples the items of a batch; all stays as it was.

    Args:
        engine: Whose modules are tried.
        turn: The turn.
        draw: Its batch is divided; its noise stays unused.
        iteration: Decides the weights of the terms.
    """
    composition = engine.composition
    if norms := _find_norms(composition, turn):
        raise CouplingError(_describe(f"BatchNorm in {norms} normalises by the items of a batch"))
    pack = composition.discriminator.pack if "discriminator" in composition.modules else 1
    most = max(MOST // pack, 1) * pack
    parts = [part_of(draw.batch, i, PARTS, pack, most) for i in range(PARTS)]
    whole = part_of(draw.batch, 0, 1, PARTS * pack, PARTS * most)
    with _unchanged(composition), _watching(engine) as ahead:
        noise = Noise(torch.Generator(draw.batch.x.device).manual_seed(0))
        expected = _try(engine, turn, Draw(whole, noise), iteration)
        if ahead:
            raise CouplingError(_describe(f"{ahead[0]} looks ahead of updates on a batch (step.after)"))
        try:
            found = [_try(engine, turn, Draw(p, PartNoise(noise.drawn, i)), iteration) for i, p in enumerate(parts)]
        except CouplingError as error:
            raise CouplingError(_describe(f"a turn of {' and '.join(turn.players)} asks for {error}")) from None
        _compare(composition, expected, found)


def _try(engine: EagerEngine, turn: TurnConfig, draw: Draw, iteration: int) -> Found:
    """What a turn gives on a draw, from the modules as they were before it."""
    with _unchanged(engine.composition):
        step, _, rules = engine.compute(turn, draw, iteration)
        gradients = {name: _gradient(value, engine.parameters[name[0]]) for name, value in step.losses.items()}
        losses = {name: value.detach().clone() for name, value in step.losses.items()}
        act(step, rules)
        return Found(losses, gradients, {name: t.detach().clone() for name, t in _tensors(engine.composition)})


def _gradient(value: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """The gradient of a loss with respect to parameters, as one vector."""
    found = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    return torch.cat([_flat(p) if g is None else g.flatten() for p, g in zip(parameters, found, strict=True)])


def _flat(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter).flatten()


def _compare(composition: Composition, expected: Found, parts: Sequence[Found]) -> None:
    """Raise CouplingError for the first loss, gradient or tensor that is not the mean of those of the parts."""
    for (player, term), value in expected.losses.items():
        gradient, gradients = expected.gradients[player, term], [part.gradients[player, term] for part in parts]
        losses = [part.losses[player, term] for part in parts]
        if not (_is_mean(value, losses, SMALL_LOSS) and _is_mean(gradient, gradients)):
            what = f"loss {term} of player {player!r} couples the items of a batch"
            raise CouplingError(_describe(what))
    for name, tensor in expected.left.items():
        if not all(_is_mean(tensor, [part.left[name]]) for part in parts):
            raise CouplingError(_describe(f"{name} remembers which items a batch had"))


def _is_mean(whole: Tensor, parts: Sequence[Tensor], small: float = SMALL) -> bool:
    """Whether a tensor is the mean of others, but for rounding; one that is not finite tells nothing."""
    if any(part.shape != whole.shape for part in parts):
        return False
    expected, mean = whole.double(), torch.stack([part.double() for part in parts]).mean(0)
    if not bool(expected.isfinite().all()):
        return True
    return bool((mean - expected).norm() <= TOLERANCE * max(float(expected.norm()), small))


def _find_norms(composition: Composition, turn: TurnConfig) -> str:
    """The modules that normalise by the batch in a turn, where there are any."""
    found = find_inside(composition.modules, nn.modules.batchnorm._BatchNorm).items()
    return ", ".join(name for name, norms in found if name not in turn.inference and any(n.training for n in norms))


def _describe(what: str) -> str:
    return f"{what}: with a part of it each, several processes would train something else: train this with one process"


def _tensors(composition: Composition) -> Iterator[tuple[str, Tensor]]:
    for name, module in composition.modules.items():
        yield from ((f"{name}.{key}", tensor) for key, tensor in (*module.named_parameters(), *module.named_buffers()))


@contextmanager
def _unchanged(composition: Composition) -> Iterator[None]:
    """Put back what modules hold, in tensors and in Python, after the block."""
    memory, before = PythonMemory(composition), [(t, t.detach().clone()) for _, t in _tensors(composition)]
    try:
        yield
    finally:
        memory.put_back()
        with torch.no_grad():
            for tensor, value in before:
                tensor.copy_(value)


@contextmanager
def _watching(engine: EagerEngine) -> Iterator[list[str]]:
    """Note the terms that look ahead of updates; without mixed precision, whose rounding would hide a coupling."""
    composition, unroll, ahead = engine.composition, engine.unroll, list[str]()
    precision = composition.precision

    def watch(step: Step, *arguments: Any, **options: Any) -> Step:
        ahead.append(f"loss {step.forward.term[0]}")
        return unroll(step, *arguments, **options)

    engine.unroll, composition.precision = watch, None  # type: ignore[assignment]
    try:
        yield ahead
    finally:
        engine.unroll, composition.precision = unroll, precision
