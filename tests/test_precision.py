"""Mixed precision: networks compute in bfloat16, everything else stays float32."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from allmodes import Experiment
from allmodes.data.batch import Batch
from allmodes.engine.functional import initial_state, update
from allmodes.game.compose import compose
from allmodes.game.noise import seeded
from allmodes.game.step import Context, Draw, Step
from allmodes.specs.loading import parse
from fixtures.distributions import first_party
from tiny import SPEC

GAMES: Mapping[str, list[dict[str, Any]]] = {
    "non-saturating, R1": [{"kind": "non_saturating"}, {"kind": "r1"}],
    "wasserstein, gradient penalty": [{"kind": "wasserstein"}, {"kind": "gradient_penalty"}],
}


def spec_of(precision: str, losses: list[dict[str, Any]]) -> dict[str, Any]:
    return {**SPEC, "losses": losses, "training": {**SPEC["training"], "precision": precision}}


def step_in(precision: str) -> Step:
    spec = parse(spec_of(precision, GAMES["non-saturating, R1"]), first_party())
    composition = compose(spec, spec.data.build(), seed=0)
    noise = seeded(0)
    x = torch.randn(8, 2, generator=noise.generator)
    return Step(Context(composition, composition.weights(0)), Draw(Batch(x), noise))


def test_networks_compute_in_bfloat16_and_return_float32() -> None:
    rough, exact = step_in("bfloat16"), step_in("float32")
    assert rough.fake.dtype == rough.score("fake").dtype == rough.features("real").dtype == torch.float32
    assert torch.equal(rough.fake, rough.fake.bfloat16().float())
    assert not torch.equal(exact.fake, exact.fake.bfloat16().float())
    torch.testing.assert_close(rough.score("real"), exact.score("real"), atol=0.02, rtol=0.02)


def test_latents_are_not_rounded() -> None:
    assert torch.equal(step_in("bfloat16").latent.z, step_in("float32").latent.z)


@pytest.mark.parametrize("losses", GAMES.values(), ids=GAMES)
def test_training_in_bfloat16_follows_float32_with_penalties(losses: list[dict[str, Any]], tmp_path: Path) -> None:
    folders = [
        Experiment.from_spec(spec_of(precision, losses), folder=tmp_path, track=False).run().folder
        for precision in ("bfloat16", "float32")
    ]
    rough, exact = (load_file(folder / "seed-3" / "model" / "discriminator.safetensors") for folder in folders)
    assert all(value.dtype == torch.float32 for value in rough.values())
    for name, value in rough.items():
        torch.testing.assert_close(value, exact[name], atol=0.03, rtol=0.03)
    assert any(not torch.equal(value, exact[name]) for name, value in rough.items())


@pytest.mark.parametrize("losses", GAMES.values(), ids=GAMES)
def test_the_pure_update_computes_in_bfloat16_too(losses: list[dict[str, Any]]) -> None:
    states = []
    for precision in ("bfloat16", "float32"):
        spec = parse(spec_of(precision, losses), first_party())
        composition = compose(spec, spec.data.build(), seed=0)
        x, noise = torch.randn(8, 2, generator=torch.Generator().manual_seed(1)), seeded(2)
        noise.normal("latent/code", 8, 2), noise.uniform("between", 8)
        state = initial_state(composition)
        for turn in composition.schedule:
            state = update(composition, turn, state, x, noise.drawn)
        states.append(state["parameters"])
    rough, exact = states
    for name, value in rough["discriminator"].items():
        torch.testing.assert_close(value, exact["discriminator"][name], atol=0.01, rtol=0.03)
    assert any(not torch.equal(value, exact["generator"][name]) for name, value in rough["generator"].items())
