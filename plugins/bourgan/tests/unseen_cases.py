"""Data that nobody tuned on, each from a number: curves and mixtures of random shapes, with exact answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from unseen_truths import Gaussians, Together, Tubes

from allmodes import FixedData

FINE = 1201
"""Points of a curve."""
RAREST = 8
"""Items of the rarest mode, at least."""


class Chance:
    """Random numbers of a case."""

    def __init__(self, name: str, number: int) -> None:
        seed = int.from_bytes(f"{name} {number}".encode()) % (2**63 - 25)
        self.generator = torch.Generator().manual_seed(seed)

    def between(self, low: float, high: float) -> float:
        """A number, uniform."""
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def ratio(self, low: float, high: float) -> float:
        """A number whose logarithm is uniform."""
        return math.exp(self.between(math.log(low), math.log(high)))

    def one_of(self, *values: int) -> int:
        """One of some numbers."""
        return values[int(self.between(0, len(values)))]

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(*shape, generator=self.generator, dtype=torch.double)

    def frame(self, rows: int, dims: int) -> Tensor:
        """Orthonormal rows (rows, dims)."""
        return torch.linalg.qr(self.normal(dims, dims))[0][:rows]

    def falling(self, n: int, ratio: float) -> Tensor:
        """Numbers (n,) from 1 down to 1 / ratio in equal steps of their logarithm, in random order."""
        steps = ratio ** -torch.linspace(0, 1, n, dtype=torch.double)
        return steps[torch.randperm(n, generator=self.generator)]


@dataclass
class Case:
    """A name with what was drawn, a distribution, and training items of it."""

    title: str
    truth: Together
    items: int

    def data(self) -> FixedData:
        """The training items, shared among the modes by their weights; at least one for each."""
        shares = self.truth.weights.double() * self.items
        return FixedData(self.truth, shares.round().long().clamp(min=1).tolist())


def moons(chance: Chance, t: Tensor) -> list[Tensor]:
    """Two half circles, one into the other."""
    a = math.pi * t
    drop = chance.between(0.3, 0.6)
    upper, lower = torch.stack([a.cos(), a.sin()], 1), torch.stack([1 - a.cos(), drop - a.sin()], 1)
    return [upper, lower]


def circles(chance: Chance, t: Tensor) -> list[Tensor]:
    """Circles about one centre."""
    a, n = 2 * math.pi * t, chance.one_of(2, 3, 4)
    return [(i + 1) / n * torch.stack([a.cos(), a.sin()], 1) for i in range(n)]


def lissajous(chance: Chance, t: Tensor) -> list[Tensor]:
    """A closed curve that crosses itself."""
    a, (p, q) = 2 * math.pi * t, [(1, 2), (3, 2), (3, 4), (5, 4)][chance.one_of(0, 1, 2, 3)]
    return [torch.stack([(p * a + chance.between(0.3, 1.2)).sin(), (q * a).sin()], 1)]


def helix(chance: Chance, t: Tensor) -> list[Tensor]:
    """Strands of a helix."""
    turns, strands = chance.between(1.5, 3), chance.one_of(1, 2)
    angles = [2 * math.pi * (turns * t + i / strands) for i in range(strands)]
    return [torch.stack([a.cos(), a.sin(), turns * (2 * t - 1)], 1) for a in angles]


def trefoil(chance: Chance, t: Tensor) -> list[Tensor]:
    """A knot."""
    a = 2 * math.pi * t
    return [torch.stack([a.sin() + 2 * (2 * a).sin(), a.cos() - 2 * (2 * a).cos(), -(3 * a).sin()], 1) / 2]


def star(chance: Chance, t: Tensor) -> list[Tensor]:
    """The outline of a star."""
    n = chance.one_of(5, 6, 7)
    a = math.pi / n * torch.arange(2 * n + 1, dtype=torch.double)
    radius = torch.where(torch.arange(2 * n + 1) % 2 == 0, 1.0, chance.between(0.35, 0.6))
    return [corners(radius[:, None] * torch.stack([a.cos(), a.sin()], 1), t)]


def zigzag(chance: Chance, t: Tensor) -> list[Tensor]:
    """A line that turns back and forth."""
    n = chance.one_of(5, 7, 9)
    x = torch.linspace(-1, 1, n, dtype=torch.double)
    return [corners(torch.stack([x, 0.5 * (torch.arange(n) % 2)], 1), t)]


def wave(chance: Chance, t: Tensor) -> list[Tensor]:
    """A curve in 4 dimensions, of sines of random phase."""
    phases = 2 * math.pi * torch.rand(4, generator=chance.generator, dtype=torch.double)
    return [(2 * math.pi * t[:, None] * torch.tensor([1.0, 1, 2, 3]) + phases).sin()]


def corners(points: Tensor, t: Tensor) -> Tensor:
    """Points at t of a polyline."""
    at = t * (len(points) - 1)
    i = at.floor().long().clamp(max=len(points) - 2)
    return points[i] + (at - i)[:, None] * (points[i + 1] - points[i])


CURVES: Mapping[str, Callable[[Chance, Tensor], list[Tensor]]] = {
    "moons": moons,
    "circles": circles,
    "lissajous": lissajous,
    "helix": helix,
    "trefoil": trefoil,
    "star": star,
    "zigzag": zigzag,
    "wave": wave,
}


def draw_curve(name: str, chance: Chance, number: int) -> Case:
    """A curve of a random thinness, in its own or in more dimensions."""
    curves = CURVES[name](chance, torch.linspace(0, 1, FINE, dtype=torch.double))
    own = curves[0].shape[1]
    dims = max(own, chance.one_of(own, own, own, 10))
    items, thin = chance.one_of(1024, 2048, 4096, 8192), chance.ratio(0.005, 0.03)
    turned = [curve @ chance.frame(own, dims) for curve in curves] if dims > own else curves
    truth = Together([Tubes(turned, chance.one_of(4, 8, 12), thin)], [1], torch.ones(dims))
    return Case(f"{name} {number}: {dims}-D, std {thin:.3f}, {items} items", truth, items)


def gaussians(chance: Chance, dims: int, modes: int, condition: float, weights: float, apart: float) -> Gaussians:
    """Gaussians of random covariances, the closest of which are `apart` times as far as if they touched."""
    means = chance.normal(modes, dims) if dims > 2 else 2 * torch.rand(modes, dims, generator=chance.generator) - 1
    sizes = chance.falling(modes, chance.between(1, 4))
    axes = [chance.falling(dims, math.sqrt(condition))[:, None] * chance.frame(dims, dims) for _ in range(modes)]
    roots = torch.stack([size * axis.T for size, axis in zip(sizes, axes, strict=True)])
    found = Gaussians(means.double(), roots, chance.falling(modes, weights))
    found.roots = roots * closest(found) / apart
    return found


def closest(found: Gaussians) -> float:
    """The factor of all widths at which the two closest Gaussians touch, as seen along the line between them."""
    best = math.inf
    for k in range(found.modes - 1):
        line = found.means[k + 1 :] - found.means[k]
        length = line.norm(dim=1)
        unit = line / length[:, None]
        own = (unit @ found.roots[k]).norm(dim=1) + torch.einsum("nd,nde->ne", unit, found.roots[k + 1 :]).norm(dim=1)
        best = min(best, float((length / own).min()))
    return best / found.radius


def draw_mixture(name: str, chance: Chance, number: int) -> Case:
    """A mixture in a random number of dimensions, from easy to hard in each respect."""
    dims, most = chance.one_of(1, 2, 2, 3, 5, 10, 20, 50), chance.one_of(200, 500, 1000, 2048, 4096, 8192)
    condition = chance.ratio(1, 1000) if dims > 1 else 1.0
    modes, ratio = int(chance.ratio(2, 200 if dims > 1 else 20)), chance.ratio(1, 100)
    while True:
        piece = gaussians(chance, dims, modes, condition, ratio, chance.between(1.2, 2.5))
        rarest = most * float(piece.weights.min() / piece.weights.sum())
        if rarest >= RAREST:
            break
        ratio, modes = max(1.0, ratio / 2), modes if ratio > 1 else max(2, modes * 2 // 3)
    stretch, outliers, what = torch.ones(dims), 0.0, ""
    if name == "stretched":
        stretch, what = 10 ** (3 * chance.normal(dims).clamp(-1, 1)), ", axes 1 to 1e6"
    if name == "outliers":
        outliers, what = chance.ratio(0.001, 0.02), ", outliers"
    truth = Together([piece], [1], stretch, outliers)
    title = f"{name} {number}: {dims}-D, {modes} modes, condition {condition:.0f}, weights 1:{ratio:.0f}, {most} items"
    return Case(title + what + (f" {outliers:.1%}" if outliers else ""), truth, most)


def draw_ringed(name: str, chance: Chance, number: int) -> Case:
    """Gaussians within circles."""
    a = 2 * math.pi * torch.linspace(0, 1, FINE, dtype=torch.double)
    rings = [radius * torch.stack([a.cos(), a.sin()], 1) for radius in ([2.0] if number % 2 else [2.0, 2.6])]
    inside = gaussians(chance, 2, chance.one_of(3, 6, 10), chance.ratio(1, 30), chance.ratio(1, 10), 1.5)
    items, thin, share = chance.one_of(2048, 4096, 8192), chance.ratio(0.01, 0.05), chance.between(0.3, 0.7)
    truth = Together([Tubes(rings, 4, thin), inside], [share, 1 - share], torch.ones(2))
    title = f"{name} {number}: {len(rings)} rings of std {thin:.3f}, {inside.modes} Gaussians inside, {items} items"
    return Case(title, truth, items)


FAMILIES: Mapping[str, Callable[[str, Chance, int], Case]] = {
    **dict.fromkeys(CURVES, draw_curve),
    "mixture": draw_mixture,
    "stretched": draw_mixture,
    "outliers": draw_mixture,
    "ringed": draw_ringed,
}


def draw_case(name: str, number: int) -> Case:
    """The case of a family that a number chooses: the same each time."""
    return FAMILIES[name](name, Chance(name, number), number)
