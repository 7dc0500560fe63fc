"""Players that components bring: one whom no loss serves, or who has nothing to learn, is an error that names them."""

from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import nn

from allmodes import (
    Auxiliary,
    AuxiliaryConfig,
    Experiment,
    LossTerm,
    LossTermConfig,
    NetworkConfig,
    PlayerConfig,
    SpecError,
)
from allmodes.builtin.config.priors import GaussianConfig
from allmodes.builtin.networks import Mlp
from allmodes.game.compose import compose
from allmodes.specs import loading
from faulty import registry_of
from tiny import SPEC

GAME = {"kind": "non_saturating"}


class Pulling(LossTerm):
    """A loss of the generator and perhaps of a player `judge`, with parameters of its own or without."""

    def __init__(self, parameters: int = 0, frozen: bool = False, judged: bool = False) -> None:
        super().__init__()
        self.judged = judged
        self.w = nn.ParameterList(nn.Parameter(torch.ones(()), not (frozen and i)) for i in range(parameters))

    def losses(self):
        return {"generator": self.pull} | ({"judge": self.judge} if self.judged else {})

    def pull(self, step):
        return step.fake.square().mean()

    def judge(self, step):
        return (step.fake.mean() - sum(self.w)).square()


class OpenConfig(LossTermConfig):
    """Does not say whom it serves."""

    kind: Literal["acme.open"] = "acme.open"
    trained_by: ClassVar[tuple[str, ...]] = ("nobody",)

    def build(self):
        return Pulling(1)


class SaidConfig(OpenConfig):
    """The same, but it says so."""

    kind: Literal["acme.said"] = "acme.said"
    serves: ClassVar[tuple[str, ...]] = ("generator",)


class AddingConfig(LossTermConfig):
    """Adds a player of the prior."""

    kind: Literal["acme.adding"] = "acme.adding"
    serves: ClassVar[tuple[str, ...]] = ("generator",)

    def players(self):
        return (PlayerConfig(name="genrator", modules=("prior",)),)

    def build(self):
        return Pulling()


class BareConfig(LossTermConfig):
    """A player whose term has no parameters."""

    kind: Literal["acme.bare"] = "acme.bare"
    trained_by: ClassVar[tuple[str, ...]] = ("judge",)
    parameters: int = 0
    frozen: bool = False

    def build(self):
        return Pulling(self.parameters, self.frozen, judged=True)


class UntrainedConfig(LossTermConfig):
    """Parameters and nobody who trains them."""

    kind: Literal["acme.untrained"] = "acme.untrained"

    def build(self):
        return Pulling(1)


class LearnedConfig(GaussianConfig):
    """A prior that nobody teaches."""

    kind: Literal["acme.learned"] = "acme.learned"
    trained_by: ClassVar[tuple[str, ...]] = ("generatr",)


class ReaderConfig(AuxiliaryConfig):
    """An auxiliary of the discriminator."""

    kind: Literal["acme.reader"] = "acme.reader"
    trained_by: ClassVar[tuple[str, ...]] = ("discriminator",)

    def build(self, sees, parts):
        return Auxiliary()


class EmptyConfig(NetworkConfig):
    """A network without parameters that learn."""

    kind: Literal["acme.empty"] = "acme.empty"

    def build(self, sees, gives):
        return Mlp(sees, gives, hidden=(3,)).requires_grad_(False)


REGISTRY = registry_of(
    OpenConfig, SaidConfig, AddingConfig, BareConfig, UntrainedConfig, LearnedConfig, ReaderConfig, EmptyConfig
)


def refused(**blocks: Any) -> str:
    with pytest.raises(SpecError) as raised:
        loading.parse({**SPEC, "losses": [GAME], **blocks}, REGISTRY)
    return str(raised.value).removeprefix("spec: ")


def failed(folder: Path, **blocks: Any) -> list[str | None]:
    spec = {**SPEC, "losses": [GAME], **blocks}
    experiment = Experiment.from_spec(spec, folder=folder, registry=REGISTRY, warn=lambda _: None, track=False)
    return [outcome.error for outcome in experiment.run([0]).outcomes.values()]


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (
            {"losses": [GAME, {"kind": "acme.said"}]},
            "losses.1: acme.said is trained by player 'nobody', whom no loss serves: losses serve discriminator, "
            "generator",
        ),
        (
            {"losses": [GAME, {"kind": "acme.adding"}]},
            "losses.1: acme.adding adds player 'genrator', whom no loss serves (did you mean 'generator'?): losses "
            "serve discriminator, generator",
        ),
        (
            {"prior": {"kind": "acme.learned"}},
            "prior: acme.learned is trained by player 'generatr', whom no loss serves (did you mean 'generator'?): "
            "losses serve discriminator, generator",
        ),
        (
            {"discriminator": None, "losses": [{"kind": "acme.adding"}], "auxiliaries": {"e": {"kind": "acme.reader"}}},
            "losses.0: acme.adding adds player 'genrator', whom no loss serves (did you mean 'generator'?): losses "
            "serve generator\n"
            "spec: auxiliaries.e: acme.reader is trained by the discriminator alone, which this spec does not have, so "
            "it never learns: add discriminator: {kind: mlp}, or leave it out",
        ),
    ],
)
def test_a_player_whom_no_loss_serves_is_refused_where_it_is_named(blocks: Any, message: str) -> None:
    assert refused(**blocks) == message


def test_a_player_whom_no_loss_serves_is_named_when_losses_are_built(tmp_path: Path) -> None:
    assert failed(tmp_path, losses=[GAME, {"kind": "acme.open"}]) == [
        "acme.open (allmodes-acme 1.0): is trained by player 'nobody', whom no loss serves: losses serve "
        "discriminator, generator"
    ]


def test_a_player_without_parameters_is_named_with_who_brings_it(tmp_path: Path) -> None:
    assert failed(tmp_path, losses=[GAME, {"kind": "acme.bare"}]) == [
        "acme.bare (allmodes-acme 1.0): is trained by player 'judge', which trains losses/acme.bare, where no "
        "parameter learns"
    ]


@pytest.mark.parametrize("place", ["generator", "discriminator"])
def test_a_network_without_parameters_that_learn_is_named(tmp_path: Path, place: str) -> None:
    assert failed(tmp_path, **{place: {"kind": "acme.empty"}}) == [
        f"{place} (acme.empty, allmodes-acme 1.0): player {place!r} trains {place}, where no parameter learns"
    ]


def test_parameters_that_nobody_trains_are_named(tmp_path: Path) -> None:
    assert failed(tmp_path, losses=[GAME, {"kind": "acme.untrained"}]) == [
        "loss acme.untrained (allmodes-acme 1.0): nobody trains its w.0: name their players in trained_by of its "
        "config, or freeze them with requires_grad_(False)"
    ]


def test_a_frozen_parameter_of_a_loss_stays_frozen() -> None:
    spec = loading.parse({**SPEC, "losses": [GAME, {"kind": "acme.bare", "parameters": 2, "frozen": True}]}, REGISTRY)
    composition = compose(spec, spec.data.build(), 0)
    assert list(composition.named_parameters("judge")) == ["losses/acme.bare:w.0"]
