"""A fault of a kind within a kind: the kind around it is named, and the one whose code it is."""

from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import nn

from allmodes import Game, Latent, LossTermConfig, NetworkConfig, Prior, PriorConfig
from allmodes.builtin.networks import Mlp
from allmodes.testing import NetworkContract
from faulty import ForwardMlp, held, registry_of
from nested import KINDS, ScaledConfig
from test_faults import Tried


class InnerConfig(NetworkConfig):
    """A network within another."""

    kind: Literal["acme.inner"] = "acme.inner"
    fault: str = ""

    def build(self, sees, gives):
        if self.fault == "dependency":
            import allmodes_absent  # noqa: F401
        network = Mlp(sees, (7,) if self.fault == "seven" else gives, hidden=(5,))
        if self.fault == "shapes":
            network.trunk = nn.Linear(7, 5)
        if self.fault == "forward":
            return ForwardMlp(sees, gives, hidden=(5,))
        return None if self.fault == "nothing" else network


class InnerGameConfig(LossTermConfig):
    """A game within another."""

    kind: Literal["acme.inner_game"] = "acme.inner_game"
    is_game: ClassVar[bool] = True
    fault: str = ""

    def build(self):
        return None if self.fault == "nothing" else InnerGame(self.fault)


class InnerGame(Game):
    def __init__(self, fault):
        super().__init__()
        self.fault = fault

    def discriminator(self, step):
        if self.fault == "raises":
            raise ValueError("no")
        return step.score("real").mean()

    def generator(self, step):
        return None if self.fault == "none" else step.score("fake").mean()


class InnerPriorConfig(PriorConfig):
    """A prior within another."""

    kind: Literal["acme.inner_prior"] = "acme.inner_prior"
    fault: str = ""

    def parts(self):
        return {"code": 2}

    def build(self):
        return 5 if self.fault == "number" else InnerPrior(self.fault)


class InnerPrior(Prior):
    def __init__(self, fault):
        super().__init__()
        self.fault, self.dim, self.sizes = fault, 2, {"code": 2}

    def forward(self, noise, n, given=None):
        if self.fault == "raises":
            raise ValueError("no")
        return Latent(noise.normal("code", n + (self.fault == "rows"), 2))


INNER = (InnerConfig, InnerGameConfig, InnerPriorConfig)


def errors(folder: Path, **blocks: Any) -> set[str | None]:
    return set(Tried(folder, *KINDS, *INNER, **blocks).errors)


D = "loss non_saturating of player 'discriminator' (allmodes 0.1.0): forward of"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (
            "nothing",
            "build of discriminator acme.scaled (allmodes-acme 1.0): build of acme.inner (allmodes-acme 1.0): returns "
            "None, which is no Network",
        ),
        (
            "dependency",
            "build of discriminator acme.scaled (allmodes-acme 1.0): build of acme.inner (allmodes-acme 1.0): "
            "ModuleNotFoundError: No module named 'allmodes_absent': install the package that it is in, such as: pip "
            "install allmodes_absent",
        ),
        (
            "shapes",
            f"{D} discriminator on (8, 2) (acme.scaled, allmodes-acme 1.0): forward of acme.inner (allmodes-acme 1.0): "
            "RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x2 and 7x5)",
        ),
        (
            "seven",
            f"{D} discriminator on (8, 2) (acme.scaled, allmodes-acme 1.0): around acme.inner (allmodes-acme 1.0): "
            "gives scores of shape (8, 7): a discriminator gives one number for each",
        ),
    ],
)
def test_a_network_within_a_network_is_named(tmp_path: Path, fault: str, error: str) -> None:
    inner = {"kind": "acme.inner", "fault": fault}
    assert errors(tmp_path, discriminator={"kind": "acme.scaled", "network": inner}) == {error}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (
            "raises",
            "loss acme.top_k of player 'discriminator' (allmodes-acme 1.0): discriminator of acme.inner_game "
            "(allmodes-acme 1.0): ValueError: no",
        ),
        (
            "none",
            "loss acme.top_k of player 'generator' (allmodes-acme 1.0): around acme.inner_game (allmodes-acme 1.0): "
            "returns None: return a tensor of one number ()",
        ),
        (
            "nothing",
            "build of loss acme.top_k (allmodes-acme 1.0): build of acme.inner_game (allmodes-acme 1.0): returns None, "
            "which is no LossTerm",
        ),
    ],
)
def test_a_game_within_a_loss_is_named(tmp_path: Path, fault: str, error: str) -> None:
    game = {"kind": "acme.inner_game", "fault": fault}
    assert errors(tmp_path, losses=[{"kind": "acme.top_k", "game": game}]) == {error}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (
            "raises",
            f"{D} prior (acme.truncated, allmodes-acme 1.0): forward of acme.inner_prior (allmodes-acme 1.0): "
            "ValueError: no",
        ),
        (
            "rows",
            f"{D} prior (acme.truncated, allmodes-acme 1.0): around acme.inner_prior (allmodes-acme 1.0): gives z of "
            "shape (9, 2), where (8, 2) is needed",
        ),
        (
            "number",
            "build of prior acme.truncated (allmodes-acme 1.0): build of acme.inner_prior (allmodes-acme 1.0): returns "
            "5, which is no Prior",
        ),
    ],
)
def test_a_prior_within_a_prior_is_named(tmp_path: Path, fault: str, error: str) -> None:
    inner = {"kind": "acme.inner_prior", "fault": fault}
    assert errors(tmp_path, prior={"kind": "acme.truncated", "prior": inner}) == {error}


class TwiceConfig(ScaledConfig):
    """Calls the build that it overrides."""

    kind: Literal["acme.twice"] = "acme.twice"

    def build(self, sees, gives):
        return super().build(sees, gives)


def test_a_build_is_guarded_once_and_within_itself_never(tmp_path: Path) -> None:
    registry_of(*KINDS, TwiceConfig), registry_of(*KINDS, TwiceConfig)
    assert errors(tmp_path, prior={"kind": "gaussian", "dim": 2}) == {None}
    config = TwiceConfig(network=InnerConfig(fault="dependency"))
    with pytest.raises(ModuleNotFoundError) as raised:
        config.build(((2,),), (1,))
    assert raised.value.__notes__ == [
        "build of acme.inner (allmodes-acme 1.0)",
        "build of acme.twice (allmodes-acme 1.0)",
    ]
    assert TwiceConfig().build(((2,),), (1,))(torch.zeros(3, 2)).shape == (3, 1)


UNCALLED = (
    "ForwardMlp overrides forward, which is never called here: the output is head(trunk(*inputs)), so do in trunk and "
    "head what forward does"
)


def test_a_forward_that_is_never_called_is_refused(tmp_path: Path) -> None:
    network = {"kind": "acme.inner", "fault": "forward"}
    called = "(acme.inner, allmodes-acme 1.0)"
    assert errors(tmp_path / "d", discriminator=network) == {f"discriminator {called}: {UNCALLED}"}
    assert errors(tmp_path / "g", generator=network) == {None}
    around = "build of generator acme.scaled (allmodes-acme 1.0): network within"
    scaled = {"kind": "acme.scaled", "network": network}
    assert errors(tmp_path / "w", generator=scaled) == {f"{around} {called}: {UNCALLED}"}
    contract = held(NetworkContract, InnerConfig(fault="forward"))
    with pytest.raises(AssertionError) as raised:
        contract.test_forward_is_its_head_after_its_trunk()
    assert str(raised.value).partition("\nassert")[0] == (
        "acme.inner: ForwardMlp overrides forward, which a discriminator never calls: its score is "
        "head(trunk(*inputs)), so do in trunk and head what forward does"
    )
