"""The data keep the contract of data, and their recipes that of a recipe."""

from allmodes.testing import DatasetContract
from allmodes_benchmarks.configs.arcs import ArcsConfig
from allmodes_benchmarks.configs.mixture import RandomMixtureConfig
from allmodes_benchmarks.configs.roll import SwissRollConfig
from allmodes_benchmarks.configs.spirals import SpiralsConfig
from allmodes_benchmarks.configs.sprites import SpritesConfig


class TestMixture(DatasetContract):
    config = RandomMixtureConfig()


class TestEndlessMixture(DatasetContract):
    config = RandomMixtureConfig(items=None, dims=5, modes=(3, 4), width_ratio=3, weight_ratio=10)


class TestArcs(DatasetContract):
    config = ArcsConfig()


class TestEndlessArcs(DatasetContract):
    config = ArcsConfig(items=None, dims=5, segments=1)


class TestSpirals(DatasetContract):
    config = SpiralsConfig()


class TestSwissRoll(DatasetContract):
    config = SwissRollConfig(items=None)


class TestSprites(DatasetContract):
    config = SpritesConfig()


class TestEndlessSprites(DatasetContract):
    config = SpritesConfig(size=16, shapes=8, scales=2, items=None)
