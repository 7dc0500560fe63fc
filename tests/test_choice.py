"""Which engine `auto` takes, and why."""

from __future__ import annotations

import pytest

from allmodes.engine.choice import choose
from allmodes_schemas import TrainingConfig

UNMEASURED = "were not measured on CUDA"


@pytest.mark.parametrize(
    ("iterations", "lanes", "parameters", "device", "convolutions", "expected"),
    [
        (20, 1, 9_000, "cpu", False, ("eager", "one small run of 20 iterations: too short for another to pay")),
        (20, 10, 9_000, "cpu", False, ("eager", "10 small runs of 20 iterations: too short for another to pay")),
        (3_000, 1, 9_000, "cpu", False, ("eager", "one small run of 3,000 iterations: too short for another to pay")),
        (1_000, 2, 9_000, "cpu", False, ("eager", "2 small runs of 1,000 iterations: too short for another to pay")),
        (3_000, 3, 9_000, "cpu", False, ("stacked", "3 small runs of 3,000 iterations")),
        (160, 10, 9_000, "cpu", False, ("stacked", "10 small runs of 160 iterations")),
        (20_000, 10, 9_000, "cpu", False, ("compiled", "10 small runs of 20,000 iterations")),
        (19_000, 1, 9_000, "cpu", False, ("eager", "one small run of 19,000 iterations: too short for another to pay")),
        (20_000, 1, 9_000, "cpu", False, ("compiled", "one small run of 20,000 iterations")),
        (30_000, 10, 90_000, "cpu", False, ("eager", "with 11,520,000 products a pass others would save nothing")),
        (30_000, 10, 9_000, "cpu", True, ("eager", "convolutions of several runs at once are slower on a CPU")),
        (30_000, 10, 9_000, "cuda", False, ("graphed", "10 small runs of 30,000 iterations")),
        (1_300, 1, 9_000, "cuda", False, ("graphed", "one small run of 1,300 iterations")),
        (1_200, 1, 9_000, "cuda", False, ("eager", "one small run of 1,200 iterations: too short for another to pay")),
        (90_000, 1, 9_000, "cuda", True, ("eager", "convolutions of several runs at once save little on CUDA")),
        (30_000, 1, 90_000, "cuda", False, ("eager", f"with 11,520,000 products a pass others {UNMEASURED}")),
        (30_000, 1, 9_000, "mps", False, ("eager", "the others were not measured on mps")),
    ],
)
def test_auto_takes_what_pays(
    iterations: int, lanes: int, parameters: int, device: str, convolutions: bool, expected: tuple[str, str]
) -> None:
    training = TrainingConfig(iterations=iterations, batch_size=128)
    assert choose(training, device, lanes, parameters, convolutions) == expected


@pytest.mark.parametrize("engine", ["eager", "stacked", "compiled", "graphed"])
def test_an_engine_that_the_spec_names_is_taken(engine: str) -> None:
    training = TrainingConfig.model_validate({"engine": engine, "iterations": 1})
    assert choose(training, "cpu", 1, 10**9, True) == (engine, "the spec asks for it")
