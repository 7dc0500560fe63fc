"""Orders of many items: permutations without a pattern, computed in parts; a run keeps the order that it began with."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor

from allmodes.data import TensorData, orders
from allmodes.data.orders import MANY, Epochs, KeyedOrder


def order(items: int, seed: int = 0) -> KeyedOrder:
    return KeyedOrder(items, torch.Generator().manual_seed(seed))


def epochs(items: int, batch_size: int, seed: int = 0) -> list[Tensor]:
    """Positions of two epochs."""
    drawn, of_epoch = Epochs(items, batch_size, seed), items // batch_size
    return [torch.cat([drawn.batch(e * of_epoch + i) for i in range(of_epoch)]) for e in range(2)]


def numbered(items: int) -> TensorData:
    return TensorData(torch.arange(items)[:, None].float(), torch.arange(items) % 3)


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than ten items are many."""
    monkeypatch.setattr(orders, "MANY", 10)


@pytest.mark.parametrize("items", [1, 2, 3, 4, 5, 17, 20, 997, 1024, 1025, 131_073])
def test_a_keyed_order_has_each_item_at_one_position(items: int) -> None:
    found = order(items).part(0, items)
    assert torch.equal(found.sort().values, torch.arange(items))


def test_parts_are_those_of_the_whole_whatever_was_asked_before() -> None:
    whole, asked = order(50_000).at(torch.arange(50_000)), order(50_000)
    for first, end in ((40_000, 40_010), (0, 20_000), (5, 6), (19_990, 36_400), (49_999, 50_000), (7, 7)):
        assert torch.equal(asked.part(first, end), whole[first:end])


@pytest.mark.parametrize("items", [25, 60])
def test_every_item_and_every_pair_is_equally_likely_at_the_first_positions(items: int) -> None:
    """Chi-squared of 15,000 keys, within 4 sigma of its mean; one round less is 11 sigma beyond."""
    draws = 15_000
    found = torch.stack([order(items, seed).at(torch.tensor([0, 1, items - 1])) for seed in range(draws)])
    for counts, degrees in (
        *((found[:, i].bincount(minlength=items), items - 1) for i in range(3)),
        *(_pairs(found[:, [i, j]], items) for i, j in ((0, 1), (0, 2))),
    ):
        expected = draws / (degrees + 1)
        assert abs(float((counts - expected).square().sum()) / expected - degrees) < 4 * (2 * degrees) ** 0.5


def _pairs(found: Tensor, items: int) -> tuple[Tensor, int]:
    counts = (found[:, 0] * items + found[:, 1]).bincount(minlength=items * items).view(items, items)
    assert counts.diagonal().sum() == 0
    return counts[~torch.eye(items, dtype=torch.bool)], items * (items - 1) - 1


def test_an_order_resembles_neither_the_items_nor_the_next_epochs() -> None:
    """Of random permutations as many numbers stay in place, or beside their neighbour, as Poisson's law has it."""
    items = 200_000
    one, other = epochs(items, batch_size=500)
    back = torch.empty_like(one)
    back[one] = torch.arange(items)
    for permutation in (one, other, other[back]):
        assert (permutation == torch.arange(items)).sum() < 9  # mean 1: beyond once in a million
        assert (permutation.diff().abs() == 1).sum() < 13  # mean 2
        halves = (permutation[: items // 2] < items // 2).sum()
        assert abs(int(halves) - items / 4) < 5 * (items / 16) ** 0.5
        assert abs(float(torch.corrcoef(torch.stack([permutation[1:], permutation[:-1]]).double())[0, 1])) < 0.0112


def test_an_epoch_of_many_items_shows_each_once_and_the_next_has_another_order() -> None:
    items = MANY + 78  # 131 batches of 1,001 and a tail of 19
    one, other = epochs(items, batch_size=1001)
    assert len(one.unique()) == len(one) == 131 * 1001
    assert not torch.equal(one, other)
    assert all(torch.equal(a, b) for a, b in zip(epochs(items, 1001), (one, other), strict=True))
    assert not torch.equal(one, epochs(items, 1001, seed=1)[0])


def test_not_so_many_items_are_shuffled_as_ever() -> None:
    """The order of the first version, from which runs are continued: SHA-256 of seed and epoch seeds a `randperm`."""
    seed = int.from_bytes(hashlib.sha256(b"5/1").digest()[:8], "big") >> 1
    expected = torch.randperm(MANY, generator=torch.Generator().manual_seed(seed))
    loader = numbered(MANY).loader(MANY // 2, seed=5)
    loader.load_state_dict({"served": 2})
    assert torch.equal(torch.cat([next(loader).index, next(loader).index]), expected)
    assert loader.state_dict() == {"served": 4}


@pytest.mark.usefixtures("keyed")
@pytest.mark.parametrize("served", [1, 3, 4, 5, 9])
def test_a_keyed_loader_goes_on_where_another_stopped(served: int, tmp_path: Path) -> None:
    unbroken, resumed = numbered(25).loader(6, seed=5), numbered(25).loader(6, seed=5)
    for _ in range(served):
        next(unbroken)
    torch.save(unbroken.state_dict(), tmp_path / "loader.pt")
    resumed.load_state_dict(torch.load(tmp_path / "loader.pt", weights_only=True))
    assert all(torch.equal(next(resumed).index, next(unbroken).index) for _ in range(9))


def test_a_run_that_was_begun_with_shuffles_goes_on_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    before = numbered(25).loader(6, seed=5)
    for _ in range(3):
        next(before)
    monkeypatch.setattr(orders, "MANY", 10)
    resumed, new = numbered(25).loader(6, seed=5), numbered(25).loader(6, seed=5)
    resumed.load_state_dict(before.state_dict())
    new.load_state_dict({"served": 3, "order": "keyed"})
    went_on = [next(resumed).index for _ in range(7)]
    assert [index.tolist() for index in went_on] == [next(before).index.tolist() for _ in range(7)]
    assert [index.tolist() for index in went_on] != [next(new).index.tolist() for _ in range(7)]
    assert (resumed.state_dict(), new.state_dict()) == ({"served": 10}, {"served": 10, "order": "keyed"})


@pytest.mark.usefixtures("keyed")
def test_batches_of_a_keyed_loader_are_those_of_its_epochs_across_their_border() -> None:
    loader, expected = numbered(25).loader(6, seed=5), Epochs(25, 6, 5)
    for number in range(13):
        batch = next(loader)
        assert torch.equal(batch.index, expected.batch(number))
        assert torch.equal(batch.x[:, 0], batch.index.float())
        assert torch.equal(batch.labels, batch.index % 3)
