"""Batches come in blocks: what is drawn, how much at a time, and how a resumed run goes on within one."""

from pathlib import Path
from typing import Any

import pytest
import torch

from allmodes import DataError, MixtureData, TensorData
from allmodes.builtin.config.mixtures import RingConfig
from allmodes.data import FreshLoader
from allmodes.data.batch import Batch
from allmodes.data.blocks import batches_of_block, split

RING = RingConfig().build()
FINITE = TensorData(torch.randn(1000, 3), torch.arange(1000) % 7)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def take(loader: Any, n: int) -> list[Batch]:
    return [next(loader) for _ in range(n)]


def test_a_block_is_256_kib_or_64_batches_and_never_less_than_one() -> None:
    assert batches_of_block((2,), batch_size=128) == 64
    assert batches_of_block((2,), batch_size=1024) == 10  # of 24 KiB
    assert batches_of_block((1, 28, 28), batch_size=32) == 2  # of 98 KiB
    assert batches_of_block((1, 28, 28), batch_size=64) == 1  # of 197 KiB
    assert batches_of_block((3, 64, 64), batch_size=64) == 1


def test_fresh_batches_are_draws_of_1_2_4_up_to_64_batches_in_turn() -> None:
    rng, drawn = generator(3), list[torch.Tensor]()
    for batches in (1, 2, 4, 8, 16, 32, 64, 64):
        drawn += RING.draw(10 * batches, rng).x.split(10)
    batches = take(RING.loader(10, seed=3), 191)
    assert all(torch.equal(batch.x, x) for batch, x in zip(batches, drawn, strict=True))


def test_no_point_is_served_twice_and_labels_stay_with_their_points() -> None:
    batches = take(RING.loader(10, seed=0), 200)
    x, labels = torch.cat([b.x for b in batches]), torch.cat([b.labels for b in batches])
    assert len(x.unique(dim=0)) == 2000
    assert torch.equal(torch.cdist(x, RING.truth.means).argmin(1), labels)


@pytest.mark.parametrize("served", [0, 1, 2, 3, 5, 63, 127, 128, 150])
def test_a_resumed_loader_goes_on_within_its_block(served: int, tmp_path: Path) -> None:
    unbroken, resumed = RING.loader(10, seed=5), RING.loader(10, seed=5)
    take(unbroken, served)
    torch.save(unbroken.state_dict(), tmp_path / "loader.pt")
    take(resumed, 2)
    resumed.load_state_dict(torch.load(tmp_path / "loader.pt", weights_only=True))
    for one, other in zip(take(unbroken, 140), take(resumed, 140), strict=True):
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.labels, other.labels)


def test_a_run_of_the_first_version_goes_on_batch_by_batch() -> None:
    loader, again, rng = RING.loader(10, seed=5), RING.loader(10, seed=5), generator(8)
    loader.load_state_dict({"generator": rng.get_state()})
    for _ in range(5):
        assert torch.equal(next(loader).x, RING.draw(10, rng).x)
    again.load_state_dict(loader.state_dict())
    for _ in range(5):
        assert torch.equal(next(again).x, RING.draw(10, rng).x)


def test_a_state_is_not_changed_by_what_the_loader_does_next() -> None:
    loader = RING.loader(10, seed=5)
    take(loader, 2)
    state = loader.state_dict()
    kept = {name: torch.as_tensor(value).clone() for name, value in state.items()}
    take(loader, 5)
    assert all(torch.equal(torch.as_tensor(state[name]), value) for name, value in kept.items())


class Short(MixtureData):
    def draw(self, n: int, generator: torch.Generator) -> Batch:
        return super().draw(min(n, 15), generator)


def test_draws_of_another_number_than_was_asked_for_are_refused() -> None:
    loader = FreshLoader(Short(RING.truth), 10, seed=0)
    next(loader)
    with pytest.raises(DataError) as refusal:
        next(loader)
    assert str(refusal.value) == ("data: draw(20, generator) of Short gives 15 items: return as many as are asked for")


@pytest.mark.parametrize("data", [RING, FINITE], ids=["fresh", "finite"])
def test_whoever_writes_into_a_batch_changes_no_other(data: Any) -> None:
    """As a term may that augments in place; to autograd a part of several would be a view that cannot be written."""
    expected, (first, second, third) = take(data.loader(10, seed=0), 3), take(data.loader(10, seed=0), 3)
    saved = (second.x * torch.ones(1, requires_grad=True)).sum()
    third.x.mul_(torch.full((1,), 2.0, requires_grad=True))
    first.x.requires_grad_()
    saved.backward()
    assert torch.equal(second.x, expected[1].x)
    assert torch.equal(third.x, 2 * expected[2].x)


def test_finite_batches_are_the_items_at_their_positions_across_epochs() -> None:
    for batch in take(FINITE.loader(64, seed=0), 40):  # 15 batches an epoch
        alone = FINITE.take(batch.index)
        assert torch.equal(batch.x, alone.x)
        assert torch.equal(batch.labels, alone.labels)


@pytest.mark.parametrize("served", [0, 1, 14, 15, 16, 37])
def test_a_resumed_finite_loader_has_its_batches_where_the_unbroken_one_has_them(served: int) -> None:
    """Bits of a product may depend on where in memory a factor begins."""
    unbroken, resumed = FINITE.loader(64, seed=0), FINITE.loader(64, seed=0)
    take(unbroken, served)
    resumed.load_state_dict(unbroken.state_dict())
    for one, other in zip(take(unbroken, 20), take(resumed, 20), strict=True):
        assert torch.equal(one.index, other.index)
        assert one.x.storage_offset() == other.x.storage_offset()


def test_blocks_with_streams_are_split_with_them() -> None:
    few = Batch(torch.arange(6.0)[:, None], torch.arange(6))
    first, second = split(Batch(torch.arange(4.0)[:, None], streams={"few": few}), 2)
    assert (first.labels, first.index) == (None, None)
    assert (second.x.flatten().tolist(), second.streams["few"].labels.tolist()) == ([2, 3], [3, 4, 5])
    assert first.streams["few"].x.flatten().tolist() == [0, 1, 2]
