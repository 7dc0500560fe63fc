"""All randomness of a run: noise by name and shape, and random generators by seed and purpose.

Noise is requested by name, not in sequence: shared draws, unrolled steps and the functional engine need the same noise
again, and in a sequence a term that is added or moved would change the noise of all terms after it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from allmodes.system.torch_settings import seeded_generator


class Noise:
    """A source of random tensors by name; the same name gives the same tensor until the next draw.

    With a generator, a tensor is drawn when it is first asked for. Without one (in a functional update) all of them
    must be in `drawn`, so that a term can run under `vmap`, compiled, or in a replayed graph.
    """

    def __init__(
        self, generator: torch.Generator | None, drawn: dict[str, Tensor] | None = None, place: str = ""
    ) -> None:
        self.generator, self.drawn, self.place = generator, {} if drawn is None else drawn, place

    def at(self, place: str) -> Noise:
        """The same source with a prefix, so that names do not collide with those elsewhere."""
        return Noise(self.generator, self.drawn, f"{self.place}{place}/")

    def without(self, names: re.Pattern[str]) -> Noise:
        """The same source with what it has drawn, except names in which the pattern is found."""
        kept = {name: value for name, value in self.drawn.items() if not names.search(name)}
        return Noise(self.generator, kept, self.place)

    def normal(self, name: str, *shape: int) -> Tensor:
        """Independent N(0, 1) entries of that shape."""
        return self._draw(torch.randn, name, shape)

    def uniform(self, name: str, *shape: int) -> Tensor:
        """Independent entries of that shape, uniform on [0, 1)."""
        return self._draw(torch.rand, name, shape)

    def _draw(self, distribution: Callable[..., Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
        key = self.place + name
        if key not in self.drawn:
            if self.generator is None:
                raise KeyError(f"noise {key!r} was not drawn in the trial update: terms may not branch on data")
            self.drawn[key] = distribution(shape, generator=self.generator, device=self.generator.device)
        return self.drawn[key]


def seeded(seed: int, device: str | torch.device = "cpu") -> Noise:
    """A source of noise from a seed."""
    return Noise(torch.Generator(device).manual_seed(seed))


def rng(seed: int, purpose: str, device: str | torch.device = "cpu") -> torch.Generator:
    """The random generator of a seed for one purpose, such as `data`; those of other purposes are independent of it."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Give networks that are built within the block the initial weights of a seed."""
    with seeded_generator(rng(seed, "weights").initial_seed()):
        yield
