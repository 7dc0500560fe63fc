"""The methods' updates are one function of state, batch and noise: eager ones equal those under vmap over two seeds."""

from collections.abc import Callable
from typing import Any

import pytest

from allmodes import installed
from allmodes.compose import compose
from allmodes.composition import Composition
from allmodes.specs import load
from test_contracts import assert_equal_updates, seed_run, stacked_run

SMALL = ("generator.hidden=[6]", "discriminator.hidden=[6]", "prior.dim=3", "training.optimizers={}")
PERCEPTRON = "{kind: mlp, hidden: [6]}"
# In float32 the two ways of summing differ in the last bits, which Adam at eps 1e-8 and tiny gradients would blow up.
ADAM = "training.optimizer={kind: adam, lr: 0.01, betas: [0.5, 0.9], eps: 0.001}"
RECIPES = {
    "unrolled-ring": (),
    "ali-ring": ("discriminator.activation=tanh", f"auxiliaries.encoder.network={PERCEPTRON}"),
    "bigan-ring": ("discriminator.activation=tanh", f"auxiliaries.encoder.network={PERCEPTRON}"),
    "msgan-ring": (),
    "pacgan2-ring": (),
    "wgangp-ring": ("generator.activation=tanh", "discriminator.activation=tanh"),
    "r3gan-ring": ("generator.activation=tanh", "discriminator.activation=tanh"),
}


def composing(name: str) -> Callable[[], Composition]:
    spec: Any = load(f"baselines/{name}", installed(), (*SMALL, ADAM, *RECIPES[name]))
    return lambda: compose(spec, spec.data.build(), seed=0)


@pytest.mark.parametrize("name", RECIPES)
def test_eager_updates_equal_vmapped_updates_over_two_seeds(name: str) -> None:
    runs = [seed_run(composing(name), seed) for seed in (0, 1)]
    assert_equal_updates(runs, stacked_run(runs))
