"""The contract of data."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from typing_extensions import override

from allmodes.data.base import Data
from allmodes.data.batch import Batch
from allmodes.data.truth import Truth
from allmodes.testing.advice import explain_errors
from allmodes.testing.kinds import KindContract
from allmodes.testing.randomness import own_randomness
from allmodes_schemas import DatasetConfig, KindConfig, Spec

N, DRAWS = 8, 500


class DatasetContract(KindContract):
    """Data have the shape and labels that their settings promise, held-out items, and the same order from a seed.

    Attributes:
        config: The settings of the data.
    """

    base = DatasetConfig
    config: ClassVar[DatasetConfig]

    def test_items_have_the_shape_that_the_settings_promise(self) -> None:
        """Networks are checked against it before torch is loaded."""
        data, shape = self.build(), self.config.shape()
        assert shape in (None, data.shape), (
            f"{self.name}: shape() promises {shape}, but the items have shape {data.shape}"
        )
        for place, batch in self.batches(data).items():
            assert tuple(batch.x.shape) == (N, *data.shape), (
                f"{self.name}: {N} items {place} have shape {tuple(batch.x.shape)}, but {(N, *data.shape)} is promised"
            )
            assert batch.x.dtype == torch.float32, f"{self.name}: items {place} are {batch.x.dtype}, not torch.float32"
            assert batch.x.isfinite().all(), f"{self.name}: items {place} hold numbers that are not finite"

    def test_labels_are_those_that_the_settings_promise(self) -> None:
        """Metrics and streams count labels."""
        data, promised = self.build(), self.config.classes()
        assert promised in (None, data.classes), (
            f"{self.name}: classes() promises {promised} labels, but the data have {data.classes}"
        )
        if data.classes is None:
            pytest.skip(f"{self.name} has no labels")
        for place, batch in self.batches(data).items():
            assert batch.labels is not None, (
                f"{self.name}: items {place} come without labels, but there are {data.classes}"
            )
            assert 0 <= int(batch.labels.min()) <= int(batch.labels.max()) < data.classes, (
                f"{self.name}: labels {place} lie outside 0 to {data.classes - 1}"
            )
        shares = data.shares()
        assert shares.shape == (data.classes,), f"{self.name}: shares() has shape {tuple(shares.shape)}"
        assert abs(float(shares.sum()) - 1) < 1e-6, f"{self.name}: shares() adds up to {float(shares.sum()):g}, not 1"

    def test_some_items_are_held_out(self) -> None:
        """Metrics compare samples with held-out items."""
        with explain_errors(f"{self.name}: no items are held out: give TensorData a test_x"):
            held_out = self.build().held_out(N, torch.Generator().manual_seed(0))
        assert len(held_out.x) == N, f"{self.name}: held_out({N}, ...) gives {len(held_out.x)} items"

    def test_known_modes_come_with_a_truth(self) -> None:
        """Metrics that need the truth are refused without it, before torch is loaded."""
        known, truth = self.config.known_modes(), self.build().truth
        assert known == (truth is not None), (
            f"{self.name}: known_modes() is {known}, but truth of the data is {truth}: make them agree"
        )

    def test_the_truth_knows_its_own_items(self) -> None:
        """Half of them at least, where modes overlap: by these answers every method is judged."""
        truth = self.truth()
        batch = truth.draw(DRAWS, torch.Generator().manual_seed(0))
        modes, good = truth.modes_of(batch.x)
        share = float((good & (modes == batch.labels)).double().mean())
        assert share >= 0.5, (
            f"{self.name}: {share:.0%} of its truth's own items are of high quality in the mode of their label: make "
            "draw_of and find agree"
        )
        ratio = truth.variance_ratio(batch.x[good], modes[good])
        assert 0 < ratio < 2, f"{self.name}: the variance ratio of its truth's own items is {ratio:.3g}, not about 1"
        (low, high), landmarks = truth.box(), truth.landmarks().flatten(1)
        inside = (low <= landmarks) & (landmarks <= high)
        assert inside.all(), f"{self.name}: landmarks of its truth lie outside its box"

    def test_the_truth_moves_to_a_device(self) -> None:
        """Items are drawn where a run trains."""
        moved = self.truth().to("meta")
        for what, tensor in (("weights", moved.weights), ("landmarks()", moved.landmarks())):
            assert tensor.is_meta, f"{self.name}: {what} of its truth stay on {tensor.device} when it is moved to meta"

    def test_building_twice_gives_the_same_data(self) -> None:
        """A run can be repeated, and compared with others by the fingerprint."""
        with own_randomness(f"{self.name}: build()", "make a torch.Generator of your own, seeded by a setting"):
            one, other = self.build(), self.build()
        assert one.fingerprint == other.fingerprint, f"{self.name}: two builds have different fingerprints"
        pairs = zip(self.batches(one).values(), self.batches(other).values(), strict=True)
        assert all(torch.equal(a.x, b.x) for a, b in pairs), (
            f"{self.name}: two builds give different items: draw what is random from a seed in the settings"
        )

    def test_only_the_generators_that_are_given_make_draws_random(self) -> None:
        """Other code moves the global generators."""
        data = self.build()
        with own_randomness(f"{self.name}: drawing", "use the generator, or the seed, that is given"):
            self.batches(data)

    def test_batches_follow_the_seed(self) -> None:
        """One seed gives the same batches, another seed other ones."""
        data = self.build()
        first, again, other = (next(data.loader(N, seed)).x for seed in (0, 0, 1))
        assert torch.equal(first, again), f"{self.name}: loader({N}, 0) gives other batches each time"
        assert not torch.equal(first, other), f"{self.name}: loader({N}, 1) gives the batches of seed 0: use the seed"

    def test_a_loader_goes_on_where_another_stopped(self) -> None:
        """A resumed run sees the batches of an unbroken one."""
        data = self.build()
        whole, resumed = data.loader(N, 0), data.loader(N, 0)
        for _ in range(3):
            next(whole)
        resumed.load_state_dict(whole.state_dict())
        assert torch.equal(next(whole).x, next(resumed).x), (
            f"{self.name}: a loader that takes another's state_dict() goes on with other batches"
        )

    def truth(self) -> Truth:
        """The truth of the data, on the CPU; the test is skipped where there is none."""
        truth = self.build().truth
        if truth is None:
            pytest.skip(f"{self.name} has no known modes")
        return truth.to("cpu")

    def build(self) -> Data:
        """Build the data."""
        data = self.config.build()
        assert isinstance(data, Data), f"{self.name}: build() must return an allmodes.Data, not {type(data).__name__}"
        return data

    def batches(self, data: Data) -> dict[str, Batch]:
        """Draw items to train on, held-out items, and a batch."""
        return {
            "to train on": data.draw(N, torch.Generator().manual_seed(0)),
            "held out": data.held_out(N, torch.Generator().manual_seed(0)),
            "of a batch": next(data.loader(N, 0)),
        }

    @override
    def place(self, settings: Any) -> dict[str, Any]:
        return {"data": settings}

    @override
    def find(self, spec: Spec) -> KindConfig:
        return spec.data
