"""What the study says is equal is equal, and each hybrid joins the parts of both that it is named after."""

from pathlib import Path

import pytest

from allmodes import Spec, installed
from allmodes.testing import RecipeContract, load_spec

RECIPES = sorted(name for name in installed().recipes if name.startswith("study/"))
METHODS = sorted(name.removeprefix("study/grid-") for name in RECIPES if name.startswith("study/grid-"))
HYBRIDS = ("bourgan-nemgan", "bourgan-r3gan", "pacgan-bourgan", "veegan-bourgan", "veegan-nemgan", "veegan-r3gan")
README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


class TestVeeganBourgan(RecipeContract):
    recipe = "study/ring-veegan-bourgan"


class TestBourganNemgan(RecipeContract):
    recipe = "study/ring-bourgan-nemgan"


def specs(data: str) -> dict[str, Spec]:
    return {method: load_spec(f"study/{data}-{method}") for method in METHODS}


def test_every_method_is_there_for_ring_and_grid() -> None:
    assert sorted(f"study/{data}-{method}" for data in ("ring", "grid") for method in METHODS) == RECIPES
    assert set(HYBRIDS) < set(METHODS)
    assert len(METHODS) == 21


@pytest.mark.parametrize("data", ["ring", "grid"])
def test_networks_and_budget_are_equal(data: str) -> None:
    first, *others = specs(data).values()
    for spec in others:
        assert spec.generator == first.generator
        assert spec.discriminator.model_dump(exclude={"pack", "joint"}) == first.discriminator.model_dump(
            exclude={"pack", "joint"}
        )
        own = {"schedule", "discriminator_updates"}
        assert spec.training.model_dump(exclude=own) == first.training.model_dump(exclude=own)
        assert spec.data == first.data
        assert spec.evaluation == first.evaluation
        assert spec.seeds == first.seeds


def test_every_network_is_64_wide() -> None:
    for spec in specs("grid").values():
        bodies = [auxiliary.model_dump()["network"] for auxiliary in spec.auxiliaries.values()]
        for body in [spec.generator.model_dump(), spec.discriminator.model_dump(), *bodies]:
            assert set(body["hidden"]) == {64}


def test_ring_and_grid_differ_in_data_modes_and_penalty_alone() -> None:
    for method, ring in specs("ring").items():
        grid = load_spec(f"study/grid-{method}")
        assert [term.kind for term in ring.losses] == [term.kind for term in grid.losses]
        assert ring.training == grid.training
        assert ring.auxiliaries == grid.auxiliaries


@pytest.mark.parametrize("name", HYBRIDS)
def test_a_hybrid_has_parts_of_both_and_a_row_in_the_readme(name: str) -> None:
    spec = load_spec(f"study/grid-{name}")
    kinds = {spec.prior.kind, *(term.kind for term in spec.losses), *(a.kind for a in spec.auxiliaries.values())}
    has = {
        "veegan": any(kind.startswith("veegan.") for kind in kinds),
        "bourgan": {"bourgan.metric_mixture", "bourgan.distance"} <= kinds,
        "nemgan": {"nemgan.inverter", "nemgan.latent_inversion"} <= kinds,
        "pacgan": spec.discriminator.model_dump()["pack"] > 1,
        "r3gan": {"relativistic", "r1", "r2"} <= kinds,
    }
    assert all(has[word] for word in name.split("-"))
    assert spec.description.startswith("Hybrid: ")
    assert f"`study/*-{name}`" in README


def test_the_readme_states_the_budget() -> None:
    assert f"{specs('grid')['gan'].training.iterations:,} updates, batches of 128" in README
