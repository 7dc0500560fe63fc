"""BourGAN's parts keep the contracts of their slots."""

from allmodes.testing import LossTermContract, MetricContract, PriorContract, RecipeContract
from allmodes_bourgan import DistanceConfig, DistancesConfig, MetricMixtureConfig

FEW = ("prior.subsample=64",)


class TestMixture(PriorContract):
    config = MetricMixtureConfig(subsample=64)


class TestMixtureWithModes(PriorContract):
    config = MetricMixtureConfig(subsample=64, modes=4)


class TestMixtureWithItems(PriorContract):
    config = MetricMixtureConfig(subsample=64, modes=4, std="neighbours", items=True)


class TestDistance(LossTermContract):
    config = DistanceConfig()
    recipe, overrides = "bourgan/ring", FEW
    reaches = {"generator": {"generator"}}


class TestDistanceWithinABatch(LossTermContract):
    config = DistanceConfig(pairs="within", metric="l1")
    recipe, overrides = "bourgan/ring", FEW
    reaches = {"generator": {"generator"}}


class TestDistances(MetricContract):
    config = DistancesConfig()
    recipe, overrides = "bourgan/ring", FEW


class TestRing(RecipeContract):
    recipe, overrides = "bourgan/ring", FEW
