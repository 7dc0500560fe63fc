"""The conformance kit for authors of plugins: classes that pytest collects once a test subclasses them.

    from allmodes.testing import PriorContract

    class TestBump(PriorContract):
        config = BumpConfig(dim=3)

Each contract holds what the core asks of a kind, a test for each thing, and says what to do where one fails. Importing
this package loads torch and pytest, which `import allmodes` does not.
"""

from allmodes.testing.auxiliaries import AuxiliaryContract
from allmodes.testing.datasets import DatasetContract
from allmodes.testing.features import FeatureContract
from allmodes.testing.losses import LossTermContract
from allmodes.testing.metrics import MetricContract
from allmodes.testing.networks import NetworkContract
from allmodes.testing.priors import PriorContract
from allmodes.testing.recipes import RecipeContract

__all__ = [
    "AuxiliaryContract",
    "DatasetContract",
    "FeatureContract",
    "LossTermContract",
    "MetricContract",
    "NetworkContract",
    "PriorContract",
    "RecipeContract",
]
