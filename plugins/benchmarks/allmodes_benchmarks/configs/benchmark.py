"""What all benchmarks have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field
from typing_extensions import override

from allmodes import KnownModesConfig, MixtureConfig, Problem, Spec

Points = Sequence[Sequence[float]]


class BenchmarkConfig(KnownModesConfig):
    """Base config of data of a random geometry, at a scale of about 1."""

    items: int | None = Field(8192, ge=1, le=10_000_000)
    """Number of items to train on, shared among the modes by their weights; null for fresh ones without end. Items that
    are not trained on are fresh in either case."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Which of the possible geometries it is: the same on every machine. Take one that nobody tuned on."""

    def outline(self) -> Points:
        """Points at which the modes are, from which scale and bounds are checked."""
        raise NotImplementedError(f"{type(self).__name__} does not define outline()")

    @override
    def check(self, spec: Spec) -> Iterator[Problem]:
        """As for a mixture around these points."""
        yield from MixtureConfig(means=tuple(map(tuple, self.outline())), std=0.01).check(spec)
