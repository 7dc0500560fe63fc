"""The contract of a reference sampler."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from typing_extensions import override

from allmodes.data.base import Data
from allmodes.game.samplers import check_samples
from allmodes.game.untouched import Untouched
from allmodes.metrics import ReferenceSampler, build_references
from allmodes.testing.advice import explain_errors
from allmodes.testing.kinds import KindContract
from allmodes.testing.randomness import own_randomness
from allmodes_schemas import KindConfig, ReferenceConfig, Spec

N = 17


class ReferenceContract(KindContract):
    """A reference sampler learns from data, which it leaves as they are, and draws n items like theirs.

    Attributes:
        config: The settings of the reference sampler.
        data: Data that it learns from, as in a spec; by default the ring.
    """

    base = ReferenceConfig
    config: ClassVar[ReferenceConfig]
    data: ClassVar[Mapping[str, Any]] = MappingProxyType({"kind": "ring"})

    def test_it_draws_as_many_items_as_it_is_asked_for(self) -> None:
        """Of the shape of the data's, and finite."""
        data = self.build_data()
        fitted = self.fit(data)
        for n in (1, N, 64):
            with explain_errors(f"{self.name}: draw fails"):
                items = check_samples(fitted.draw(n, _generator()), n, data.shape)
            assert items.dtype == torch.float32, f"{self.name}: items are {items.dtype}, not torch.float32"

    def test_the_same_randomness_gives_the_same_items_and_other_randomness_others(self) -> None:
        """Numbers of a table can be measured again."""
        fitted = self.fit(self.build_data())
        first, again, other = (fitted.draw(N, _generator(seed)) for seed in (0, 0, 1))
        assert torch.equal(first, again), f"{self.name}: the same randomness gives other items: keep no state of draws"
        assert not torch.equal(first, other), (
            f"{self.name}: other randomness gives the same items: take it from the generator that draw is given"
        )

    def test_the_same_data_and_randomness_give_the_same_fit(self) -> None:
        """Runs on the same data share its numbers."""
        first, again = (self.fit(self.build_data()).draw(N, _generator()) for _ in range(2))
        assert torch.equal(first, again), (
            f"{self.name}: two fits to the same data draw other items: take randomness from the generator that fit is "
            "given"
        )

    def test_only_the_generators_that_are_given_make_it_random(self) -> None:
        """Nothing is drawn from a global generator, which other code moves."""
        data = self.build_data()
        with own_randomness(f"{self.name}: fit", "take it from the generator that fit is given"):
            fitted = self.fit(data)
        with own_randomness(f"{self.name}: draw", "take it from the generator that draw is given"):
            fitted.draw(N, _generator())

    def test_it_changes_no_data(self) -> None:
        """Runs, floors and other reference samplers read the same data."""
        data = self.build_data()
        with explain_errors(f"{self.name}: fit or draw"), Untouched("reference samplers only read", data=data).kept():
            self.fit(data).draw(N, _generator())[:] = 0

    def build_data(self) -> Data:
        """Build the data."""
        data: Data = self.data_of(self.data)
        return data

    def fit(self, data: Data) -> ReferenceSampler:
        """Build the reference sampler, and fit it."""
        (sampler,) = build_references([self.config]).values()
        with explain_errors(f"{self.name}: fit fails"):
            sampler.fit(data, _generator())
        return sampler

    @override
    def place(self, settings: Any) -> dict[str, Any]:
        return {"evaluation": {"references": [settings]}}

    @override
    def find(self, spec: Spec) -> KindConfig:
        return spec.evaluation.references[0]


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
