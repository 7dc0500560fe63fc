"""The checks: sweeps from bad samples to good ones and back, and what numbers should do along them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from allmodes.data import Mixture
from sanity.criteria import Criterion, bell, either, falls, falls_by, flat, near, rises
from sanity.numbers import Role

Sampler = Callable[[int, Generator], Tensor]
"""Draws (n, D)."""
Change = Callable[[Sampler, float], Sampler]
"""A sampler made of another and a place far from its draws."""
N = 1000


@dataclass(frozen=True)
class Point:
    """Real data and samples, `items` and `samples` of them."""

    real: Sampler | Mixture
    fake: Sampler | Mixture
    items: int = N
    samples: int = N


@dataclass(frozen=True)
class Asked:
    """What is asked of a role; `bound` where the number must have known bounds for that."""

    what: str
    criteria: Mapping[Role, Criterion]
    bound: bool = False


@dataclass(frozen=True)
class Check:
    """Sweeps by title, and what is asked of each."""

    name: str
    sweeps: Mapping[str, Sequence[Point]]
    asked: Sequence[Asked]


def same(criterion: Criterion, *roles: Role) -> Mapping[Role, Criterion]:
    return dict.fromkeys(roles or ("fidelity", "diversity", "both"), criterion)


def normal(dims: int, mean: float | Tensor = 0.0, std: float | Tensor = 1.0) -> Sampler:
    return lambda n, generator: mean + std * torch.randn(n, dims, generator=generator)


def cube(dims: int, start: float = 0.0) -> Sampler:
    return lambda n, generator: start + torch.rand(n, dims, generator=generator)


def sphere(dims: int, radius: float) -> Sampler:
    def draw(n: int, generator: Generator) -> Tensor:
        x = torch.randn(n, dims, generator=generator)
        return radius * x / x.norm(dim=1, keepdim=True)

    return draw


def ball(dims: int, radius: float) -> Sampler:
    def draw(n: int, generator: Generator) -> Tensor:
        return sphere(dims, radius)(n, generator) * torch.rand(n, 1, generator=generator) ** (1 / dims)

    return draw


def torus(n: int, generator: Generator) -> Tensor:
    """A tube of radius 0.1 around the unit circle, as the paper draws it: discs at angles that are uniform."""
    disc, angle = ball(2, 0.1)(n, generator), 2 * math.pi * torch.rand(n, generator=generator)
    far = 1 + disc[:, 0]
    return torch.stack([far * angle.cos(), far * angle.sin(), disc[:, 1]], 1)


def rounded(sampler: Sampler) -> Sampler:
    return lambda n, generator: sampler(n, generator).round()


def with_row(sampler: Sampler, value: float) -> Sampler:
    """One outlier among the draws."""

    def draw(n: int, generator: Generator) -> Tensor:
        x = sampler(n - 1, generator)
        return torch.cat([x, torch.full_like(x[:1], value)])

    return draw


def with_pareto(sampler: Sampler, tail: float = 1.01) -> Sampler:
    """A second coordinate from Pareto's distribution, in which single items lie far out."""

    def draw(n: int, generator: Generator) -> Tensor:
        uniform = 1 - torch.rand(n, 1, generator=generator, dtype=torch.float64)
        return torch.cat([sampler(n, generator), (uniform ** (-1 / tail)).float()], 1)

    return draw


def line(first: float, last: float, points: int) -> list[float]:
    values: list[float] = torch.linspace(first, last, points, dtype=torch.float64).tolist()
    return values


def logs(first: float, last: float, points: int) -> list[float]:
    return [10**exponent for exponent in line(first, last, points)]


FAR = {1: 6.0, 8: 3.0, 64: 1.0}
"""By dimensions, the mean in each coordinate at which two Gaussians are apart."""
WIDE = {1: 3.0, 8: 1.0, 64: 0.5}
"""By dimensions, the power of ten by which a std is too small or too large."""
MODES = torch.linspace(0, 10, 10)
NARROW = {1: 1 / 6, 8: 1 / 3, 64: 1.0}
PLACES = torch.tensor([
    [5.47, -4.08], [4.87, -13.65], [-16.39, 9.10], [-2.15, 12.46], [11.56, -4.96],
    [-24.61, 14.18], [16.84, -3.19], [-5.48, -6.77], [9.47, 1.06], [-5.40, -17.29],
])  # fmt: skip


def blend(dims: int, weights: Tensor) -> Mixture:
    """Ten modes on a diagonal."""
    return Mixture(MODES[:, None].expand(-1, dims).clone(), NARROW[dims], weights)


def placed(modes: int) -> Mixture:
    return Mixture(PLACES, 0.25, (torch.arange(10) < modes).float())


def two(dims: int, apart: float) -> Sampler:
    def draw(n: int, generator: Generator) -> Tensor:
        side = torch.randint(2, (n, 1), generator=generator) - 0.5
        return side * apart + torch.randn(n, dims, generator=generator)

    return draw


def sweep(real: Sampler | Mixture, fakes: Iterable[Sampler | Mixture]) -> list[Point]:
    """The same real data all along."""
    return [Point(real, fake) for fake in fakes]


def means(change: Change, fake: Change) -> dict[str, list[Point]]:
    """Gaussians whose mean moves from one side of the real ones to the other."""
    return {
        f"D = {d}": sweep(change(normal(d), far), (fake(normal(d, mean), far) for mean in line(-far, far, 5)))
        for d, far in FAR.items()
    }


def plain(sampler: Sampler, value: float) -> Sampler:
    return sampler


MIDDLE = (
    Asked("identical", same(near(2, 1))),
    Asked("far below", same(near(0, 0)), bound=True),
    Asked("far above", same(near(-1, 0)), bound=True),
    Asked("bell", same(bell(2))),
)

KEPT = Asked("identical", same(near(0, 1)))
GOOD = Asked("one mode left", same(near(-1, 1), "fidelity"))


def dropping(middle: int) -> tuple[Asked, ...]:
    shape = same(falls_by(middle), "diversity", "both")
    return KEPT, GOOD, Asked("shape", {"fidelity": flat(), **shape})


def simultaneous() -> dict[str, list[Point]]:
    """All modes but one lose weight together."""
    even = torch.full((10,), 0.1)
    kept = [torch.cat([even[:1], even[1:] * (1 - drop)]) for drop in (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)]
    return {f"D = {d}": sweep(blend(d, even), (blend(d, weights) for weights in kept)) for d in FAR}


def sequential() -> dict[str, list[Point]]:
    """One mode after the other loses its weight."""
    even = torch.full((10,), 0.1)
    kept = [even * (torch.arange(10) < 10 - dropped) for dropped in (0, 2, 4, 6, 9)]
    return {f"D = {d}": sweep(blend(d, even), (blend(d, weights) for weights in kept)) for d in FAR}


def overlap(sizes: Sequence[int], real: int | None = None) -> dict[str, list[Point]]:
    """Unit cubes, a fifth of each of which lies in the other; as many real items as samples, or so many."""
    return {f"D = {d}": [Point(cube(d), cube(d, 1 - 0.2 ** (1 / d)), real or n, n) for n in sizes] for d in FAR}


def scaled(scale: float, mean: float) -> Sampler:
    return normal(2, torch.tensor([mean, 0.0]), torch.tensor([1.0, scale]))


def moved(dims: int) -> Sampler:
    return normal(dims, torch.nn.functional.one_hot(torch.tensor(0), dims) * 6.0)


OVERLAP = (
    Asked("settles", same(flat(1))),
    Asked("the overlap", same(near(-1, 0.2), "fidelity", "diversity"), bound=True),
)

CHECKS: Sequence[Check] = (
    Check("Gaussian, mean", means(plain, plain), MIDDLE),
    Check("Gaussian, mean, an outlier among real items", means(with_row, plain), MIDDLE),
    Check("Gaussian, mean, an outlier among samples", means(plain, with_row), MIDDLE),
    Check(
        "Gaussian and Pareto, mean",
        {"": sweep(with_pareto(normal(1)), (with_pareto(normal(1, mean)) for mean in line(-6, 6, 5)))},
        MIDDLE,
    ),
    Check(
        "Gaussian, std",
        {f"D = {d}": sweep(normal(d), (normal(d, 0.0, std) for std in logs(-w, w, 5))) for d, w in WIDE.items()},
        (
            Asked("identical", same(near(2, 1))),
            Asked("narrow", {"fidelity": near(0, 1), "diversity": near(0, 0)}, bound=True),
            Asked("wide", {"fidelity": near(-1, 0), "diversity": either(near(-1, 1), near(-1, 0))}, bound=True),
            Asked("shape", {"fidelity": falls, "diversity": either(bell(2), rises), "both": bell(2)}),
        ),
    ),
    Check("mode dropping, all at once", simultaneous(), dropping(4)),
    Check("mode dropping, one by one", sequential(), dropping(2)),
    Check(
        "mode dropping and invention",
        {"": sweep(placed(5), map(placed, (1, 3, 5, 7, 10)))},
        (
            Asked("identical", same(near(2, 1))),
            Asked("one mode left", same(near(0, 1), "fidelity")),
            Asked("most invented", same(near(-1, 1), "diversity"), bound=True),
            Asked("shape", {"fidelity": falls, "diversity": rises, "both": bell(2)}),
        ),
    ),
    Check(
        "two modes against one",
        {f"D = {d}": [Point(two(d, mu), normal(d, 0.0, math.hypot(1, mu))) for mu in line(0, 5, 5)] for d in FAR},
        (KEPT, Asked("shape", {"fidelity": falls, "diversity": either(falls, flat()), "both": falls})),
    ),
    Check(
        "surface of a sphere, radius",
        {f"D = {d}": sweep(sphere(d, 1), (sphere(d, r) for r in line(0.1, 1.9, 5))) for d in (2, 16, 128)},
        MIDDLE,
    ),
    Check(
        "cube, number of items",
        overlap((100, 1000, 2000)),
        OVERLAP,
    ),
    Check(
        "cube, number of samples",
        overlap((100, 1000, 2000), N),
        OVERLAP,
    ),
    Check(
        "ball and torus, number of samples",
        {
            "real ball": [Point(ball(3, 0.8), torus, N, n) for n in (100, 1000, 2000)],
            "real torus": [Point(torus, ball(3, 0.8), N, n) for n in (100, 1000, 2000)],
        },
        (Asked("settles", same(flat(1))), Asked("apart", same(near(-1, 0)), bound=True)),
    ),
    Check(
        "unit of a coordinate",
        {"": [Point(scaled(s, 0), scaled(s, 6)) for s in logs(-3, 3, 5)]},
        (Asked("flat", same(flat())), Asked("apart, small unit", same(near(0, 0)), bound=True),
         Asked("apart, large unit", same(near(-1, 0)), bound=True)),
    ),
    Check(
        "one coordinate apart of many",
        {"": [Point(normal(d + 1), moved(d + 1)) for d in (1, 10, 100, 1000)]},
        (Asked("flat", same(flat())), Asked("apart of 2", same(near(0, 0)), bound=True),
         Asked("apart of 1,001", same(near(-1, 0)), bound=True)),
    ),
    Check(
        "whole numbers, samples between",
        {"": [Point(rounded(normal(1, 0.0, s)), normal(1, 0.0, s)) for s in logs(0, 3, 4)]},
        (
            Asked("flat", same(flat(), "fidelity", "diversity")),
            Asked("coarse", {"fidelity": near(0, 0), "diversity": either(near(0, 1), near(0, 0))}, bound=True),
            Asked("fine", {"fidelity": near(-1, 0), "diversity": either(near(-1, 1), near(-1, 0))}, bound=True),
        ),
    ),
    Check(
        "whole numbers among samples",
        {"": [Point(normal(1, 0.0, s), rounded(normal(1, 0.0, s))) for s in logs(0, 3, 4)]},
        (
            Asked("flat", same(flat(), "fidelity", "diversity")),
            Asked("coarse", {"fidelity": near(0, 1), "diversity": near(0, 0)}, bound=True),
            Asked("fine", {"fidelity": near(-1, 1), "diversity": near(-1, 0)}, bound=True),
        ),
    ),
)  # fmt: skip
