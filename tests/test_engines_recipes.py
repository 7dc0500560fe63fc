"""Recipes that ship train stacked and compiled as they do eagerly: the same draws, losses, weights and moments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lanes import assert_same_end
from shipped import SLOW, one_of_each, recipe, train

pytestmark = pytest.mark.filterwarnings("ignore:.*no loss trains the prior")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def parts(name: str) -> set[str]:
    """The kinds of terms, priors and auxiliaries of a recipe, and whether its players take turns."""
    spec = recipe(name)
    kinds = [spec.prior.kind, *(term.kind for term in spec.losses), *(a.kind for a in spec.auxiliaries.values())]
    return {*kinds, f"{len(spec.training.schedule or ())} turns"}


def one_for_each_part() -> Iterator[str]:
    """Recipes that have every part which some recipe has."""
    seen = set[str]()
    for name in sorted(set(one_of_each()) - set(SLOW), key=lambda name: (-len(parts(name)), name)):
        if not parts(name) <= seen:
            seen |= parts(name)
            yield name


PARTS = set(one_for_each_part())


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in one_of_each()])
def test_a_recipe_of_each_family_trains_stacked_as_it_does_eagerly_and_one_for_each_part_compiled(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled means the operations of a whole turn, as they are before Inductor; by Inductor is slow."""
    eager, taken = train(name, "eager", tmp_path), list[Any]()
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, leaves, options: (taken.append(graph), graph)[1])
    for engine in ("stacked", "compiled") if name in PARTS else ("stacked",):
        trained = train(name, engine, tmp_path)
        assert (trained.results.status, trained.warned) == ("finished", eager.warned), engine
        assert_same_end(eager.runs, trained.runs)
    assert bool(taken) == (name in PARTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", one_of_each())
def test_a_recipe_trains_compiled_as_it_does_eagerly(name: str, tmp_path: Path) -> None:
    eager, compiled = (train(name, engine, tmp_path) for engine in ("eager", "compiled"))
    assert (compiled.results.status, compiled.warned) == ("finished", eager.warned)
    assert_same_end(eager.runs, compiled.runs)
