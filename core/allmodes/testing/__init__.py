"""The kit for tests of a plugin: contracts to subclass, and steps of a spec to hold formulas to.

    from allmodes.testing import PriorContract

    class TestBump(PriorContract):
        config = BumpConfig(dim=3)

Each contract has a test for each thing that the core asks of a kind; its message says how to mend what fails.
`compose`, `make_step` and `take_turn` build what a loss term sees; `each_at_least` and its kin hold runs to numbers.
Importing this package loads torch and pytest, which `import allmodes` does not.
"""

from allmodes.game.composition import Composition
from allmodes.testing.auxiliaries import AuxiliaryContract
from allmodes.testing.claims import each_at_least, each_at_most, mean_at_least, mean_at_most
from allmodes.testing.datasets import DatasetContract
from allmodes.testing.features import FeatureContract
from allmodes.testing.interrupted import InterruptingObserver, equal_runs
from allmodes.testing.losses import LossTermContract
from allmodes.testing.metrics import MetricContract
from allmodes.testing.networks import NetworkContract
from allmodes.testing.priors import PriorContract
from allmodes.testing.randomness import own_randomness
from allmodes.testing.recipes import RecipeContract
from allmodes.testing.references import ReferenceContract
from allmodes.testing.samplers import SamplerContract
from allmodes.testing.steps import (
    check_turns_under_vmap,
    compose,
    find_gradients,
    load_spec,
    make_optimizers,
    make_step,
    take_turn,
)

__all__ = [
    "AuxiliaryContract",
    "Composition",
    "DatasetContract",
    "FeatureContract",
    "InterruptingObserver",
    "LossTermContract",
    "MetricContract",
    "NetworkContract",
    "PriorContract",
    "RecipeContract",
    "ReferenceContract",
    "SamplerContract",
    "check_turns_under_vmap",
    "compose",
    "each_at_least",
    "each_at_most",
    "equal_runs",
    "find_gradients",
    "load_spec",
    "make_optimizers",
    "make_step",
    "mean_at_least",
    "mean_at_most",
    "own_randomness",
    "take_turn",
]
