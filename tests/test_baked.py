"""What a stacked turn takes for a constant: it is noticed when it changes, and compared from run to run."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from allmodes import Fitting, Loss, LossTerm, LossTermConfig, Network, NetworkConfig, Step
from allmodes.data.batch import Batch
from allmodes.engine.differences import EngineError
from allmodes.engine.draws import Drawer
from allmodes.game.noise import seeded
from allmodes.game.step import Draw
from faulty import registry_of
from lanes import assert_same_end, both, spec_of, train


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("factor",)

    def __init__(self) -> None:
        self.factor = 1.0


@dataclass
class Held:
    """An object that compares tensors."""

    factor: Tensor


class Pair(NamedTuple):
    """A tuple with names that compares tensors."""

    factor: Tensor
    name: str = ""


def counter() -> Callable[[], int]:
    """A function that remembers how often it was called."""
    calls = 0

    def count() -> int:
        nonlocal calls
        calls += 1
        return calls

    return count


def cell() -> tuple[Callable[[], float], Callable[[float], None]]:
    """Functions that read and write a number which they share."""
    number = 1.0

    def read() -> float:
        return number

    def write(value: float) -> None:
        nonlocal number
        number = value

    return read, write


class Kept(LossTerm):
    """A loss with a factor that is kept in some way, set at the fit, and another one from iteration 4 on."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.refit = WAYS[way], 4
        self.kept: Any = self.way.make()
        if isinstance(self.kept, Tensor):
            self.register_buffer("place", self.kept)

    def fit(self, fitting: Fitting) -> None:
        super().fit(fitting)
        if fitting.iteration == 4:
            self.way.change(self)
        else:
            self.way.begin(self, fitting)

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.measure}

    def measure(self, step: Step) -> Tensor:
        scaled: Tensor = step.fake * self.way.read(self)
        return scaled.square().mean()


class KeptConfig(LossTermConfig):
    """A loss with a factor."""

    kind: Literal["acme.kept"] = "acme.kept"
    way: str = ""

    def build(self) -> Any:
        return Kept(self.way)


def nothing(*_: Any) -> None:
    """Leave all as it is."""


class Way(NamedTuple):
    """How a factor is kept, changed in a fit and read, and how it is set at first."""

    make: Callable[[], Any]
    change: Callable[[Kept], object]
    read: Callable[[Kept], Any]
    begin: Callable[[Kept, Fitting], object] = nothing


def set_kept(make: Callable[[Tensor], Any]) -> Callable[[Kept, Fitting], None]:
    """Set what is kept to something of two numbers of the run's own."""

    def begin(term: Kept, fitting: Fitting) -> None:
        term.kept = make(fitting.noise.uniform("u", 2))

    return begin


def bare(weight: Tensor) -> nn.Module:
    """A module with a weight that nobody trains."""
    module = nn.PReLU(len(weight))
    module.weight = nn.Parameter(weight, requires_grad=False)
    return module


def weight_of(fitting: Fitting) -> Tensor:
    return fitting.modules["generator"].get_parameter("head.weight")


def share_memory(term: Kept, fitting: Fitting) -> None:
    term.register_buffer("place", weight_of(fitting).data)


def hold(get: Callable[[Tensor], Any]) -> Callable[[Kept, Fitting], None]:
    def begin(term: Kept, fitting: Fitting) -> None:
        term.kept = [get(weight_of(fitting))]

    return begin


CHANGED: Mapping[str, Way] = {
    "a buffer that becomes None": Way(
        lambda: torch.ones(2), lambda t: setattr(t, "place", None), lambda t: 5.0 if t.place is None else t.place
    ),
    "a module of another class": Way(
        nn.Identity, lambda t: setattr(t, "kept", nn.Softplus()), lambda t: t.kept(torch.ones(2))
    ),
    "a hook": Way(
        nn.Identity, lambda t: t.kept.register_forward_hook(lambda *a: 4 * a[2]), lambda t: t.kept(torch.ones(2))
    ),
    "an array": Way(lambda: np.ones(2, "float32"), lambda t: t.kept.fill(3), lambda t: torch.from_numpy(t.kept)),
    "a set": Way(lambda: {1.0}, lambda t: t.kept.add(2.0), lambda t: sum(t.kept)),
    "an object with slots": Way(Slotted, lambda t: setattr(t.kept, "factor", 3.0), lambda t: t.kept.factor),
    "a variable of functions": Way(cell, lambda t: t.kept[1](3.0), lambda t: t.kept[0]()),
}
COMPARED: Mapping[str, Way] = {
    "arrays": Way(list, nothing, lambda t: torch.from_numpy(t.kept), set_kept(Tensor.numpy)),
    "data classes": Way(list, nothing, lambda t: t.kept.factor, set_kept(Held)),
    "equal data classes": Way(lambda: Held(torch.ones(2)), nothing, lambda t: t.kept.factor),
    "named tuples": Way(list, nothing, lambda t: t.kept.factor, set_kept(Pair)),
    "deques": Way(list, nothing, lambda t: t.kept[0], set_kept(lambda u: deque([u]))),
    "modules in a list": Way(list, nothing, lambda t: t.kept[0].weight, set_kept(lambda u: [bare(u)])),
}  # fmt: skip
REFUSED: Mapping[str, tuple[Way, str]] = {
    "a parameter in a list": (
        Way(list, nothing, lambda t: t.kept[0].detach().sum(), hold(lambda weight: weight)),
        "loss acme.kept of player 'generator' reads a tensor of a module that the step does not give: "
        "use step.call or step.tensor",
    ),
    "the memory of a parameter in a list": (
        Way(list, nothing, lambda t: t.kept[0].sum(), hold(lambda weight: weight.data)),
        "generator.head.weight and losses/acme.kept.kept share memory",
    ),
    "the memory of a parameter in a buffer": (
        Way(list, nothing, lambda t: t.place.square().sum(), share_memory),
        "generator.head.weight and losses/acme.kept.place share memory",
    ),
    "a weight of a module in a list, which a fit changes": (
        Way(
            lambda: [bare(torch.ones(2))],
            lambda t: t.kept[0].weight.data.copy_(t.place),
            lambda t: t.kept[0].weight,
            lambda t, fitting: t.register_buffer("place", 3 * fitting.noise.uniform("u", 2)),
        ),
        "losses/acme.kept.kept.0 holds numbers that differ",
    ),
    "a function that counts": (
        Way(counter, nothing, lambda t: 1e-3 * t.kept()),
        "a turn changes the attribute losses/acme.kept.kept.cell_contents, which only a buffer may keep",
    ),
}
WAYS = {**CHANGED, **COMPARED, **{name: way for name, (way, _) in REFUSED.items()}}


def kept(way: str) -> dict[str, Any]:
    return spec_of({"losses": [{"kind": "non_saturating"}, {"kind": "acme.kept", "way": way}], "seeds": [0, 1]})


@pytest.mark.parametrize("way", [*CHANGED, *COMPARED])
def test_a_turn_reads_what_a_fit_has_left_in_each_run(way: str, tmp_path: Path) -> None:
    _, stacked = both(tmp_path, kept(way), registry=registry_of(KeptConfig))
    assert stacked.warned == []


@pytest.mark.parametrize("way", REFUSED)
def test_a_turn_that_would_read_what_is_no_constant_is_the_eager_engines(way: str, tmp_path: Path) -> None:
    _, stacked = both(tmp_path, kept(way), registry=registry_of(KeptConfig))
    names = "tiny/seed-0, tiny/seed-1"
    assert stacked.warned == [f"{names}: the stacked engine cannot train this: {REFUSED[way][1]}: it goes on eager"]


class Half(LossTerm):
    """A loss that fails in some runs, before it counts its calls."""

    fails: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.register_buffer("fails", torch.tensor(False))

    def fit(self, fitting: Fitting) -> None:
        super().fit(fitting)
        self.fails.copy_(fitting.noise.uniform("u", 1)[0] > 0.5)

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.measure}

    def measure(self, step: Step) -> Tensor:
        if self.fails:
            raise ValueError("no loss")
        self.calls += 1
        return step.fake.square().mean()


class HalfConfig(LossTermConfig):
    """A loss that fails in some runs."""

    kind: Literal["acme.half"] = "acme.half"

    def build(self) -> Any:
        return Half()


def test_a_turn_that_the_eager_engine_took_is_not_taken_again(tmp_path: Path) -> None:
    spec = spec_of({"losses": [{"kind": "non_saturating"}, {"kind": "acme.half"}], "seeds": [0, 1, 2, 3]})
    eager, stacked = (
        train(tmp_path, spec, engine, registry=registry_of(HalfConfig)) for engine in ("eager", "stacked")
    )
    ends = [{seed: (o.status, o.error) for seed, o in t.results.outcomes.items()} for t in (eager, stacked)]
    assert ends[0] == ends[1]
    sound = [i for i, (status, _) in enumerate(ends[0].values()) if status == "finished"]
    assert 0 < len(sound) < 4
    assert_same_end([eager.runs[i] for i in sound], [stacked.runs[i] for i in sound])


class Column(Network):
    """A generator whose items have an axis too many."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, 2)

    def forward(self, z: Tensor) -> Tensor:
        items: Tensor = self.linear(z)
        return items[..., None]


class ColumnConfig(NetworkConfig):
    """A generator whose items have an axis too many."""

    kind: Literal["acme.column"] = "acme.column"

    def build(self, sees: Any, gives: Any) -> Any:
        return Column(sees[0][0])


def test_a_contract_that_a_trial_finds_broken_ends_the_runs_as_it_does_eagerly(tmp_path: Path) -> None:
    spec, registry = spec_of({"generator": {"kind": "acme.column"}}), registry_of(ColumnConfig)
    eager, stacked = (train(tmp_path, spec, engine, registry=registry) for engine in ("eager", "stacked"))
    ends = [[(o.status, o.error) for o in trained.results.outcomes.values()] for trained in (eager, stacked)]
    error = (
        "loss non_saturating of player 'discriminator' (allmodes 0.1.0): forward of generator on (8, 2) "
        "(acme.column, allmodes-acme 1.0): gives items of shape (8, 2, 1), where (8, 2) is needed"
    )
    assert ends == [[("failed", error)] * 3] * 2


# Batches


def draws(*batches: Batch) -> dict[int, Draw]:
    return {lane: Draw(batch, seeded(0)) for lane, batch in enumerate(batches)}


X, LABELS = torch.ones(3, 2), torch.zeros(3, dtype=torch.int64)
MIXED: Mapping[str, tuple[Batch, Batch, str]] = {
    "without labels": (Batch(X, LABELS), Batch(X), "one batch has x, labels, streams and another one x, streams"),
    "with labels": (Batch(X), Batch(X, LABELS), "one batch has x, streams and another one x, labels, streams"),
    "of fewer items": (
        Batch(X), Batch(X[1:]), "batches are of other shapes from one to the next: (3, 2) and (2, 2)"
    ),
    "of another type": (
        Batch(X), Batch(X.double()), "batches are of other types from one to the next: torch.float32 and torch.float64"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MIXED)
def test_a_batch_that_has_no_room_in_the_stack_is_refused(name: str) -> None:
    one, other, message = MIXED[name]
    for before, now in (((one, one), (one, other)), ((one, one), (other, other)), (None, (one, other))):
        drawer = Drawer(2)
        if before is not None:
            drawer.write_batches(draws(*before))
        with pytest.raises(EngineError) as error:
            drawer.write_batches(draws(*now))
        assert str(error.value) == message
