"""Specs whose parts do not fit together are rejected before torch is loaded, with the place and the fix."""

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import pytest

from allmodes.registry.slots import Plugin
from allmodes.specs import loading
from allmodes.specs.loading import SpecError
from allmodes.specs.players import players_of, turns_of
from allmodes_schemas import AdamConfig, SgdConfig, Spec, TurnConfig
from fixtures.distributions import first_party, module
from tiny import SPEC

PARTS = """
from typing import ClassVar, Literal

from allmodes import AuxiliaryConfig, DatasetConfig, LossTermConfig, Need, PlayerConfig, PriorConfig, Problem, hookimpl
from allmodes_schemas import SgdConfig


class HeadConfig(AuxiliaryConfig):
    kind: Literal["acme.head"] = "acme.head"
    gives: ClassVar[str] = "mode"
    sees: ClassVar = "features"
    trained_by: ClassVar = ("discriminator", "generator")


class ClassifierConfig(AuxiliaryConfig):
    kind: Literal["acme.classifier"] = "acme.classifier"
    gives: ClassVar[str] = "mode"
    trained_by: ClassVar = ()


class LearnedConfig(PriorConfig):
    kind: Literal["acme.learned"] = "acme.learned"
    trained_by: ClassVar = ("generator", "mixer")

    def parts(self):
        return {"code": 2, "mode": 3}


class ModeLossConfig(LossTermConfig):
    kind: Literal["acme.mode_loss"] = "acme.mode_loss"
    needs: ClassVar = (Need("part", "mode", "prior: {kind: acme.learned}"), Need("labels", remedy="take labelled data"))


class MixingConfig(LossTermConfig):
    kind: Literal["acme.mixing"] = "acme.mixing"
    serves: ClassVar = ("mixer",)


class PlayingConfig(LossTermConfig):
    kind: Literal["acme.playing"] = "acme.playing"
    modules: tuple[str, ...] = ("generator",)

    def players(self):
        return (PlayerConfig(name="critic", modules=self.modules, optimizer=SgdConfig()),)

    def check(self, spec):
        if spec.name == "odd":
            yield Problem(("name",), "is odd")


class PlainConfig(DatasetConfig):
    kind: Literal["acme.plain"] = "acme.plain"

    def shape(self):
        return (2,)


class ModalConfig(PlainConfig):
    kind: Literal["acme.modal"] = "acme.modal"

    def known_modes(self):
        return True


class AskingConfig(PlainConfig):
    kind: Literal["acme.asking"] = "acme.asking"
    wants: int

    def known_modes(self):
        return self.wants > 0


@hookimpl
def allmodes_datasets():
    return [PlainConfig, ModalConfig, AskingConfig]


@hookimpl
def allmodes_latent_priors():
    return [LearnedConfig]


@hookimpl
def allmodes_auxiliary_networks():
    return [HeadConfig, ClassifierConfig]


@hookimpl
def allmodes_loss_terms():
    return [ModeLossConfig, PlayingConfig, MixingConfig]
"""

REGISTRY = first_party()
REGISTRY.register(module(PARTS), Plugin("acme", "allmodes-acme", "1.0"))

GAME = {"kind": "non_saturating"}
RECONSTRUCTION = {"kind": "veegan.code_reconstruction"}
RECONSTRUCTOR = {"reconstructor": {"kind": "veegan.reconstructor"}}
TURNS = [{"player": name} for name in ("discriminator", "generator", "mixer")]
PLAYERS = "the players are discriminator, generator"


def spec(**changes: Any) -> Spec:
    """The tiny spec with other values; `training` is changed key by key. Warnings are errors."""
    values: dict[str, Any] = copy.deepcopy(dict(SPEC)) | {"losses": [GAME]} | changes
    values["training"] = {**SPEC["training"], **changes.get("training", {})}
    with warnings.catch_warnings(action="error"):
        return loading.parse(values, REGISTRY)


def problems(**changes: Any) -> list[str]:
    with pytest.raises(SpecError) as raised:
        spec(**changes)
    return [line.removeprefix("spec: ") for line in str(raised.value).splitlines()]


def warning(**changes: Any) -> str:
    with pytest.raises(UserWarning) as raised:
        spec(**changes)
    return str(raised.value).removeprefix("spec: ")


def network(**settings: Any) -> Mapping[str, Any]:
    return {"kind": "mlp", "hidden": [8], **settings}


def test_the_spec_that_these_tests_change_is_valid() -> None:
    assert spec().name == "tiny"


# The game


def test_a_spec_without_a_game_is_refused() -> None:
    assert problems(losses=[{"kind": "r1"}]) == [
        "losses: no game among the losses: add one, such as {kind: non_saturating}"
    ]


def test_a_second_game_is_refused_at_its_place() -> None:
    assert problems(losses=[GAME, {"kind": "r1"}, {"kind": "relativistic"}]) == [
        "losses.2: relativistic is a second game beside non_saturating: a spec has exactly one"
    ]


def test_the_wasserstein_game_needs_a_penalty() -> None:
    assert warning(losses=[{"kind": "wasserstein"}]) == (
        "losses: the wasserstein game needs a bound on the discriminator's slope: add {kind: gradient_penalty}"
    )
    assert spec(losses=[{"kind": "wasserstein"}, {"kind": "gradient_penalty"}])


# Needs


def test_a_missing_auxiliary_error_has_the_line_to_add() -> None:
    assert problems(losses=[GAME, RECONSTRUCTION]) == [
        "losses.1: veegan.code_reconstruction needs an auxiliary that maps data to code; none is defined: add "
        "auxiliaries.reconstructor: {kind: veegan.reconstructor}"
    ]


def test_a_wrong_auxiliary_error_names_the_right_one() -> None:
    assert problems(losses=[GAME, RECONSTRUCTION], auxiliaries={"inverse": RECONSTRUCTOR["reconstructor"]}) == [
        "losses.1: veegan.code_reconstruction reads auxiliary 'reconstructor', which does not map data to code: "
        "set auxiliary: inverse"
    ]
    assert spec(
        losses=[GAME, {**RECONSTRUCTION, "auxiliary": "inverse"}],
        auxiliaries={"inverse": RECONSTRUCTOR["reconstructor"]},
    )


def test_an_auxiliary_for_another_part_is_refused() -> None:
    message = problems(losses=[GAME, RECONSTRUCTION], auxiliaries={"reconstructor": {"kind": "acme.classifier"}})
    assert message[0].startswith("losses.1: veegan.code_reconstruction needs an auxiliary that maps data to code; none")


def test_a_game_on_pairs_needs_a_joint_discriminator() -> None:
    assert problems(losses=[{"kind": "veegan.game"}], auxiliaries=RECONSTRUCTOR) == [
        "losses.0: veegan.game needs a discriminator that sees a code beside the data: add joint: reconstructor to "
        "discriminator"
    ]


def test_missing_parts_and_labels_are_refused() -> None:
    asking = [GAME, {"kind": "acme.mode_loss"}]
    assert problems(losses=asking) == [
        "losses.1: acme.mode_loss needs a latent part 'mode', which prior gaussian does not have: add "
        "prior: {kind: acme.learned}"
    ]
    plain = {"data": {"kind": "acme.plain"}, "prior": {"kind": "acme.learned"}, "evaluation": {"metrics": []}}
    assert problems(losses=asking, **plain) == [
        "losses.1: acme.mode_loss needs labels, which data acme.plain does not have: take labelled data"
    ]
    assert spec(losses=asking, prior={"kind": "acme.learned"}, training={"schedule": TURNS})


def test_a_metric_that_needs_the_truth_is_refused_on_other_data_and_names_those_that_have_it() -> None:
    kinds = [
        "acme.modal",
        *(f"benchmarks.{name}" for name in ("arcs", "mixture", "spirals", "sprites", "swiss_roll")),
        *("circle", "grid", "high_dimensional", "mixture", "ring"),
    ]
    assert problems(data={"kind": "digits"}, generator={"kind": "mlp"}, discriminator={"kind": "mlp"}) == [
        "evaluation.metrics.0: modes needs data whose modes are known, which digits is not: take data of kind "
        f"{', '.join(kinds[:-1])} or {kinds[-1]}"
    ]


# The discriminator


def test_a_pack_that_does_not_divide_the_batch_is_refused_with_the_sizes_that_fit() -> None:
    assert problems(discriminator=network(pack=3)) == [
        "discriminator.pack: pack 3 does not divide training.batch_size 8: set that to 6 or 9"
    ]
    assert problems(discriminator=network(pack=16)) == [
        "discriminator.pack: pack 16 does not divide training.batch_size 8: set that to 16"
    ]
    assert spec(discriminator=network(pack=4))


def test_a_joint_auxiliary_must_be_defined() -> None:
    assert problems(discriminator=network(joint="reconstrctor"), auxiliaries=RECONSTRUCTOR) == [
        "discriminator.joint: the discriminator is joint with auxiliary 'reconstrctor', which is not defined "
        "(did you mean 'reconstructor'?): add it under auxiliaries"
    ]


def test_a_joint_auxiliary_must_map_data_to_code() -> None:
    assert problems(
        discriminator=network(joint="classifier"), auxiliaries={"classifier": {"kind": "acme.classifier"}}
    ) == [
        "discriminator.joint: the discriminator is joint with auxiliary 'classifier', which maps data to mode, not to "
        "code: join one that does"
    ]
    assert problems(discriminator=network(joint="head"), auxiliaries={"head": {"kind": "acme.head"}}) == [
        "discriminator.joint: the discriminator is joint with auxiliary 'head', which itself reads the discriminator's "
        "features: join one that sees the data"
    ]


def test_a_head_under_packing_is_refused() -> None:
    assert problems(discriminator=network(pack=2), auxiliaries={"head": {"kind": "acme.head"}}) == [
        "auxiliaries.head: acme.head reads the discriminator's features, which belong to 2 items at once: "
        "set discriminator.pack: 1"
    ]


def test_batch_norm_under_a_penalty_is_a_warning() -> None:
    assert warning(discriminator=network(batch_norm=True), losses=[GAME, {"kind": "r1"}]) == (
        "discriminator: r1 takes gradients item by item, but BatchNorm in the discriminator mixes the items of a "
        "batch: switch it off"
    )
    assert spec(discriminator=network(batch_norm=True))


# Shapes and names


def test_image_networks_are_refused_on_points() -> None:
    assert problems(generator={"kind": "dcgan"}, discriminator={"kind": "dcgan"}) == [
        "generator: dcgan needs images, but it is to map (2,) to (2,): use kind: mlp",
        "discriminator: dcgan needs images, but it is to map (2,) to (1,): use kind: mlp",
    ]


def test_the_network_of_an_auxiliary_is_checked_too() -> None:
    auxiliaries = {"reconstructor": {"kind": "veegan.reconstructor", "network": {"kind": "dcgan"}}}
    assert problems(auxiliaries=auxiliaries) == [
        "auxiliaries.reconstructor: dcgan needs images, but it is to map (2,) to (1,): use kind: mlp"
    ]


def test_a_discriminator_is_checked_on_all_that_it_sees() -> None:
    images = {"data": {"kind": "torchvision", "dataset": "MNIST"}, "evaluation": {"metrics": []}}
    assert spec(
        discriminator={"kind": "dcgan", "pack": 2, "joint": "reconstructor"}, auxiliaries=RECONSTRUCTOR, **images
    )


@pytest.mark.parametrize("name", ["generator", "discriminator", "prior"])
def test_an_auxiliary_cannot_have_the_name_of_a_module_of_every_spec(name: str) -> None:
    assert problems(auxiliaries={name: {"kind": "veegan.reconstructor"}}) == [
        f"auxiliaries.{name}: {name!r} is a module of every spec: choose another name"
    ]


def test_repeated_seeds_and_metrics_are_refused() -> None:
    assert problems(seeds=[4, 3, 4], evaluation={"metrics": ["modes", {"kind": "modes"}]}) == [
        "seeds.2: 4 is already listed: list it once",
        "evaluation.metrics.1: modes is already listed: list it once",
    ]


def test_a_term_may_have_checks_of_its_own() -> None:
    assert problems(name="odd", losses=[GAME, {"kind": "acme.playing"}]) == ["name: is odd"]


# Players and turns


def test_without_a_schedule_players_alternate() -> None:
    plain = spec(training={"discriminator_updates": 5})
    players = players_of(plain)
    assert {name: player.modules for name, player in players.items()} == {
        "discriminator": ("discriminator",),
        "generator": ("generator",),
    }
    assert turns_of(plain, players) == (TurnConfig(player="discriminator", times=5), TurnConfig(player="generator"))


def test_simultaneous_is_one_turn_of_all_players() -> None:
    together = spec(training={"schedule": "simultaneous"})
    assert turns_of(together, players_of(together)) == (TurnConfig(player=("discriminator", "generator")),)


def test_auxiliaries_and_priors_are_trained_by_the_players_that_they_declare() -> None:
    learned = spec(
        prior={"kind": "acme.learned"},
        losses=[GAME, {"kind": "acme.mixing"}],
        auxiliaries={"head": {"kind": "acme.head"}, "frozen": {"kind": "acme.classifier"}, **RECONSTRUCTOR},
    )
    assert {name: player.modules for name, player in players_of(learned).items()} == {
        "discriminator": ("discriminator", "head"),
        "generator": ("generator", "prior", "head", "reconstructor"),
        "mixer": ("prior",),
    }


def test_an_optimiser_by_player_comes_before_the_terms_own_and_that_before_the_common_one() -> None:
    training = {"optimizer": {"kind": "adam", "lr": 0.5}, "optimizers": {"generator": {"kind": "sgd", "lr": 0.25}}}
    players = players_of(spec(losses=[GAME, {"kind": "acme.playing"}], training=training))
    assert players["discriminator"].optimizer == AdamConfig(lr=0.5)
    assert players["generator"].optimizer == SgdConfig(lr=0.25)
    assert players["critic"].optimizer == SgdConfig()
    named = {**training, "optimizers": {"critic": {"kind": "adam"}}}
    assert players_of(spec(losses=[GAME, {"kind": "acme.playing"}], training=named))["critic"].optimizer == AdamConfig()


def test_a_turn_of_an_unknown_player_is_refused() -> None:
    schedule = [{"player": "discriminator"}, {"player": "generator"}, {"player": ["generatr"]}]
    assert problems(training={"schedule": schedule}) == [
        f"training.schedule.2: there is no player 'generatr' (did you mean 'generator'?); {PLAYERS}"
    ]


def test_inference_is_for_modules_that_exist_and_that_the_turn_does_not_train() -> None:
    turns = [
        {"player": "discriminator", "inference": ["generatr"]},
        {"player": "generator", "inference": ["generator"]},
    ]
    assert problems(training={"schedule": turns}) == [
        "training.schedule.0.inference: there is no module 'generatr' (did you mean 'generator'?); the modules are "
        "generator, discriminator, prior",
        "training.schedule.1.inference: the turn trains 'generator', which therefore does not run as in evaluation: "
        "leave it out",
    ]
    assert spec(
        training={"schedule": [{"player": "discriminator", "inference": ["generator"]}, {"player": "generator"}]}
    )


def test_an_optimiser_of_an_unknown_player_is_refused() -> None:
    assert problems(training={"optimizers": {"critic": {"kind": "adam"}}}) == [
        f"training.optimizers.critic: there is no player 'critic'; {PLAYERS}"
    ]


def test_a_player_without_a_turn_is_refused() -> None:
    assert problems(training={"schedule": [{"player": "generator"}]}) == [
        "training.schedule: player 'discriminator' has no turn, so it never learns: add a turn for it"
    ]


def test_players_of_one_module_cannot_take_a_simultaneous_turn() -> None:
    playing = [GAME, {"kind": "acme.playing"}]
    message = (
        "players 'generator' and 'critic' both train 'generator' and cannot take a simultaneous turn: use schedule: "
        "alternating, or give them turns of their own"
    )
    assert problems(losses=playing, training={"schedule": "simultaneous"}) == [f"training.schedule: {message}"]
    turns = [{"player": "discriminator"}, {"player": ["generator", "critic"]}]
    assert problems(losses=playing, training={"schedule": turns}) == [f"training.schedule.1: {message}"]
    assert spec(losses=playing, training={"schedule": "alternating"})


def test_a_player_of_an_unknown_module_is_refused_at_its_term() -> None:
    assert problems(losses=[GAME, {"kind": "acme.playing", "modules": ["generatr"]}]) == [
        "losses.1: player 'critic' trains 'generatr', which is not defined (did you mean 'generator'?)"
    ]


def test_two_terms_may_share_a_player_but_not_redefine_it() -> None:
    assert spec(losses=[GAME, {"kind": "acme.playing"}, {"kind": "acme.playing"}])
    assert problems(losses=[GAME, {"kind": "acme.playing"}, {"kind": "acme.playing", "modules": ["prior"]}]) == [
        "losses.2: acme.playing redefines player 'critic' with other settings than a loss before it"
    ]
