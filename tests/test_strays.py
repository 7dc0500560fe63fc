"""Draws from torch's global generators in a step: found once, named, and nowhere else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from allmodes import Experiment, Step
from allmodes.engine.strays import StrayDraws
from tiny import SPEC

ENDS = (
    " from torch's global generator, which no seed governs and no checkpoint holds, so a resumed run draws otherwise: "
    "take noise from the step, or allmodes.Dropout for torch's"
)


class Noisy(nn.Module):
    """A generator that adds noise of torch's own to its hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 4), nn.Linear(4, 2)

    def forward(self, z: Tensor) -> Tensor:
        hidden = self.first(z)
        out: Tensor = self.last(hidden + torch.randn_like(hidden))
        return out


LINE = Noisy.forward.__code__.co_firstlineno + 2


def random_layer() -> nn.Module:
    """A generator with a random layer of torch's."""
    return nn.Sequential(nn.Linear(2, 4), nn.RReLU(), nn.Linear(4, 2))


def jittered(step: Step) -> Tensor:
    """A loss that draws."""
    return (step.fake * torch.rand(())).square().mean()


def heard(tmp_path: Path, spec: dict[str, Any], **objects: Any) -> list[str]:
    """What is warned of global draws in a run of two seeds."""
    training = {**SPEC["training"], "iterations": 6, "engine": "eager"}
    spec = {**spec, "training": training, "seeds": [0, 1]}
    said = list[str]()
    Experiment.from_spec(spec, folder=tmp_path, track=False, warn=said.append, **objects).run()
    return [text for text in said if "global generator" in text]


OWN = {**SPEC, "generator": {"kind": "python:mine"}}


@pytest.mark.parametrize(
    ("make", "who"),
    [
        (Noisy, f"generator.trunk.module (Noisy) draws by randn_like (test_strays.py:{LINE})"),
        (random_layer, "generator.trunk.module.1 (RReLU) draws by rrelu"),
    ],
)
def test_a_module_that_draws_from_the_global_generator_is_named_once(
    make: Callable[[], nn.Module], who: str, tmp_path: Path
) -> None:
    assert heard(tmp_path, OWN, networks={"mine": make}) == [f"tiny: {who}{ENDS}"]


def test_a_loss_that_draws_is_named_by_its_line(tmp_path: Path) -> None:
    spec = {**SPEC, "losses": [*SPEC["losses"], {"kind": "python:mine"}]}
    (told,) = heard(tmp_path, spec, losses={"mine": jittered})
    line = jittered.__code__.co_firstlineno + 2
    assert told.removesuffix(ENDS).endswith(f" draws by rand (test_strays.py:{line})")


def test_nothing_is_said_of_components_that_take_their_noise_from_the_step(tmp_path: Path) -> None:
    assert heard(tmp_path, SPEC) == []


def test_a_step_is_watched_the_first_time_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched, begun = StrayDraws.watched, list[object]()

    def counted(self: StrayDraws) -> Any:
        begun.append(self)
        return watched(self)

    monkeypatch.setattr(StrayDraws, "watched", counted)
    assert heard(tmp_path, SPEC) == []
    assert len(begun) == 2 * 2  # of each seed the discriminator's turn and the generator's


def test_a_generator_that_moves_outside_of_torch_s_functions_is_found_without_a_name() -> None:
    strays = StrayDraws({})
    with strays.watched():
        torch.default_generator.manual_seed(int(torch.initial_seed()) + 1)
    assert strays.take() == [f"something in the step draws{ENDS}"]
    assert strays.take() == []
