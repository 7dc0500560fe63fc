"""The parts keep the contracts of their slots, their recipes that of a recipe, and their files are short."""

from pathlib import Path

import pytest

import allmodes_modern
from allmodes import MlpConfig
from allmodes.testing import AuxiliaryContract, LossTermContract, NetworkContract, RecipeContract
from allmodes_modern.configs.coupling import CouplingConfig
from allmodes_modern.configs.drifting import DriftingConfig
from allmodes_modern.configs.pairing import MatcherConfig, PairingConfig
from allmodes_modern.configs.rs_imle import RejectionImleConfig
from allmodes_modern.configs.switch import SwitchConfig
from allmodes_modern.configs.transport import TransportConfig
from allmodes_modern.configs.uotm import UotmConfig

ALONE = ("generator={kind: mlp, hidden: [8]}",)
FEW = ("generator={kind: modern.switch, experts: 3, network: {kind: mlp, hidden: [8]}}", "data.items=32")
SMALL = (*ALONE, "discriminator.hidden=[8]")
FOLDER = Path(allmodes_modern.__file__).parent
PARTS = {"coupling": "switch"}
"""Methods that are shown in recipes of another."""
METHODS = sorted(path.stem for path in (FOLDER / "configs").glob("[!_]*.py"))


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_at_most_80_lines(method: str) -> None:
    text = "\n".join(path.read_text("utf-8") for path in (FOLDER / f"{method}.py", FOLDER / f"configs/{method}.py"))
    assert len([line for line in text.splitlines() if line.strip()]) <= 80


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_recipes_on_ring_and_grid(method: str) -> None:
    recipes = {path.stem for path in (FOLDER / "recipes" / "modern").iterdir()}
    name = PARTS.get(method, method).replace("_", "")
    assert {f"{name}-ring", f"{name}-grid"} <= recipes


class TestDrifting(LossTermContract):
    config = DriftingConfig()
    recipe, overrides = "modern/drifting-ring", ALONE
    reaches = {"generator": {"generator"}}


class TestPlainDrifting(LossTermContract):
    config = DriftingConfig(temperatures=(0.5,), normalize=False)
    recipe, overrides = "modern/drifting-ring", ALONE
    reaches = {"generator": {"generator"}}


class TestRejectionImle(LossTermContract):
    config = RejectionImleConfig(candidates=3, epsilon=0.01)
    recipe, overrides = "modern/rsimle-ring", ALONE
    reaches = {"generator": {"generator"}}


class TestDriftingBesideAGame(LossTermContract):
    config = DriftingConfig()
    recipe, overrides = "gan/ring", (*SMALL, "discriminator.pack=2", "prior.dim=3")
    reaches = {"generator": {"generator"}}


class TestRejectionImleBesideAGame(LossTermContract):
    config = RejectionImleConfig(candidates=2, epsilon=0)
    recipe, overrides = "gan/ring", (*SMALL, "discriminator.pack=2", "prior.dim=3")
    reaches = {"generator": {"generator"}}


class TestSwitch(NetworkContract):
    config = SwitchConfig(experts=3, network=MlpConfig(hidden=(8,)))
    sees = ((5,),)


class TestCoupling(LossTermContract):
    config = CouplingConfig(block=8, refit=2)
    recipe, overrides = "modern/switch-ring", FEW
    reaches = {"generator": {"generator"}}


class TestTransport(LossTermContract):
    config = TransportConfig()
    recipe, overrides = "modern/transport-ring", SMALL
    reaches = {"generator": {"generator"}}


class TestMatcher(AuxiliaryContract):
    config = MatcherConfig(network=MlpConfig(hidden=(8,)))


class TestPairing(LossTermContract):
    config = PairingConfig()
    recipe, overrides = "modern/pairing-ring", SMALL
    reaches = {"generator": {"generator", "matcher"}}


class TestUotm(LossTermContract):
    config = UotmConfig()
    recipe, overrides = "modern/uotm-ring", SMALL
    reaches = {"discriminator": {"discriminator"}, "generator": {"generator"}}


class TestPackedUotm(LossTermContract):
    config = UotmConfig(source="chi2", target="softplus")
    recipe, overrides = "modern/uotm-ring", (*SMALL, "discriminator.pack=2")


class TestOtm(LossTermContract):
    config = UotmConfig(source="identity", target="identity")
    recipe, overrides = "modern/uotm-ring", SMALL


class TestDriftingRing(RecipeContract):
    recipe, overrides = "modern/drifting-ring", ALONE


class TestRejectionImleRing(RecipeContract):
    recipe, overrides = "modern/rsimle-ring", ALONE


class TestTransportRing(RecipeContract):
    recipe, overrides = "modern/transport-ring", SMALL


class TestPairingRing(RecipeContract):
    recipe, overrides = "modern/pairing-ring", SMALL


class TestUotmRing(RecipeContract):
    recipe, overrides = "modern/uotm-ring", SMALL


class TestSwitchRing(RecipeContract):
    recipe, overrides = "modern/switch-ring", FEW
