"""Runs in lockstep: each keeps its own randomness, numbers, files and end, and nothing is left out in silence."""

import math
import random
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from allmodes import Experiment, Fitting, Loss, LossTerm, LossTermConfig, Step, hookimpl
from allmodes.engine.stacked import StackedEngine
from allmodes.experiments.evaluate import Evaluator
from allmodes.experiments.together import train_together
from allmodes.runs.run import Outcome
from allmodes.runs.run_folder import RunFolder
from allmodes.specs.loading import dump
from allmodes.system.signals import Stop
from allmodes.testing.interrupted import InterruptingObserver, read_tensors
from faulty import registry_of
from lanes import (
    PENALTY,
    SEEDS,
    STEADY,
    Trained,
    assert_same_end,
    assert_same_streams,
    both,
    go_on,
    moments,
    spec_of,
    train,
)

WARNING = "tiny/seed-0, tiny/seed-1, tiny/seed-2: the stacked engine cannot train this: {}: it goes on eager"


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


# Randomness


MLP = {"kind": "mlp", "hidden": [8]}
TURN = {"player": "discriminator"}
FAMILIES: Mapping[str, Mapping[str, Any]] = {
    "a game with a penalty on a ramp": {},
    "simultaneous": {"training": {"schedule": "simultaneous"}},
    "several discriminator updates": {"training": {"discriminator_updates": 3}},
    "turns with times, every, start, end and shared draws": {
        "discriminator": {**MLP, "dropout": 0.3},
        "generator": {**MLP, "dropout": 0.2},
        "training": {
            "schedule": [
                {**TURN, "times": 2}, {**TURN, "every": 2, "draw": "shared"}, {**TURN, "start": 2, "end": 5},
                {"player": "generator", "draw": "shared", "times": 2},
            ]
        },
    },
    "a turn in which dropout and BatchNorm rest": {
        "discriminator": {**MLP, "dropout": 0.3},
        "generator": {"kind": "mlp", "hidden": [8], "batch_norm": True},
        "training": {"schedule": [{**TURN, "inference": ["generator"]}, {"player": "generator"}]},
    },
    "terms with cadences": {
        "losses": [{"kind": "non_saturating"}, {"kind": "r1", "every": 3}, {"kind": "r2", "start": 4, "weight": 0.5}],
    },
    "ramps of rates and moments, sgd and a moving average": {
        "training": {
            "optimizer": {
                "kind": "adam", "lr": {"start": 1e-2, "end": 1e-3, "over": 6},
                "betas": [0.5, {"start": 0.9, "end": 0.99, "over": 4}], "eps": 1e-2,
            },
            "optimizers": {"generator": {"kind": "sgd", "lr": 0.1, "momentum": 0.5}},
            "ema": {"decay": {"start": 0.0, "end": 0.9, "over": 5}, "start": 2},
        },
    },
    "images and BatchNorm": {
        "data": {"kind": "digits"},
        "generator": {"kind": "dcgan", "channels": 2},
        "discriminator": {"kind": "dcgan", "channels": 2},
        "losses": [{"kind": "non_saturating"}],
        "evaluation": {"metrics": []},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_stacked_runs_have_the_draws_losses_weights_and_moments_of_eager_ones(name: str, tmp_path: Path) -> None:
    eager, stacked = both(tmp_path, spec_of(FAMILIES[name]))
    assert stacked.warned == eager.warned == []
    assert [o.iteration for o in stacked.results.outcomes.values()] == [8, 8, 8]


def test_the_runs_of_a_stack_differ_from_each_other(tmp_path: Path) -> None:
    first, second, third = (read_tensors(run)["generator/head.weight"] for run in train(tmp_path, spec_of()).runs)
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)


# The life of each run


def test_numbers_of_evaluations_are_those_of_eager_runs(tmp_path: Path) -> None:
    eager, stacked = both(tmp_path, spec_of({"evaluation": {"metrics": ["modes", "wasserstein"]}}))
    for seed in SEEDS:
        one, other = (trained.results.outcomes[seed].results for trained in (eager, stacked))
        assert one == pytest.approx(other, rel=1e-3, abs=1e-4, nan_ok=True)
    assert all(read_tensors(run)["generator/head.weight"].isfinite().all() for run in stacked.runs)


class Diverging(LossTerm):
    """A loss that is infinite from an iteration on where the run's first weight, drawn by its seed, is chosen."""

    chosen: Tensor

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at
        self.register_buffer("chosen", torch.tensor(0.0))

    def fit(self, fitting: Fitting) -> None:
        super().fit(fitting)
        self.chosen.fill_(float(fitting.modules["generator"].head.weight[0, 0] > 0))  # type: ignore[union-attr]

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.diverge}

    def diverge(self, step: Step) -> Tensor:
        is_over = (step.iteration >= self.at) & (self.chosen > 0)
        return torch.where(is_over, math.inf, 0.1) * step.fake.square().mean()


class DivergingConfig(LossTermConfig):
    """A loss that becomes infinite."""

    kind: Literal["acme.diverging"] = "acme.diverging"
    at: int = 5

    def build(self) -> Any:
        return Diverging(self.at)


def diverging(at: int, seeds: list[int]) -> dict[str, Any]:
    return spec_of({"losses": [{"kind": "non_saturating"}, {"kind": "acme.diverging", "at": at}], "seeds": seeds})


def test_a_run_that_diverges_ends_with_its_own_error_and_the_others_are_as_without_it(tmp_path: Path) -> None:
    registry, seeds = registry_of(DivergingConfig), list(range(5))
    eager, stacked = (train(tmp_path, diverging(5, seeds), e, registry=registry) for e in ("eager", "stacked"))
    ends = {seed: outcome.status for seed, outcome in stacked.results.outcomes.items()}
    assert ends == {seed: outcome.status for seed, outcome in eager.results.outcomes.items()}
    failed = [seed for seed, status in ends.items() if status == "failed"]
    sound = [seed for seed in seeds if seed not in failed]
    assert failed
    assert len(sound) >= 2
    for seed in failed:
        one, other = (trained.results.outcomes[seed] for trained in (eager, stacked))
        assert other.error == one.error
        assert other.iteration == one.iteration == 6
    keep = [i for i, seed in enumerate(seeds) if seed in sound]
    assert_same_end([eager.runs[i] for i in keep], [stacked.runs[i] for i in keep])
    alone = train(tmp_path / "alone", diverging(5, sound), registry=registry)
    assert_same_end([stacked.runs[i] for i in keep], alone.runs)


class Refitted(LossTerm):
    """A loss that is fitted again: it sets a new tensor and a number, and at last a tensor of another shape."""

    middle: Tensor

    def __init__(self, grows: str) -> None:
        super().__init__()
        self.grows, self.scale = grows, 1.0
        self.refit = None if grows == "at first" else 2
        self.register_buffer("middle", torch.zeros(2))

    def fit(self, fitting: Fitting) -> None:
        super().fit(fitting)
        u = fitting.noise.uniform("u", 3, 2)
        self.scale = 1 + float(u[0, 0])
        grows = self.grows == "at first" and u[0, 0] > u[1, 0]
        grows |= fitting.iteration == 4 and (self.grows == "all" or (self.grows == "some" and u[0, 0] > u[1, 0]))
        self.middle = u if grows else u.mean(0)

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.measure}

    def measure(self, step: Step) -> Tensor:
        centre = self.middle if self.middle.dim() == 1 else self.middle.mean(0)
        return self.scale * (step.fake - centre).square().mean()


class RefittedConfig(LossTermConfig):
    """A loss that is fitted again."""

    kind: Literal["acme.refitted"] = "acme.refitted"
    grows: str = "none"

    def build(self) -> Any:
        return Refitted(self.grows)


def refitted(**settings: Any) -> dict[str, Any]:
    return spec_of({"losses": [{"kind": "non_saturating"}, {"kind": "acme.refitted", **settings}]})


def test_parts_that_are_fitted_again_are_each_runs_own(tmp_path: Path) -> None:
    _, stacked = both(tmp_path, refitted(), registry=registry_of(RefittedConfig))
    assert stacked.warned == []


def test_a_part_that_is_fitted_to_another_shape_is_said_and_the_runs_go_on_eagerly(tmp_path: Path) -> None:
    _, stacked = both(tmp_path, refitted(grows="some"), registry=registry_of(RefittedConfig))
    (warning,) = stacked.warned
    assert warning.startswith(WARNING.partition("{}")[0] + "shapes differ: losses/acme.refitted.middle: ")
    assert warning.endswith(": it goes on eager")


def test_parts_that_are_all_fitted_to_another_shape_are_stacked_anew(tmp_path: Path) -> None:
    _, stacked = both(tmp_path, refitted(grows="all"), registry=registry_of(RefittedConfig))
    assert stacked.warned == []


def test_runs_that_are_fitted_to_different_shapes_are_grouped_apart_and_that_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "allmodes"):
        _, stacked = both(tmp_path, refitted(grows="at first"), registry=registry_of(RefittedConfig))
    assert stacked.warned == []
    said = [record.getMessage() for record in caplog.records if "together" in record.getMessage()]
    assert said[0].startswith("tiny/seed-")
    assert " cannot be trained together with tiny/seed-0: shapes differ: losses/acme.refitted.middle: " in said[0]


def test_a_run_that_collapses_stops_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(self: Evaluator) -> str:
        return "1 of 8 modes are left" if (self.run.seed, self.lane.iteration) == (1, 4) else ""

    monkeypatch.setattr(Evaluator, "find_collapse", find)
    spec = spec_of({"evaluation": {"every": 2, "collapse": "stop"}})
    stacked = train(tmp_path, spec)
    ends = [(o.status, o.iteration) for o in stacked.results.outcomes.values()]
    assert ends == [("finished", 8), ("failed", 4), ("finished", 8)]
    reason = "CollapseError: 1 of 8 modes are left; evaluation.collapse is stop"
    assert stacked.results.outcomes[1].error == reason
    eager = train(tmp_path, spec_of({"evaluation": {"every": 2}}), "eager")
    assert_same_end([eager.runs[i] for i in (0, 2)], [stacked.runs[i] for i in (0, 2)])


class Failing(LossTerm):
    """A loss that fails, in a turn or a fit, in the runs in which the first number of its fit's noise is large."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at, self.fails, self.refit = at, False, 3

    def fit(self, fitting: Fitting) -> None:
        super().fit(fitting)
        if fitting.iteration == 0:
            self.fails = float(fitting.noise.uniform("u", 1)) > 0.5
        elif self.at == "fit" and self.fails:
            raise ValueError("no fit")

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.measure}

    def measure(self, step: Step) -> Tensor:
        if self.at == "turn" and self.fails:
            raise ValueError("no loss")
        return step.fake.square().mean()


class FailingConfig(LossTermConfig):
    """A loss that fails in some runs."""

    kind: Literal["acme.failing"] = "acme.failing"
    at: str = "turn"

    def build(self) -> Any:
        return Failing(self.at)


@pytest.mark.parametrize("at", ["turn", "fit"])
def test_a_component_that_fails_in_some_runs_ends_those_alone(at: str, tmp_path: Path) -> None:
    schedule = [TURN, {"player": "generator", "draw": "shared"}]
    spec = spec_of({"losses": [{"kind": "non_saturating"}, {"kind": "acme.failing", "at": at}], "seeds": [0, 1, 2, 3]})
    spec["training"]["schedule"] = schedule
    eager, stacked = (train(tmp_path, spec, e, registry=registry_of(FailingConfig)) for e in ("eager", "stacked"))
    ends = [{seed: (o.status, o.error) for seed, o in t.results.outcomes.items()} for t in (eager, stacked)]
    assert ends[0] == ends[1]
    sound = [i for i, (status, _) in enumerate(ends[0].values()) if status == "finished"]
    assert 0 < len(sound) < 4
    assert_same_end([eager.runs[i] for i in sound], [stacked.runs[i] for i in sound])


# Going on


def test_a_stopped_stack_goes_on_bit_equal_under_the_same_engine(tmp_path: Path) -> None:
    spec = spec_of(FAMILIES["turns with times, every, start, end and shared draws"])
    unbroken = train(tmp_path / "unbroken", spec)
    broken = train(tmp_path / "broken", spec, observers={"cut": InterruptingObserver(4)})
    assert {o.status for o in broken.results.outcomes.values()} == {"killed"}
    assert [o.iteration for o in broken.results.outcomes.values()] == [4, 4, 4]
    resumed = go_on(broken)
    for one, other in zip(unbroken.runs, resumed.runs, strict=True):
        assert all(torch.equal(value, read_tensors(other)[name]) for name, value in read_tensors(one).items())
        torch.testing.assert_close(moments(one), moments(other), rtol=0, atol=0)
        assert_same_streams(one, other)


@pytest.mark.parametrize("engines", [("eager", "stacked", "eager"), ("stacked", "eager", "stacked")])
def test_runs_go_on_under_another_engine(engines: tuple[str, str, str], tmp_path: Path) -> None:
    spec = spec_of({"training": {"ema": {"decay": 0.5}}})
    unbroken = train(tmp_path / "unbroken", spec, "eager")
    cut = InterruptingObserver(3, 6)
    trained = train(tmp_path, spec, engines[0], observers={"cut": cut})
    for engine in engines[1:]:
        trained = go_on(trained, f"training.engine={engine}", observers={"cut": cut})
    assert_same_end(unbroken.runs, trained.runs)


def test_runs_whose_last_checkpoints_differ_catch_up_and_join(tmp_path: Path) -> None:
    spec = spec_of(checkpoints={"every": 2, "keep": 9})
    unbroken = train(tmp_path / "unbroken", spec)
    broken = train(tmp_path, spec, observers={"cut": InterruptingObserver(6)})
    late = RunFolder(broken.runs[1])
    for checkpoint in late.checkpoints[:2]:
        checkpoint.rename(tmp_path / checkpoint.name)
    assert int(late.checkpoints[0].name) == 2
    resumed = go_on(broken)
    assert_same_end(unbroken.runs, resumed.runs)


class Impatient:
    """Sends Ctrl-C twice at an iteration."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    @hookimpl
    def allmodes_metrics_logged(self, iteration: int, metrics: Mapping[str, float]) -> None:
        if iteration == self.iteration:
            self.iteration = -1
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)


def test_a_second_interrupt_ends_all_at_once_and_they_go_on_from_their_last_checkpoints(tmp_path: Path) -> None:
    spec = spec_of(checkpoints={"every": 3})
    unbroken = train(tmp_path / "unbroken", spec)
    broken = train(tmp_path, spec, observers={"cut": Impatient(5)})
    assert [o.status for o in broken.results.outcomes.values()] == ["killed"] * 3
    assert [int(RunFolder(run).checkpoints[0].name) for run in broken.runs] == [3, 3, 3]
    resumed = go_on(broken)
    assert resumed.results.status == "finished"
    assert_same_end(unbroken.runs, resumed.runs)


def test_the_state_of_optimisers_is_that_of_the_eager_engine(tmp_path: Path) -> None:
    eager, stacked = both(tmp_path, spec_of())
    for one, other in zip(eager.runs, stacked.runs, strict=True):
        forms = [{name: (value.shape, value.dtype) for name, value in moments(run).items()} for run in (one, other)]
        assert forms[0] == forms[1]


def test_a_checkpoint_does_not_grow_with_the_stack(tmp_path: Path) -> None:
    sizes = []
    for seeds in ([0], list(range(6))):
        run = train(tmp_path / str(len(seeds)), spec_of({"seeds": seeds})).runs[0]
        sizes.append(sum(file.stat().st_size for file in RunFolder(run).checkpoints[0].iterdir()))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)


# Sweeps


class Swept(NamedTuple):
    """Runs of several specs, how they ended, and what was warned of."""

    runs: list[Path]
    outcomes: list[Outcome]
    warned: list[str]


def train_sweep(folder: Path, specs: Sequence[Mapping[str, Any]], engine: str, **options: Any) -> Swept:
    """Train the seeds of several specs together, under an engine; the runs are in their order."""
    warned, units = list[str](), []
    for i, spec in enumerate(specs):
        values = {**spec, "name": f"tiny-{i}", "training": {**spec["training"], "engine": engine}}
        options = {"track": False, "warn": warned.append, "folder": folder / engine, **options}
        experiment = Experiment.from_spec(values, **options)
        experiment.prepare()
        own = folder / engine / f"tiny-{i}"
        own.mkdir(parents=True)
        (own / "spec.yaml").write_text(dump(experiment.spec))
        units += [(experiment, experiment.run_of(seed, own, j)) for j, seed in enumerate(values["seeds"])]
    outcomes = train_together(units, Stop())
    return Swept([run.folder for _, run in units], outcomes, warned)


RAMP = {"start": 0.9, "end": 0.99, "over": 5}
SWEPT: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "learning rates, one on a ramp": [
        {"training": {"optimizer": {**STEADY, "lr": lr}}} for lr in (1e-2, 3e-3, {"start": 1e-2, "end": 0, "over": 8})
    ],
    "betas and eps": [
        {"training": {"optimizer": {**STEADY, "betas": betas, "eps": eps}}}
        for betas, eps in (
            ((0.5, 0.99), 1e-2),
            ((0.0, 0.9), 1e-2),
            ((0.5, {"start": 0.9, "end": 0.99, "over": 5}), 0.1),
        )
    ],
    "weights, one on a ramp": [
        {"losses": [{"kind": "non_saturating"}, {"kind": "r1", "weight": weight}]} for weight in (1, 0.1, PENALTY)
    ],
    "settings of kinds": [
        {"losses": [{"kind": "wasserstein"}, {"kind": "gradient_penalty", "strength": strength}]}
        for strength in (10.0, 1.0)
    ],
    "moving averages": [{"training": {"ema": {"decay": decay}}} for decay in (0.5, 0.9)],
    "what ends and measures a run": [
        {"training": {"iterations": n}, "evaluation": {"every": every}} for n, every in ((8, 4), (5, 2), (6, 9))
    ],
    "momentum": [
        {"training": {"optimizer": {"kind": "sgd", "lr": 0.05, "momentum": momentum}}} for momentum in (0.1, 0.5)
    ],
}


@pytest.mark.parametrize("name", SWEPT)
def test_specs_that_differ_in_numbers_are_one_stack(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    sizes = list[int]()
    fill = StackedEngine._fill
    monkeypatch.setattr(StackedEngine, "_fill", lambda self, lanes: (sizes.append(len(lanes)), fill(self, lanes)))
    specs = [spec_of(change, {"seeds": [0, 1]}) for change in SWEPT[name]]
    eager, stacked = (train_sweep(tmp_path, specs, engine) for engine in ("eager", "stacked"))
    assert [o.status for o in stacked.outcomes] == ["finished"] * len(stacked.outcomes)
    assert stacked.warned == eager.warned
    assert sizes[0] == 2 * len(specs)
    assert_same_end(eager.runs, stacked.runs)


def test_specs_that_differ_in_what_must_be_a_number_go_on_apart(tmp_path: Path) -> None:
    prior = {"kind": "gaussian", "dim": 2}
    specs = [spec_of({"prior": {**prior, "std": std}, "seeds": [0, 1]}) for std in (1.0, 2.0)]
    eager, stacked = (train_sweep(tmp_path, specs, engine) for engine in ("eager", "stacked"))
    assert_same_end(eager.runs, stacked.runs)
    assert [o.status for o in stacked.outcomes] == ["finished"] * 4
    assert stacked.warned == [
        "tiny-0/seed-0, tiny-0/seed-1, tiny-1/seed-0, tiny-1/seed-1: the stacked engine cannot train these together: "
        "loss non_saturating of player 'discriminator' (allmodes 0.1.0): forward of prior (gaussian, allmodes 0.1.0): "
        "it looks at the value of a tensor, as .item(), float(x) and `if x > 0` do: those that have the same prior.std "
        "go on together"
    ]


# Never in silence


class Branching(LossTerm):
    """A loss that looks at its value, in one of several ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.calls = way, 0
        self.elsewhere: list[nn.Module] = []
        self.past = deque[Tensor](maxlen=3)

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": getattr(self, self.way)}

    def fit(self, fitting: Fitting) -> None:
        super().fit(fitting)
        self.elsewhere = [fitting.modules["discriminator"]]

    def branches(self, step: Step) -> Tensor:
        mean = step.fake.mean()
        return mean if mean > 0 else 2 * mean

    def reads(self, step: Step) -> Tensor:
        return step.fake.mean() * step.fake.abs().max().item()

    def counts(self, step: Step) -> Tensor:
        self.calls += 1
        return step.fake.mean() * self.calls

    def remembers(self, step: Step) -> Tensor:
        self.past.append(step.fake.detach())
        return (step.fake - self.past[0]).square().mean()

    def fails_stacked(self, step: Step) -> Tensor:
        if torch._C._functorch.is_functorch_wrapped_tensor(step.fake):
            raise ValueError("not with tensors like this")
        return step.fake.mean()

    def borrows(self, step: Step) -> Tensor:
        score: Tensor = self.elsewhere[0](step.fake)[0]
        return score.mean()

    def rolls(self, step: Step) -> Tensor:
        return (step.fake * torch.rand_like(step.fake)).mean()

    def waits(self, step: Step) -> Tensor:
        mean = step.fake.mean()
        return mean if step.iteration < 5 else 2 * mean

    def guesses(self, step: Step) -> Tensor:
        raise NotImplementedError

    def selects(self, step: Step) -> Tensor:
        return step.fake[step.fake > 0].sum()

    def lies(self, step: Step) -> Tensor:
        mean = step.fake.mean()
        return mean * 2 if torch._C._functorch.is_functorch_wrapped_tensor(mean) else mean

    def hides(self, step: Step) -> Tensor:
        mean = step.fake.mean()
        return 2 * mean - mean.detach() if torch._C._functorch.is_functorch_wrapped_tensor(mean) else mean


class BranchingConfig(LossTermConfig):
    """A loss that cannot be stacked."""

    kind: Literal["acme.branching"] = "acme.branching"
    way: str = "branches"

    def build(self) -> Any:
        return Branching(self.way)


TERM = "loss acme.branching of player 'generator'"
THEIRS = f"{TERM} (allmodes-acme 1.0)"
LOOKS = f"{THEIRS}: it looks at the value of a tensor, as .item(), float(x) and `if x > 0` do"
KEEPS = "a turn changes the attribute losses/acme.branching.{}, which only a buffer may keep"
WAYS = {
    "branches": LOOKS,
    "reads": LOOKS,
    "waits": LOOKS,
    "selects": f"{THEIRS}: the shape of a result depends on values, as of x[mask] and nonzero: use torch.where",
    "counts": KEEPS.format("calls"),
    "remembers": KEEPS.format("past"),
    "borrows": f"{TERM} reads a tensor of a module that the step does not give: use step.call or step.tensor",
    "lies": f"it gives {TERM} another value than the eager engine",
    "hides": "it gives the losses of player 'generator' another gradient than the eager engine",
    "fails_stacked": f"{THEIRS}: ValueError: not with tensors like this",
}


def train_branching(way: str, folder: Path) -> tuple[Trained, Trained]:
    spec = spec_of({"losses": [{"kind": "non_saturating"}, {"kind": "acme.branching", "way": way}]})
    registry = registry_of(BranchingConfig)
    return train(folder, spec, "eager", registry=registry), train(folder, spec, "stacked", registry=registry)


@pytest.mark.parametrize("way", WAYS)
def test_a_term_that_cannot_be_stacked_is_named_once_and_the_runs_go_on_eagerly(way: str, tmp_path: Path) -> None:
    eager, stacked = train_branching(way, tmp_path)
    assert stacked.warned == [WARNING.format(WAYS[way])]
    assert_same_end(eager.runs, stacked.runs)


def test_a_term_that_draws_from_the_global_generator_is_named(tmp_path: Path) -> None:
    _, stacked = train_branching("rolls", tmp_path)
    reason = f"{THEIRS}: it draws from torch's global generator: take noise from the step"
    named = "losses/acme.branching (Branching) draws by rand_like"
    assert [text for text in stacked.warned if named not in text] == [WARNING.format(reason)]
    assert len([text for text in stacked.warned if named in text]) == 1
    assert stacked.results.status == "finished"


@pytest.mark.parametrize("module", [random, np.random])
def test_a_term_that_draws_from_a_global_generator_in_python_is_refused(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Branching, "guesses", lambda _, step: 1e-3 * module.random() * step.fake.mean())
    _, stacked = train_branching("guesses", tmp_path)
    reason = "a turn draws from a global generator of Python's or NumPy's: take noise from the step"
    assert stacked.warned == [WARNING.format(reason)]
