"""Every wrapper keeps the contract of its slot around any kind, and wrappers around wrappers do."""

from typing import Any

import pytest
import torch

from allmodes import DcganConfig, GaussianConfig, MlpConfig, UniformConfig
from allmodes.testing import NetworkContract, PriorContract, RecipeContract, check_turns_under_vmap, compose, take_turn
from allmodes_baselines.configs.augment import AdaConfig, DiffAugmentConfig
from allmodes_baselines.configs.channels import ChannelsConfig
from allmodes_baselines.configs.deligan import MixtureOfGaussiansConfig
from allmodes_baselines.configs.diffusion import DiffusionConfig
from allmodes_baselines.configs.fourier import FourierConfig
from allmodes_baselines.configs.generators import GeneratorsConfig, ModesConfig
from allmodes_baselines.configs.instance_noise import InstanceNoiseConfig
from allmodes_baselines.configs.minibatch_std import MinibatchStdConfig
from allmodes_baselines.configs.residual import ResidualConfig
from allmodes_baselines.configs.spectral_norm import SpectralNormConfig
from allmodes_baselines.configs.truncated import TruncatedConfig

MLP = MlpConfig(hidden=(8,), activation="tanh")
DCGAN = DcganConfig(channels=2, batch_norm=False)
IMAGE = (1, 16, 16)


class TestSpectralNorm(NetworkContract):
    config = SpectralNormConfig(network=MLP)


class TestSpectralNormOfConvolutions(NetworkContract):
    config = SpectralNormConfig(network=DCGAN)
    sees, gives = (IMAGE,), (1,)


class TestSpectralNormOfTransposedConvolutions(NetworkContract):
    config = SpectralNormConfig(network=DCGAN)
    sees, gives = ((3,),), IMAGE


class TestMinibatchStd(NetworkContract):
    config = MinibatchStdConfig(network=MLP, hidden=8)


class TestMinibatchStdOfConvolutions(NetworkContract):
    config = MinibatchStdConfig(network=DCGAN, hidden=8)
    sees, gives = (IMAGE, (3,)), (1,)


class TestResidual(NetworkContract):
    config = ResidualConfig(network=MLP)
    sees = ((3,),)


class TestResidualUnderSpectralNorm(NetworkContract):
    config = SpectralNormConfig(network=ResidualConfig(network=MLP))


class TestFourier(NetworkContract):
    config = FourierConfig(network=MLP, frequencies=5)
    sees = ((2,), (3,))


class TestGenerators(NetworkContract):
    config = GeneratorsConfig(network=MLP, k=3)
    sees = ((5,),)


class TestGeneratorsOfImages(NetworkContract):
    config = GeneratorsConfig(network=DCGAN, k=2, shared=True)
    sees, gives = ((5,),), IMAGE


class TestChannels(NetworkContract):
    config = ChannelsConfig(network=MLP, code=3, hidden=(6,))
    sees, gives = ((3, 16, 16), (3,)), (1,)


class TestChannelsGenerated(NetworkContract):
    config = ChannelsConfig(network=DCGAN, code=3, hidden=(6,))
    sees, gives = ((5,),), (3, 16, 16)


class TestDiffAugment(NetworkContract):
    config = DiffAugmentConfig(network=DCGAN)
    sees, gives = (IMAGE,), (1,)


class TestAda(NetworkContract):
    config = AdaConfig(network=MLP, transforms=("noise",))
    sees, gives = ((2,), (3,)), (1,)


class TestInstanceNoise(NetworkContract):
    config = InstanceNoiseConfig(network=MLP)


class TestDiffusion(NetworkContract):
    config = DiffusionConfig(network=DCGAN)
    sees, gives = (IMAGE,), (1,)


class TestAdaAroundSpectralNorm(NetworkContract):
    config = AdaConfig(network=SpectralNormConfig(network=FourierConfig(network=MLP)), transforms=("noise",))
    gives = (1,)


class TestModes(PriorContract):
    config = ModesConfig(prior=GaussianConfig(dim=2, nuisance_dim=1), modes=3)


class TestTruncated(PriorContract):
    config = TruncatedConfig(prior=UniformConfig(dim=3), bound=0.5)


class TestTruncatedTwice(PriorContract):
    config = TruncatedConfig(prior=TruncatedConfig(prior=GaussianConfig(dim=3), bound=2.0), bound=1.0, by="entries")


class TestTruncatedMixture(PriorContract):
    config = TruncatedConfig(prior=MixtureOfGaussiansConfig(dim=3, modes=4), bound=0.9)


class TestSamplesOfATruncatedMixture(PriorContract):
    config = TruncatedConfig(prior=MixtureOfGaussiansConfig(dim=3, modes=4), training=False)


class TestModesOfATruncatedLatent(PriorContract):
    config = ModesConfig(prior=TruncatedConfig(prior=GaussianConfig(dim=2)), modes=3)


class TestSnganRing(RecipeContract):
    recipe, overrides = "baselines/sngan-ring", ("discriminator.network.hidden=[8]",)


class TestResidualGrid(RecipeContract):
    recipe, overrides = "baselines/residual-grid", ("discriminator.network.network.hidden=[8]",)


# In a game, for one seed and for several at once


def network(kind: str, **settings: Any) -> dict[str, Any]:
    return {"kind": f"baselines.{kind}", "network": {"kind": "mlp", "hidden": [8], "activation": "tanh"}, **settings}


ADA = network("ada", transforms=["noise"], items=20)
COMPOSITIONS: dict[str, dict[str, Any]] = {
    "spectral norm in both": {"generator": network("spectral_norm"), "discriminator": network("spectral_norm")},
    "minibatch std": {
        "discriminator": network("minibatch_std", hidden=8),
        "losses": [{"kind": "non_saturating"}],
    },
    "residual": {"generator": network("residual"), "prior": {"kind": "gaussian", "dim": 3}},
    "fourier": {"discriminator": network("fourier"), "generator": network("fourier")},
    "generators": {"generator": network("generators", k=3), "prior": {"kind": "baselines.modes", "modes": 3}},
    "truncated": {"prior": {"kind": "baselines.truncated", "prior": {"kind": "gaussian", "dim": 2}}},
    "truncated mixture": {
        "prior": {"kind": "baselines.truncated", "prior": {"kind": "baselines.mixture_of_gaussians", "dim": 2}}
    },
    "ada": {"discriminator": ADA},
    "ada around spectral norm, packed": {
        "discriminator": {**ADA, "network": network("spectral_norm"), "pack": 2},
    },
    "spectral norm around ada": {"discriminator": network("spectral_norm", network=ADA)},
    "instance noise": {"discriminator": network("instance_noise", over=10)},
    "diffusion around ada": {"discriminator": network("diffusion", network=ADA)},
}


def spec(changes: dict[str, Any]) -> dict[str, Any]:
    mlp = {"kind": "mlp", "hidden": [8], "activation": "tanh"}
    return {
        "name": "wrapped",
        "data": {"kind": "ring"},
        "prior": {"kind": "gaussian", "dim": 2},
        "generator": mlp,
        "discriminator": mlp,
        "losses": [{"kind": "non_saturating"}, {"kind": "r1"}],
        "training": {"iterations": 2, "batch_size": 8, "device": "cpu"},
        **changes,
    }


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_turns_of_stacked_seeds_are_those_of_each_seed(name: str) -> None:
    check_turns_under_vmap(compose(spec(COMPOSITIONS[name])), 2)


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_turns_in_bfloat16_stay_finite(name: str) -> None:
    values = spec(COMPOSITIONS[name])
    composition = compose({**values, "training": {**values["training"], "precision": "bfloat16"}})
    for player in composition.players:
        take_turn(composition, player, torch.randn(8, 2, generator=torch.Generator().manual_seed(0)))
    for module in composition.modules.values():
        assert all(tensor.isfinite().all() for tensor in module.state_dict().values())


@pytest.mark.parametrize("discriminator", ["diff_augment", "ada", "diffusion"])
def test_turns_on_images_of_stacked_seeds_are_those_of_each_seed(discriminator: str) -> None:
    dcgan = {"kind": "dcgan", "channels": 2, "batch_norm": False}
    wrapped = {"kind": f"baselines.{discriminator}", "network": dcgan}
    if discriminator != "diffusion":
        wrapped["transforms"] = ["color", "translation", "cutout", "flip", "turn", "noise"]
    changes = {"data": {"kind": "digits"}, "generator": dcgan, "discriminator": wrapped}
    composition = compose(spec(changes))
    if discriminator == "ada":
        composition.modules["discriminator"].get_buffer("network.trunk.p").fill_(0.5)
    check_turns_under_vmap(composition, 1, 8, 8)
