"""Every installed recipe is a whole spec that trains: a name in a list of recipes is a promise."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from allmodes import Experiment, Spec
from allmodes.game.compose import compose
from allmodes.testing import RecipeContract
from shipped import REGISTRY, recipe, short_fits

ROOT = Path(os.environ.get("ALLMODES_DATA", Path(__file__).parents[2] / "shared" / "data"))
EVERY = (
    "baselines/clustergan-grid", "baselines/clustergan-mnist", "baselines/clustergan-ring", "baselines/deligan-grid",
    "baselines/deligan-ring", "baselines/gdpp-grid", "baselines/gdpp-ring", "baselines/infogan-grid",
    "baselines/infogan-mnist", "baselines/infogan-ring",
    "baselines/ali-grid", "baselines/ali-ring", "baselines/bigan-ring", "baselines/msgan-ring",
    "baselines/pacgan2-grid", "baselines/pacgan2-ring", "baselines/r3gan-grid", "baselines/r3gan-ring",
    "baselines/unrolled-ring", "baselines/vaegan-stacked-mnist", "baselines/wgangp-grid", "baselines/wgangp-ring",
    "baselines/began-ring", "baselines/d2gan-ring", "baselines/dragan-ring", "baselines/hinge-ring",
    "baselines/lsgan-ring", "baselines/mgan-ring", "baselines/mrgan-ring", "baselines/replay-ring",
    "baselines/selfcond-ring", "baselines/topk-ring", "baselines/wgan-ring",
    "benchmarks/arcs", "benchmarks/hierarchy", "benchmarks/mixture", "benchmarks/mixture-10d", "benchmarks/mixture-50d",
    "benchmarks/rare-modes", "benchmarks/spirals", "benchmarks/sprites", "benchmarks/sprites-16",
    "benchmarks/swiss-roll", "benchmarks/thousand-modes", "benchmarks/unequal-widths",
    "bourgan/cifar10", "bourgan/circle", "bourgan/digits", "bourgan/falling-grid", "bourgan/fashion-and-ones",
    "bourgan/grid", "bourgan/mnist",
    "bourgan/small-ones", "bourgan/small-ones-classifier", "bourgan/small-ones-gan", "bourgan/small-ones-l1",
    "bourgan/ring", "bourgan/wide-circle", "bourgan/wide-grid", "bourgan/wide-ring",
    "gan/cifar16", "gan/digits", "gan/grid", "gan/high-dimensional", "gan/ring", "gan/stacked-mnist",
    "gan/stacked-mnist-small",
    "modern/drifting-grid", "modern/drifting-ring", "modern/pairing-grid", "modern/pairing-ring",
    "modern/rsimle-grid", "modern/rsimle-ring", "modern/transport-grid", "modern/transport-ring",
    "modern/uotm-grid", "modern/uotm-ring",
    "nemgan/cifar2", "nemgan/digits", "nemgan/fashion5", "nemgan/fashion5-labels-alone", "nemgan/mnist",
    "nemgan/mnist14", "nemgan/mnist14-invariant", "nemgan/mnist14-invariance-alone",
    "nemgan/small-cifar2", "nemgan/small-cifar2-labels-alone", "nemgan/small-fashion5",
    "nemgan/small-fashion5-labels-alone", "nemgan/small-mnist2", "nemgan/small-mnist2-labels-alone",
    "nemgan/mnist2", "nemgan/ring-imbalanced", "nemgan/ring-imbalanced-unsupervised",
    "veegan/cifar16", "veegan/demo", "veegan/digits", "veegan/grid", "veegan/high-dimensional", "veegan/mnist",
    "veegan/relativistic-grid", "veegan/ring", "veegan/stacked-mnist",
)  # fmt: skip
SETS = {"stacked_mnist": ("MNIST",), "bourgan.fashion_and_ones": ("FashionMNIST", "MNIST")}
FOLDERS = {"CIFAR10": "cifar-10-batches-py"}
"""Where torchvision looks for a set that has no folder of its own name."""

SHORT = (
    "training.iterations=2", "training.log_every=1", "evaluation.every=2", "evaluation.samples=20", "seeds=[0]",
)  # fmt: skip

LATE = dict.fromkeys(
    ("baselines/vaegan-stacked-mnist", "baselines/vaegan-stacked-mnist-large"),
    ("losses.0.start=0", "training.schedule.0.start=0"),
)
"""What makes a game begin within two iterations."""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def at_hand(name: str) -> list[str]:
    """The override that says where a recipe's data are, or a skipped test where they are not."""
    spec = recipe(name)
    data = spec.data.model_dump()
    # A classifier takes a minute to train: the metrics that read one have tests of their own.
    quick = ["evaluation.metrics=[]"] if data["kind"] in SETS or "classifier" in str(spec.evaluation) else []
    if "root" not in data:
        return quick
    for needed in SETS.get(data["kind"]) or (data["dataset"],):
        folder = ROOT / FOLDERS.get(needed, needed)
        if not folder.is_dir():
            pytest.skip(f"{folder} is absent: set ALLMODES_DATA to a folder that holds {folder.name}")
    return [f"data.root={ROOT}", f"training.batch_size={min(spec.training.batch_size, 16)}", *quick]


def pictured() -> Iterator[str]:
    """A recipe of each kind of data, which is drawn; pictures take longer than two iterations."""
    seen = set[str]()
    for name in sorted(REGISTRY.recipes):
        if (kind := recipe(name).data.kind) not in seen:
            seen.add(kind)
            yield name


PICTURED = set(pictured())


def contract(name: str) -> RecipeContract:
    return type("Recipe", (RecipeContract,), {"registry": REGISTRY, "recipe": name})()


def test_the_recipes_are_those_that_the_documentation_names() -> None:
    assert set(EVERY) <= set(REGISTRY.recipes)


@pytest.mark.parametrize("name", sorted(REGISTRY.recipes))
def test_the_first_line_of_a_recipe_has_the_origin_of_its_settings(name: str) -> None:
    contract(name).test_it_begins_by_saying_where_its_settings_come_from()


@pytest.mark.parametrize("name", sorted(REGISTRY.recipes))
def test_a_recipe_has_its_own_name_and_a_description(name: str) -> None:
    contract(name).test_it_is_called_by_its_own_name_and_described()


@pytest.mark.parametrize("name", sorted(REGISTRY.recipes))
def test_a_recipe_trains_two_iterations_to_finite_numbers(name: str, tmp_path: Path) -> None:
    small = [*short_fits(recipe(name)), f"evaluation.figure={json.dumps(name in PICTURED)}"]
    overrides = [*SHORT, *LATE.get(name, ()), *at_hand(name), *small]
    results = Experiment.from_recipe(name, overrides, track=False, folder=tmp_path).run()
    assert (results.status, results.outcomes[0].iteration) == ("finished", 2)
    assert bool(list(results.folder.glob("seed-0/figures/*.png"))) == (name in PICTURED)


@pytest.mark.parametrize("name", ["grid", "ring", "digits", "high-dimensional"])
def test_a_gan_to_compare_with_has_the_generator_and_the_budget_of_its_veegan(name: str) -> None:
    gan, veegan = recipe(f"gan/{name}"), recipe(f"veegan/{name}")
    assert generator_shapes(gan) == generator_shapes(veegan)
    assert gan.training.model_dump(exclude={"schedule"}) == veegan.training.model_dump(exclude={"schedule"})
    assert gan.evaluation.model_dump() == veegan.evaluation.model_dump()
    assert gan.seeds == veegan.seeds


def generator_shapes(spec: Spec) -> Mapping[str, torch.Size]:
    weights: Mapping[str, Tensor] = compose(spec, spec.data.build(), 0).modules["generator"].state_dict()
    return {name: weight.shape for name, weight in weights.items()}
