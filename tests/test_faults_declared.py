"""What configs declare, held against what they build, and words that do not exist."""

from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from allmodes import (
    DatasetConfig,
    Latent,
    LossTerm,
    LossTermConfig,
    Need,
    Prior,
    PriorConfig,
    Problem,
    SpecError,
    TensorData,
)
from allmodes.registry import faults
from allmodes.specs import loading
from faulty import registry_of
from test_faults import SHORT, Tried

CALLED = "(acme.told, allmodes-acme 1.0)"
TOLD = {"kind": "acme.told"}


class ToldConfig(PriorConfig):
    """A prior whose settings may tell something else."""

    kind: Literal["acme.told"] = "acme.told"
    told: dict[str, int] = {"code": 2}
    long: int | None = None
    drops: bool = False

    def parts(self):
        return self.told

    def size(self):
        return self.long

    def build(self):
        return Told(self.drops)


class Told(Prior):
    def __init__(self, drops):
        super().__init__()
        self.drops, self.dim, self.sizes = drops, 2, {"code": 2, "mode": 3}

    def forward(self, noise, n, given=None):
        z = noise.normal("code", n, 2)
        return Latent(z, {} if self.drops else {"mode": torch.zeros(n, 3)})


D = "loss non_saturating of player 'discriminator' (allmodes 0.1.0): forward of"


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({}, None),
        ({"told": {"code": 2, "mode": 3}, "long": 2}, None),
        ({"told": {"code": 3}}, f"prior {CALLED}: its part 'code' has size 2, but 3 in parts() of its config"),
        ({"long": 5}, f"prior {CALLED}: its dim is 2, but size() of its config 5: make them agree"),
        (
            {"told": {"code": 2, "ghost": 4}},
            f"prior {CALLED}: has no part 'ghost' among its sizes, which parts() of its config declares",
        ),
        ({"drops": True}, f"{D} prior {CALLED}: gives no part 'mode', which is among its sizes"),
    ],
)
def test_a_prior_is_held_to_what_its_config_declares(tmp_path: Path, settings: Any, error: str | None) -> None:
    assert Tried(tmp_path, ToldConfig, prior={**TOLD, **settings}).errors == [error] * 2


class FoundConfig(DatasetConfig):
    """Data of points without labels, whose settings may tell something else."""

    kind: Literal["acme.found"] = "acme.found"
    told: tuple[int, ...] | None = (2,)
    labels: int | None = None
    modes: bool = False

    def shape(self):
        return self.told

    def classes(self):
        return self.labels

    def known_modes(self):
        return self.modes

    def build(self):
        x = torch.arange(400.0).reshape(200, 2) / 400
        return TensorData(x, test_x=x)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"told": [3]}, "its items have shape (2,), but shape() of its config is (3,)"),
        ({"labels": 4}, "its classes are None, but classes() of its config is 4"),
        ({"modes": True}, "its truth is None, but known_modes() of its config is True: give a Truth"),
    ],
)
def test_data_are_held_to_what_their_config_declares(tmp_path: Path, settings: Any, message: str) -> None:
    evaluation = {**SHORT["evaluation"], "metrics": ["sliced_wasserstein"]}
    with pytest.raises(ValueError) as raised:
        Tried(tmp_path, FoundConfig, data={"kind": "acme.found", **settings}, evaluation=evaluation)
    assert faults.describe(raised.value) == f"data (acme.found, allmodes-acme 1.0): {message}"


class SaidConfig(LossTermConfig):
    """Says something wrong."""

    kind: Literal["acme.said"] = "acme.said"
    fault: str = ""

    @property
    def serves(self):
        return ("discriminator",) if self.fault == "serves" else ()

    @property
    def needs(self):
        return {"slot": (Need("pert", "mode"),), "form": (Need("auxiliary", "code", form="pont"),)}.get(self.fault, ())

    def check(self, spec):
        return [Problem(("losses", 0), "no", "fatal")] if self.fault == "severity" else []

    def build(self):
        return Said(self.fault)


class Said(LossTerm):
    def __init__(self, fault):
        super().__init__()
        values = {"-1": -1, "0": 0, "2.5": 2.5, "True": True, "'x'": "x"}
        self.refit = values.get(fault)
        if fault == "follows":
            self.follows = "generator"

    def losses(self):
        return {"generator": lambda step: step.fake.square().mean()}

    def after_update(self, step):
        pass


def with_said(fault: str) -> Any:
    return [*SHORT["losses"], {"kind": "acme.said", "fault": fault}]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (
            "serves",
            "loss acme.said (allmodes-acme 1.0): its config serves player 'discriminator', for whom losses() has no "
            "function: give one",
        ),
        *(
            (
                fault,
                f"part losses/acme.said (allmodes-acme 1.0): its refit is {fault}: set a number of iterations from 1 "
                "on, or None",
            )
            for fault in ("-1", "0", "2.5", "True", "'x'")
        ),
        ("follows", "part losses/acme.said (allmodes-acme 1.0): its follows is 'generator': set a tuple of names"),
    ],
)
def test_a_term_is_held_to_what_it_says(tmp_path: Path, fault: str, error: str) -> None:
    assert Tried(tmp_path, SaidConfig, losses=with_said(fault)).errors == [error] * 2


SLOTS = "auxiliary, part, prior, discriminator, joint, labels, truth, stream"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            "slot",
            f"needs has a Need of slot 'pert', which does not exist (did you mean 'part'?): there are {SLOTS}",
        ),
        ("form", "needs has a Need of form 'pont', which does not exist: there are point, gaussian, logits"),
        ("severity", "check(spec) gives a Problem of severity 'fatal', where 'error' or 'warning' is needed"),
    ],
)
def test_words_that_do_not_exist_are_problems_of_the_spec(fault: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        loading.parse({**SHORT, "losses": with_said(fault)}, registry_of(SaidConfig))
    assert str(raised.value) == f"spec: losses.1: acme.said (allmodes-acme 1.0): {message}"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"told": {"code": -2}}, "parts() is {'code': -2}, where a mapping of names to numbers from 0 or None"),
        ({"long": -1}, "size() is -1, where a number from 0 or None"),
    ],
)
def test_sizes_are_numbers_from_0_on(settings: Any, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        loading.parse({**SHORT, "prior": {**TOLD, **settings}}, registry_of(ToldConfig))
    assert str(raised.value) == f"spec: prior: acme.told (allmodes-acme 1.0): {message} is needed"


def test_shapes_are_numbers_from_1_on() -> None:
    with pytest.raises(SpecError) as raised:
        loading.parse({**SHORT, "data": {"kind": "acme.found", "told": [0]}}, registry_of(FoundConfig))
    message = "shape() is (0,), where a tuple of numbers from 1 or None is needed"
    assert str(raised.value) == f"spec: data: acme.found (allmodes-acme 1.0): {message}"
