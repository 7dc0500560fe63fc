"""The numbers that we claim for NEMGAN: minutes to hours, run by hand with `pytest -m slow`."""

from pathlib import Path

import pytest

from allmodes import Experiment
from allmodes.testing import each_at_least, each_at_most
from allmodes_nemgan.ideal import TRUE, settle

pytestmark = pytest.mark.slow


def test_five_labels_a_mode_teach_the_priors_of_an_imbalanced_ring_for_every_seed(tmp_path: Path) -> None:
    results = Experiment.from_recipe("nemgan/ring-imbalanced", folder=tmp_path, track=False).run()
    each_at_least(results, "modes", 8)
    each_at_most(results, "prior_error", 0.03)
    each_at_least(results, "acc_argmax", 0.95)


@pytest.mark.parametrize("name", TRUE)
def test_the_analytic_estimator_settles_at_the_true_shares_however_rare_a_mode_is(name: str) -> None:
    found = settle(TRUE[name], "analytic", 3000)
    assert max(abs(a - b) for a, b in zip(found.tolist(), TRUE[name], strict=True)) < 0.01


def test_counting_an_empty_mode_as_half_a_draw_keeps_the_released_estimator_near_a_mode_of_one_percent() -> None:
    assert 0.008 < settle(TRUE["99:1"], "sampled", 3000)[1] < 0.016
