"""The numbers that we claim for VEEGAN: minutes to hours, run by hand with `pytest -m slow`."""

from pathlib import Path

import pytest

from allmodes import Experiment

pytestmark = pytest.mark.slow


def test_the_demo_captures_every_mode_of_the_ring(tmp_path: Path) -> None:
    results = Experiment.from_recipe("veegan/demo", folder=tmp_path, track=False).run([0, 1])
    assert results.values("modes") == [8, 8]
    assert min(results.values("high_quality")) > 0.5


def test_the_notebooks_grid_reaches_the_papers_modes_and_quality(tmp_path: Path) -> None:
    """24.6 modes and 40 % lie within two standard errors of the mean of three seeds, or are exceeded."""
    results = Experiment.from_recipe("veegan/grid", folder=tmp_path, track=False).run([0, 1, 2])
    for metric, papers in (("modes", 24.6), ("high_quality", 0.40)):
        assert results.mean(metric) + 2 * results.standard_error(metric) >= papers
