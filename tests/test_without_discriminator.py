"""A spec without a discriminator: what is valid, what is refused, and a run from training to samples."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Tensor, nn

from allmodes import (
    Auxiliary,
    AuxiliaryConfig,
    Experiment,
    Loss,
    LossTerm,
    LossTermConfig,
    Model,
    Need,
    PlayerConfig,
    Step,
    load_run,
)
from allmodes.game.compose import compose
from allmodes.metrics.measure import make_evaluation
from allmodes.specs import loading
from allmodes.specs.players import players_of
from allmodes.specs.source import SpecError
from allmodes.testing import LossTermContract, check_turns_under_vmap
from allmodes_schemas import AdamConfig
from faulty import held, registry_of
from fixtures.distributions import first_party
from tiny import SPEC


class Nearest(LossTerm):
    """E min_j ||x - G(z_j)||^2: each item draws its nearest sample near (IMLE)."""

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.nearest}

    def nearest(self, step: Step) -> Tensor:
        return torch.cdist(step.x, step.fake).square().amin(1).mean()


class NearestConfig(LossTermConfig):
    """Each item draws its nearest sample near."""

    kind: Literal["acme.imle"] = "acme.imle"
    serves: ClassVar[tuple[str, ...]] = ("generator",)

    def build(self) -> Any:
        return Nearest()


class Scaled(LossTerm):
    """A distance whose own factor a player of its own learns."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def losses(self) -> Mapping[str, Loss]:
        return {"scale": self.scale}

    def scale(self, step: Step) -> Tensor:
        return (step.x.mean() - step.tensor("losses/acme.scaled", "factor") * step.fake.mean()).square()


class ScaledConfig(LossTermConfig):
    """A term that its own player trains."""

    kind: Literal["acme.scaled"] = "acme.scaled"
    serves: ClassVar[tuple[str, ...]] = ("scale",)
    trained_by: ClassVar[tuple[str, ...]] = ("scale",)

    def players(self) -> tuple[PlayerConfig, ...]:
        return (PlayerConfig(name="scale", modules=(), optimizer=AdamConfig(lr=0.1)),)

    def build(self) -> Any:
        return Scaled()


class StrayConfig(NearestConfig):
    """A term for a player that nobody has."""

    kind: Literal["acme.stray"] = "acme.stray"  # type: ignore[assignment]
    serves: ClassVar[tuple[str, ...]] = ("generator", "genrator")


class UnsaidConfig(LossTermConfig):
    """The same, but it does not say so."""

    kind: Literal["acme.unsaid"] = "acme.unsaid"

    def build(self) -> Any:
        term = Nearest()
        term.losses = lambda: {"critic": term.nearest}  # type: ignore[method-assign]
        return term


class IdleConfig(NearestConfig):
    """A term whose player trains nothing."""

    kind: Literal["acme.idle"] = "acme.idle"  # type: ignore[assignment]

    def players(self) -> tuple[PlayerConfig, ...]:
        return (PlayerConfig(name="idle", modules=()),)


class MatchingConfig(NearestConfig):
    """A term of the generator that reads features of D."""

    kind: Literal["acme.matching"] = "acme.matching"  # type: ignore[assignment]
    needs: ClassVar[tuple[Need, ...]] = (Need("discriminator"),)


class MutualConfig(NearestConfig):
    """A term of the generator whose D sees a code."""

    kind: Literal["acme.mutual"] = "acme.mutual"  # type: ignore[assignment]
    needs: ClassVar[tuple[Need, ...]] = (Need("joint", remedy="joint: encoder to discriminator"),)


class Mean(Auxiliary):
    """The mean of an item's entries."""

    def forward(self, seen: Tensor) -> Tensor:
        return seen.flatten(1).mean(1, keepdim=True)


class HeadConfig(AuxiliaryConfig):
    """A head on D's features."""

    kind: Literal["acme.head"] = "acme.head"
    sees: ClassVar[Literal["data", "features"]] = "features"

    def build(self, sees: Any, parts: Any) -> Any:
        return Mean()


class PupilConfig(HeadConfig):
    """An auxiliary of data that both of a game's players train."""

    kind: Literal["acme.pupil"] = "acme.pupil"  # type: ignore[assignment]
    sees: ClassVar[Literal["data", "features"]] = "data"
    trained_by: ClassVar[tuple[str, ...]] = ("discriminator", "generator")


REGISTRY = registry_of(
    NearestConfig, ScaledConfig, StrayConfig, UnsaidConfig, IdleConfig, MatchingConfig, MutualConfig, HeadConfig,
    PupilConfig,
)  # fmt: skip
FIRST_PARTY = first_party()
IMLE = {"kind": "acme.imle"}
ALONE: Mapping[str, Any] = {key: value for key, value in SPEC.items() if key != "discriminator"} | {"losses": [IMLE]}


def parse(values: Mapping[str, Any] = ALONE, **changes: Any) -> Any:
    return loading.parse({**copy.deepcopy(dict(values)), **changes}, REGISTRY)


def refused(**changes: Any) -> list[str]:
    with pytest.raises(SpecError) as raised:
        parse(**changes)
    return [line.removeprefix("spec: ") for line in str(raised.value).splitlines()]


def test_without_a_discriminator_there_is_neither_its_player_nor_its_module() -> None:
    spec = parse()
    assert spec.discriminator is None
    assert list(players_of(spec)) == ["generator"]
    composition = compose(spec, spec.data.build(), 0)
    assert set(composition.modules) == {"prior", "generator", "losses/acme.imle"}
    assert [turn.players for turn in composition.schedule] == [("generator",)]


def test_none_may_be_written_out() -> None:
    assert parse(discriminator=None) == parse()


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        ([{"kind": "non_saturating"}], "non_saturating has a loss for it"),
        ([IMLE, {"kind": "r1"}], "r1 has a loss for it"),
        ([{"kind": "acme.matching"}], "acme.matching needs it"),
        ([{"kind": "acme.mutual"}], "acme.mutual needs it"),
    ],
)
def test_a_discriminator_that_a_loss_asks_for_is_missing(losses: list[Any], reason: str) -> None:
    assert refused(losses=losses) == [f"discriminator: is missing: {reason}: add discriminator: {{kind: mlp}}"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("baselines.clipping", "baselines.clipping needs it"),
        ("baselines.dragan", "baselines.dragan has a loss for it"),
        ("baselines.determinantal", "baselines.determinantal needs it"),
        ("baselines.mode_regularizer", "baselines.mode_regularizer needs it"),
        ("baselines.which_generator", "baselines.which_generator has a loss for it"),
        ("baselines.information", "baselines.information has a loss for it"),
    ],
)
def test_terms_of_the_plugins_that_read_a_discriminator_ask_for_one(kind: str, reason: str) -> None:
    with pytest.raises(SpecError) as raised:
        loading.parse({**ALONE, "losses": [{"kind": "modern.drifting"}, {"kind": kind}]}, FIRST_PARTY)
    assert str(raised.value) == f"spec: discriminator: is missing: {reason}: add discriminator: {{kind: mlp}}"


def test_a_head_asks_for_a_discriminator() -> None:
    assert refused(auxiliaries={"q": {"kind": "acme.head"}}) == [
        "discriminator: is missing: acme.head reads its features: add discriminator: {kind: mlp}"
    ]


def test_a_generator_that_no_loss_serves_is_refused() -> None:
    assert refused(losses=[{"kind": "acme.scaled"}]) == [
        "discriminator: is missing, and no loss serves the generator: add discriminator: {kind: mlp} and a game, or a "
        "loss that serves the generator without them"
    ]


def test_with_a_discriminator_a_game_is_needed_as_ever() -> None:
    assert refused(discriminator={"kind": "mlp"}) == [
        "losses: no game among the losses: add one, such as {kind: non_saturating}, or leave out the discriminator"
    ]


def test_settings_of_a_discriminator_that_is_not_there_are_refused() -> None:
    training = {**SPEC["training"], "discriminator_updates": 2, "optimizers": {"discriminator": {"kind": "sgd"}}}
    assert refused(training=training) == [
        "training.optimizers.discriminator: there is no player 'discriminator'; the players are generator",
        "training.discriminator_updates: there is no discriminator to update: leave it out",
    ]


def test_a_term_for_a_player_that_nobody_has_is_refused_before_torch_is_loaded() -> None:
    assert refused(losses=[{"kind": "acme.stray"}]) == [
        "losses.0: acme.stray has a loss for a player that nobody has: there is no player 'genrator' (did you mean "
        "'generator'?); the players are generator"
    ]


def test_a_term_that_does_not_say_so_is_refused_when_it_is_built() -> None:
    spec = parse(losses=[IMLE, {"kind": "acme.unsaid"}])
    expected = (
        "acme.unsaid has a loss for a player that nobody has: there is no player 'critic'; the players are generator"
    )
    with pytest.raises(ValueError, match=expected):
        compose(spec, spec.data.build(), 0)


def test_a_player_that_trains_nothing_is_refused() -> None:
    assert refused(losses=[{"kind": "acme.idle"}]) == [
        "losses.0: player 'idle' trains nothing: give it modules, or name it in trained_by of what it trains"
    ]


def test_an_auxiliary_of_both_players_is_trained_by_the_one_that_is_there() -> None:
    players = players_of(parse(auxiliaries={"e": {"kind": "acme.pupil"}}))
    assert {name: player.modules for name, player in players.items()} == {"generator": ("generator", "e")}


def test_a_term_is_trained_by_the_player_that_it_names() -> None:
    spec = parse(losses=[IMLE, {"kind": "acme.scaled"}])
    players = players_of(spec)
    assert players["scale"].modules == ("losses/acme.scaled",)
    assert players["scale"].optimizer == AdamConfig(lr=0.1)
    composition = compose(spec, spec.data.build(), 0)
    assert list(composition.named_parameters("scale")) == ["losses/acme.scaled:factor"]


def test_a_term_of_its_own_player_runs_alike_in_both_engines() -> None:
    spec = parse(losses=[IMLE, {"kind": "acme.scaled"}])
    check_turns_under_vmap(compose(spec, spec.data.build(), 0), 2)


HELD = [name for name in dir(LossTermContract) if name.startswith("test_") and "no_torch" not in name]
"""What a term is held to; `acme` is no module that another process could import."""


@pytest.mark.parametrize("name", HELD)
def test_the_contract_of_a_term_holds_without_a_discriminator(name: str) -> None:
    getattr(held(LossTermContract, NearestConfig(), registry=REGISTRY, spec=ALONE), name)()


def train(folder: Path, **training: Any) -> Model:
    values = parse(training={**SPEC["training"], **training})
    return load_run(Experiment(values, REGISTRY, folder, track=False).run().folder, REGISTRY)


def test_a_run_without_a_discriminator_is_trained_measured_sampled_and_exported(tmp_path: Path) -> None:
    model = train(tmp_path)
    assert model.iteration == 20
    assert set(model.modules) == {"prior", "generator"}
    exported = load_run(model.export(tmp_path / "exported"), REGISTRY)
    assert torch.equal(exported.sample(5), model.sample(5))


def test_advice_for_a_run_that_diverged_leaves_penalties_of_a_discriminator_out(tmp_path: Path) -> None:
    training = {**SPEC["training"], "iterations": 2, "log_every": 1, "optimizer": {"kind": "sgd", "lr": 1e30}}
    spec = {**ALONE, "training": training}
    options: dict[str, Any] = {"registry": REGISTRY, "warn": lambda _: None, "track": False}
    (outcome,) = Experiment.from_spec(spec, folder=tmp_path, **options).run([0]).outcomes.values()
    assert (outcome.error or "").endswith("no longer finite at iteration 2: lower the learning rate")


def test_a_run_without_a_discriminator_is_resumed(tmp_path: Path) -> None:
    half = train(tmp_path / "half", iterations=10)
    longer = ["training.iterations=20"]
    resumed = Experiment.resume(half.folder, longer, registry=REGISTRY).run()
    assert torch.equal(load_run(resumed.folder, REGISTRY).sample(5), train(tmp_path / "whole").sample(5))


def test_an_auxiliary_is_asked_without_a_discriminator(tmp_path: Path) -> None:
    spec = parse(auxiliaries={"e": {"kind": "acme.pupil"}})
    composition, data = compose(spec, spec.data.build(), 0), spec.data.build()
    evaluation = make_evaluation(composition, composition.modules, data, 8, 0, 0, "cpu")
    x = torch.randn(4, 2)
    torch.testing.assert_close(evaluation.encode("e", x), x.mean(1, keepdim=True))
