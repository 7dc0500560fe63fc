"""The baselines' parts keep the contracts of their slots, and their recipes that of a recipe."""

from allmodes import MlpConfig
from allmodes.testing import AuxiliaryContract, LossTermContract, PriorContract, RecipeContract
from allmodes_baselines.configs.ali import AliConfig, EncoderConfig
from allmodes_baselines.configs.clustergan import ClusterEncoderConfig, ClusterInversionConfig, ClusterLatentConfig
from allmodes_baselines.configs.deligan import MixtureOfGaussiansConfig, WidthConfig
from allmodes_baselines.configs.gdpp import DeterminantalConfig
from allmodes_baselines.configs.infogan import InfoLatentConfig, InformationConfig, QHeadConfig
from allmodes_baselines.configs.msgan import ModeSeekingConfig
from allmodes_baselines.configs.unrolled import UnrolledConfig

MLP = MlpConfig(hidden=(8,))
SMALL = ("generator={kind: mlp, hidden: [8]}", "discriminator.hidden=[8]")


class TestInfoLatent(PriorContract):
    config = InfoLatentConfig(noise_dim=3, modes=4, style_dim=2)


class TestMixtureOfGaussians(PriorContract):
    config = MixtureOfGaussiansConfig(dim=3, modes=4)


class TestClusterLatent(PriorContract):
    config = ClusterLatentConfig(noise_dim=3, modes=4)


class TestAliEncoder(AuxiliaryContract):
    config = EncoderConfig(network=MLP)


class TestBiganEncoder(AuxiliaryContract):
    config = EncoderConfig(network=MLP, noise="none")


class TestClusterEncoder(AuxiliaryContract):
    config = ClusterEncoderConfig(network=MLP)
    parts = {"code": 7, "noise": 3, "mode": 4}


class TestQHead(AuxiliaryContract):
    config = QHeadConfig(network=MLP)
    parts = {"code": 9, "noise": 3, "mode": 4, "style": 2}


class TestUnrolled(LossTermContract):
    config = UnrolledConfig(updates=2)
    recipe, overrides = "baselines/unrolled-ring", SMALL


class TestAli(LossTermContract):
    config = AliConfig()
    recipe, overrides = "baselines/ali-ring", SMALL
    reaches = {"discriminator": {"discriminator"}, "generator": {"generator", "encoder"}}


class TestModeSeeking(LossTermContract):
    config = ModeSeekingConfig()
    recipe, overrides = "baselines/msgan-ring", SMALL
    reaches = {"generator": {"generator"}}


class TestInformation(LossTermContract):
    config = InformationConfig()
    recipe, overrides = "baselines/infogan-ring", SMALL
    reaches = {"discriminator": {"discriminator", "q"}, "generator": {"generator", "q"}}


class TestWidth(LossTermContract):
    config = WidthConfig()
    recipe, overrides = "baselines/deligan-ring", SMALL
    reaches = {"generator": {"prior"}}


class TestClusterInversion(LossTermContract):
    config = ClusterInversionConfig()
    recipe, overrides = "baselines/clustergan-ring", SMALL
    reaches = {"generator": {"generator", "encoder"}}


class TestDeterminantal(LossTermContract):
    config = DeterminantalConfig()
    recipe, overrides = "baselines/gdpp-ring", SMALL


class TestPacgan(RecipeContract):
    recipe, overrides = "baselines/pacgan2-ring", SMALL


class TestUnrolledRing(RecipeContract):
    recipe, overrides = "baselines/unrolled-ring", SMALL


class TestInfogan(RecipeContract):
    recipe, overrides = "baselines/infogan-ring", SMALL


class TestDeligan(RecipeContract):
    recipe, overrides = "baselines/deligan-ring", SMALL


class TestR3gan(RecipeContract):
    recipe, overrides = "baselines/r3gan-ring", SMALL
