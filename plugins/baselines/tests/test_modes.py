"""The latents with modes of several baselines: a mode may be held fixed, and a trained model draws from it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from allmodes import Experiment, Given, Prior, load_run, seeded
from allmodes_baselines.clustergan import ClusterLatent
from allmodes_baselines.deligan import MixtureOfGaussians
from allmodes_baselines.infogan import InfoLatent

PRIORS = [InfoLatent(2, 5, 1), ClusterLatent(2, 5), MixtureOfGaussians(3, 5)]
SHORT = ("training.iterations=2", "training.log_every=1", "evaluation.samples=20", "evaluation.metrics=[]", "seeds=[0]")


def modes(prior: Prior, n: int, given: Given) -> list[int]:
    with torch.no_grad():
        y = prior(seeded(0), n, given).part("mode")
    assert y.shape == (n, 5)
    assert set(y.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(y.sum(1), torch.ones(n))
    return y.argmax(1).tolist()


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: type(prior).__name__)
def test_a_mode_is_drawn_evenly_or_given_as_a_number_or_as_one_for_each_draw(prior: Prior) -> None:
    shares = np.bincount(modes(prior, 20_000, {}), minlength=5) / 20_000
    assert shares == pytest.approx(np.full(5, 0.2), abs=0.015)
    assert modes(prior, 4, {"mode": 3}) == [3, 3, 3, 3]
    assert modes(prior, 3, {"mode": torch.tensor([4, 0, 2])}) == [4, 0, 2]


@pytest.mark.parametrize("recipe", ["infogan-ring", "deligan-ring", "clustergan-ring"])
def test_a_trained_model_draws_from_one_mode(recipe: str, tmp_path: Path) -> None:
    overrides = [*SHORT, "evaluation.figure=false"]
    results = Experiment.from_recipe(f"baselines/{recipe}", overrides, track=False, folder=tmp_path).run()
    model = load_run(results.folder)
    assert torch.equal(model.sample(5, mode=1), model.sample(5, mode=torch.ones(5).long()))
    assert not torch.equal(model.sample(5, mode=1), model.sample(5, mode=2))
