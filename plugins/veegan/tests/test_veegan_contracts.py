"""VEEGAN's parts keep the contracts of their slots."""

from allmodes.testing import AuxiliaryContract, LossTermContract, RecipeContract
from allmodes_veegan import CodeReconstructionConfig, GameConfig, ReconstructorConfig


class TestReconstructor(AuxiliaryContract):
    config = ReconstructorConfig(code_noise=0.5)


class TestGame(LossTermContract):
    config = GameConfig()
    recipe = "veegan/demo"
    reaches = {"discriminator": {"discriminator"}, "generator": {"generator"}}  # no score reaches the reconstructor


class TestCodeReconstruction(LossTermContract):
    config = CodeReconstructionConfig(weight=0.5)
    recipe = "veegan/demo"
    reaches = {"generator": {"generator", "reconstructor"}}


class TestDemo(RecipeContract):
    recipe = "veegan/demo"
