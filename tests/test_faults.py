"""Faulty components: each is named with kind, distribution and version, and the next seed is trained all the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from allmodes import Experiment
from allmodes.registry import faults
from allmodes.runs.results import Results
from allmodes.runs.run_folder import RunFolder
from faulty import PullConfig, registry_of
from tiny import SPEC

SHORT = {
    **SPEC,
    "losses": [{"kind": "non_saturating"}],
    "training": {**SPEC["training"], "iterations": 2, "log_every": 1},
    "evaluation": {**SPEC["evaluation"], "every": 2},
    "seeds": [0, 1],
}


class Tried:
    """An experiment with a plugin `acme`, its results and its warnings."""

    def __init__(self, folder: Path, *configs: type, **blocks: Any) -> None:
        self.warnings = list[str]()
        options = {"registry": registry_of(*configs), "warn": self.warnings.append, "track": False}
        self.experiment = Experiment.from_spec({**SHORT, **blocks}, folder=folder, **options)
        self.results: Results = self.experiment.run()

    @property
    def errors(self) -> list[str | None]:
        """How each seed failed."""
        return [outcome.error for outcome in self.results.outcomes.values()]


def with_loss(**settings: Any) -> Mapping[str, Any]:
    return {"losses": [{"kind": "non_saturating"}, {"kind": "acme.pull", **settings}]}


# The guard


def test_calls_are_named_from_the_outermost_on() -> None:
    with pytest.raises(RuntimeError) as raised, faults.calling("loss", Tried), faults.calling("forward", Tried):
        raise RuntimeError("mat1\n  and mat2")
    assert faults.describe(raised.value) == (
        "loss (tests.test_faults): forward (tests.test_faults): RuntimeError: mat1 and mat2"
    )


def test_an_error_of_nobodys_component_has_no_calls() -> None:
    assert faults.calls(RuntimeError("x")) == []
    assert faults.describe(RuntimeError("x")) == "RuntimeError: x"
    assert faults.describe(RuntimeError()) == "RuntimeError"


# Losses


class FeedingPull(PullConfig):
    """Gives the discriminator items of another shape."""

    def build(self):
        term = super().build()
        term.pull = lambda step: step.call("discriminator", step.fake[:, :1])[0].mean()
        return term


def test_a_loss_that_feeds_another_module_wrongly_is_named_before_it(tmp_path: Path) -> None:
    tried = Tried(tmp_path, FeedingPull, **with_loss())
    error = (
        "loss acme.pull of player 'generator' (allmodes-acme 1.0): forward of discriminator on (8, 1) (mlp, allmodes "
        "0.1.0): RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x1 and 2x8)"
    )
    assert tried.errors == [error, error]
    pages = [RunFolder(tried.results.folder).of_seed(seed).traceback for seed in (0, 1)]
    assert [warning.startswith(f"tiny/seed-{i}: {error} (its traceback: ") for i, warning in enumerate(tried.warnings)]
    assert all("in pull" in page.read_text() or "<lambda>" in page.read_text() for page in pages)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("batch", "returns a tensor of shape (8,): return one number (), such as its mean()"),
        ("none", "returns None: return a tensor of one number ()"),
        ("int", "returns 3: return a tensor of one number ()"),
        ("whole", "returns a tensor of torch.int64: return a floating-point number"),
    ],
)
def test_a_loss_that_is_no_number_is_named(tmp_path: Path, fault: str, message: str) -> None:
    tried = Tried(tmp_path, PullConfig, **with_loss(fault=fault))
    assert tried.errors == [f"loss acme.pull of player 'generator' (allmodes-acme 1.0): {message}"] * 2


def test_a_loss_for_a_player_that_nobody_has_is_named(tmp_path: Path) -> None:
    tried = Tried(tmp_path, PullConfig, **with_loss(fault="stranger"))
    message = "acme.pull has a loss for a player that nobody has: there is no player 'nobody'"
    message += "; the players are discriminator, generator"
    assert tried.errors == [f"loss acme.pull (allmodes-acme 1.0): {message}"] * 2
    assert not any(outcome.iteration for outcome in tried.results.outcomes.values())
