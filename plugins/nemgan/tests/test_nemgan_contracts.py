"""NEMGAN's parts keep the contracts of their slots."""

from allmodes.testing import (
    AuxiliaryContract,
    LossTermContract,
    MetricContract,
    NetworkContract,
    PriorContract,
    RecipeContract,
)
from allmodes_nemgan import (
    AttributesConfig,
    CriticConfig,
    EncoderConfig,
    GeneratorConfig,
    InvarianceConfig,
    InverterConfig,
    LatentInversionConfig,
    ModeMixtureConfig,
    PriorErrorConfig,
    PriorMatchingConfig,
    SparseSupervisionConfig,
)

RECIPE = "nemgan/ring-imbalanced"


class TestFixedModes(PriorContract):
    config = ModeMixtureConfig(dim=6, modes=4, weights=(1, 2, 3, 4))


class TestLearnedModes(PriorContract):
    config = ModeMixtureConfig(dim=6, modes=4, weights="learned")


class TestInverter(AuxiliaryContract):
    config = InverterConfig()
    parts = {"code": 5, "mode": 3, "noise": 5}


class TestCosineInverter(AuxiliaryContract):
    config = InverterConfig(head="cosine")
    parts = {"code": 5, "mode": 3, "noise": 5}


class TestGenerator(NetworkContract):
    config = GeneratorConfig()
    sees, gives = ((6,),), (1, 8, 8)


class TestCritic(NetworkContract):
    config = CriticConfig()
    sees, gives = ((1, 8, 8),), (1,)


class TestEncoder(NetworkContract):
    config = EncoderConfig()
    sees, gives = ((1, 8, 8),), (6,)


class TestLatentInversion(LossTermContract):
    config = LatentInversionConfig()
    recipe = RECIPE
    reaches = {"inversion": {"generator", "inverter"}}


class TestPriorMatching(LossTermContract):
    config = PriorMatchingConfig(start=300)
    recipe = RECIPE
    reaches = {"prior": {"prior"}}


class TestSampledPriorMatching(LossTermContract):
    config = PriorMatchingConfig(start=300, estimator="sampled")
    recipe = RECIPE
    reaches = {"prior": {"prior"}}


class TestSparseSupervision(LossTermContract):
    config = SparseSupervisionConfig()
    recipe = RECIPE
    reaches = {"supervision": {"inverter"}}


class TestPriorError(MetricContract):
    config = PriorErrorConfig()
    recipe = RECIPE


class TestAttributes(MetricContract):
    config = AttributesConfig()
    recipe = RECIPE


class TestRing(RecipeContract):
    recipe = RECIPE


class TestInvariance(LossTermContract):
    config = InvarianceConfig(rotation=0, shift=0, scale=0, noise=0.1)
    recipe = "nemgan/ring-imbalanced-unsupervised"
    overrides = ("training.schedule=alternating",)
    reaches = {"invariance": {"inverter"}}


class TestInvarianceOfImages(LossTermContract):
    config = InvarianceConfig()
    recipe = "nemgan/digits"
    overrides = ("generator.hidden=[8]", "discriminator.hidden=[8]", "auxiliaries.inverter.network.hidden=[8]")
    reaches = {"invariance": {"inverter"}}
