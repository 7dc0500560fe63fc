"""The parts with which every mode is kept satisfy the contracts of their slots."""

from allmodes.testing import LossTermContract, NetworkContract, PriorContract, RecipeContract
from allmodes_bourgan import (
    AtlasConfig,
    ChartConfig,
    CompressedConfig,
    LocalConfig,
    LocalPenaltyConfig,
    PairingConfig,
    ResidualConfig,
)

FEW = ("data.items=256",)
RING = {"kind": "ring", "items": 256}


class TestAtlas(PriorContract):
    config = AtlasConfig()
    data = RING


class TestCompressed(PriorContract):
    config = CompressedConfig(charts=8)
    data = RING


class TestLocal(PriorContract):
    config = LocalConfig()
    data = RING


class TestResidual(NetworkContract):
    config = ResidualConfig()
    sees, gives = ((4,),), (2,)


class TestChart(NetworkContract):
    config = ChartConfig(code=8)
    sees, gives = ((2,),), (1,)


class TestLocalPenalty(LossTermContract):
    config = LocalPenaltyConfig()
    recipe, overrides = "bourgan/every-mode-ring", FEW
    reaches = {"discriminator": {"discriminator"}}


class TestPairing(LossTermContract):
    config = PairingConfig()
    recipe, overrides = "bourgan/every-mode-ring", FEW
    reaches = {"generator": {"generator"}}


class TestRing(RecipeContract):
    recipe, overrides = "bourgan/every-mode-ring", FEW


class TestGrid(RecipeContract):
    recipe, overrides = "bourgan/every-mode-grid", FEW


class TestTenDims(RecipeContract):
    recipe, overrides = "bourgan/every-mode-ten-dims", FEW
