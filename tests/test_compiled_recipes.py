"""Every first-party part trains in a compiled turn as it does eagerly: as its operations, and (slow) by Inductor."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lanes import assert_same_end
from test_stacked_recipes import SLOW, one_of_each, recipe, train

pytestmark = pytest.mark.filterwarnings("ignore:.*no loss trains the prior")


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


def assert_trains_compiled_as_eagerly(name: str, folder: Path) -> None:
    torch.set_num_threads(1)
    eager, compiled = (train(name, engine, folder) for engine in ("eager", "compiled"))
    assert (compiled.results.status, compiled.warned) == ("finished", eager.warned)
    assert_same_end(eager.runs, compiled.runs)


@pytest.mark.parametrize("name", list(one_for_each_part()))
def test_the_operations_of_a_whole_turn_train_as_the_eager_engine_does(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = list[Any]()
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, leaves, options: (taken.append(graph), graph)[1])
    assert_trains_compiled_as_eagerly(name, tmp_path)
    assert taken


@pytest.mark.slow
@pytest.mark.parametrize("name", one_of_each())
def test_a_recipe_trains_compiled_as_it_does_eagerly(name: str, tmp_path: Path) -> None:
    assert_trains_compiled_as_eagerly(name, tmp_path)
