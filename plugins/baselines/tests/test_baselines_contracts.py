"""The baselines' parts keep the contracts of their slots, and their recipes that of a recipe."""

from allmodes import MlpConfig
from allmodes.testing import (
    AuxiliaryContract,
    LossTermContract,
    NetworkContract,
    PriorContract,
    RecipeContract,
    SamplerContract,
)
from allmodes_baselines.configs.ali import AliConfig, EncoderConfig
from allmodes_baselines.configs.began import AutoencoderConfig, BeganConfig
from allmodes_baselines.configs.clustergan import ClusterEncoderConfig, ClusterInversionConfig, ClusterLatentConfig
from allmodes_baselines.configs.d2gan import D2ganConfig, TwinsConfig
from allmodes_baselines.configs.deligan import MixtureOfGaussiansConfig, WidthConfig
from allmodes_baselines.configs.dragan import DraganConfig
from allmodes_baselines.configs.gdpp import DeterminantalConfig
from allmodes_baselines.configs.hinge import HingeConfig
from allmodes_baselines.configs.infogan import InfoLatentConfig, InformationConfig, QHeadConfig
from allmodes_baselines.configs.lsgan import LeastSquaresConfig
from allmodes_baselines.configs.mgan import ClassifierConfig, WhichGeneratorConfig
from allmodes_baselines.configs.mrgan import ModeRegularizerConfig
from allmodes_baselines.configs.msgan import ModeSeekingConfig
from allmodes_baselines.configs.rejection import RejectionConfig
from allmodes_baselines.configs.replay import ReplayConfig
from allmodes_baselines.configs.selfcond import ClustersConfig, ClusterSharesConfig, MaskedConfig
from allmodes_baselines.configs.topk import TopKConfig
from allmodes_baselines.configs.unrolled import UnrolledConfig
from allmodes_baselines.configs.wgan import ClippingConfig

MLP = MlpConfig(hidden=(8,))
G = "generator={kind: mlp, hidden: [8]}"
SMALL = (G, "discriminator.hidden=[8]")
TWINS = (G, "discriminator.network.hidden=[8]")
AUTOENCODER = (G, "discriminator.encoder.hidden=[8]", "discriminator.decoder.hidden=[8]")
CLUSTERED = (
    G, "discriminator.network={kind: mlp, hidden: [8]}", "auxiliaries.clusters.network={kind: mlp, hidden: [8]}",
    "auxiliaries.clusters.items=60", "auxiliaries.clusters.refit=2", "prior.modes=4",
)  # fmt: skip


class TestInfoLatent(PriorContract):
    config = InfoLatentConfig(noise_dim=3, modes=4, style_dim=2)


class TestMixtureOfGaussians(PriorContract):
    config = MixtureOfGaussiansConfig(dim=3, modes=4)


class TestClusterLatent(PriorContract):
    config = ClusterLatentConfig(noise_dim=3, modes=4)


class TestClusterShares(PriorContract):
    config = ClusterSharesConfig(noise_dim=3, modes=4)


class TestAutoencoder(NetworkContract):
    config = AutoencoderConfig(code=2, encoder=MLP, decoder=MLP)
    gives = (1,)


class TestJointAutoencoder(NetworkContract):
    config = AutoencoderConfig(code=2, encoder=MLP, decoder=MLP, eta=2)
    sees, gives = ((1, 4, 4), (3,)), (1,)


class TestTwins(NetworkContract):
    config = TwinsConfig(network=MLP)
    gives = (1,)


class TestMasked(NetworkContract):
    config = MaskedConfig(network=MLP)
    sees, gives = ((2,), (3,)), (1,)


class TestClusters(AuxiliaryContract):
    config = ClustersConfig(network=MLP)
    parts = {"code": 4}


class TestClassifier(AuxiliaryContract):
    config = ClassifierConfig(network=MLP)
    parts = {"code": 7, "noise": 3, "mode": 4}


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


class TestHinge(LossTermContract):
    config = HingeConfig()
    recipe, overrides = "baselines/hinge-ring", SMALL


class TestLeastSquares(LossTermContract):
    config = LeastSquaresConfig(a=-1, b=1, c=0)
    recipe, overrides = "baselines/lsgan-ring", SMALL


class TestD2gan(LossTermContract):
    config = D2ganConfig()
    recipe, overrides = "baselines/d2gan-ring", TWINS


class TestWhichGenerator(LossTermContract):
    config = WhichGeneratorConfig()
    recipe, overrides = "baselines/mgan-ring", SMALL
    reaches = {"discriminator": {"discriminator", "classifier"}, "generator": {"generator"}}


class TestBegan(LossTermContract):
    config = BeganConfig()
    recipe, overrides = "baselines/began-ring", AUTOENCODER


class TestClipping(LossTermContract):
    config = ClippingConfig()
    recipe, overrides = "baselines/wgan-ring", SMALL


class TestDragan(LossTermContract):
    config = DraganConfig()
    recipe, overrides = "baselines/dragan-ring", SMALL


class TestModeRegularizer(LossTermContract):
    config = ModeRegularizerConfig()
    recipe, overrides = "baselines/mrgan-ring", SMALL
    reaches = {"generator": {"generator", "encoder"}}


class TestTopK(LossTermContract):
    config = TopKConfig(game=UnrolledConfig(updates=2), epoch=1)
    recipe, overrides = "baselines/topk-ring", SMALL


class TestReplay(LossTermContract):
    config = ReplayConfig(game=HingeConfig(), size=20)
    recipe, overrides = "baselines/replay-ring", SMALL


class TestD2ganRing(RecipeContract):
    recipe, overrides = "baselines/d2gan-ring", TWINS


class TestBeganRing(RecipeContract):
    recipe, overrides = "baselines/began-ring", AUTOENCODER


class TestMganRing(RecipeContract):
    recipe, overrides = "baselines/mgan-ring", SMALL


class TestSelfcondRing(RecipeContract):
    recipe, overrides = "baselines/selfcond-ring", CLUSTERED


class TestReplayRing(RecipeContract):
    recipe, overrides = "baselines/replay-ring", (*SMALL, "losses.0.size=50")


class TestWganRing(RecipeContract):
    recipe, overrides = "baselines/wgan-ring", SMALL


class TestRejection(SamplerContract):
    config = RejectionConfig(draws=500)
    recipe, overrides = "baselines/pacgan2-ring", SMALL


class TestJointRejection(SamplerContract):
    config = RejectionConfig(draws=500, percentile=80)
    recipe, overrides = "baselines/ali-ring", SMALL


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
