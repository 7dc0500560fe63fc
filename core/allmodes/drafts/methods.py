"""Methods that suit data: those that evidence puts first on data like them, then the core's plain game."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isinf, prod
from typing import Any

from allmodes.builtin.config.networks import DcganConfig
from allmodes.data.finite import FiniteData
from allmodes.registry.registry import Registry
from allmodes.specs import loading
from allmodes.studies.evidence import NEAR, Evidence, Result, Source, Traits, read_all
from allmodes.studies.suggest import caveats, describe_number
from allmodes.text.numbers import number
from allmodes_schemas import Shape

OWN = {"schema_version", "name", "description", "data", "evaluation", "seeds", "plugins", "streams"}
"""Keys of a recipe that belong to its data, and are not taken from it."""
TOLD = "modes"
"""What a method may have been told of data that nobody knows of the user's."""
BATCH = 64


@dataclass(frozen=True)
class Method:
    """A method for the user's data.

    Attributes:
        name: A recipe, or what it is.
        blocks: Blocks of the spec.
        why: Why it was chosen, in sentences.
    """

    name: str
    blocks: Mapping[str, Any]
    why: tuple[str, ...]


def traits_of(data: FiniteData) -> Traits:
    """What evidence compares of data that were read."""
    shares = data.shares() if data.classes else None
    common = None if shares is None or float(shares.min()) == 0 else float(shares.max() / shares.min())
    images = len(data.shape) == 3
    return Traits(dims=prod(data.shape), items=data.items, modes=data.classes, weight_ratio=common, images=images)


def methods(data: FiniteData, registry: Registry) -> Iterator[Method]:
    """Methods for data, the best first; the last needs the core alone."""
    traits, sources = traits_of(data), read_all(registry) if registry.evidence else []
    for source in sources:
        yield from _tried(source, traits, registry)
    yield _plain(data.shape, data.items, _why_plain(traits, sources))


def _tried(source: Source, traits: Traits, registry: Registry) -> Iterator[Method]:
    """The methods of recipes that are installed, on the nearest data that were tried, where these are alike."""
    evidence = source.evidence
    name, differences = evidence.nearest(traits)
    if any(map(isinf, differences.values())) or differences.get("dims", 1) > NEAR:
        return
    for result in evidence.ranking(name, next(iter(evidence.budgets))):
        method = evidence.methods[result.method]
        if method.recipe in registry.recipes and TOLD not in method.told and not evidence.lacks(result):
            blocks = _blocks_of(method.recipe, registry, traits.items or BATCH)
            yield Method(method.recipe, blocks, tuple(_reasons(source, result, traits, differences)))


def _reasons(source: Source, result: Result, traits: Traits, differences: Mapping[str, float]) -> Iterator[str]:
    evidence, method = source.evidence, source.evidence.methods[result.method]
    tried, key = evidence.data[result.data], evidence.criterion
    yield f"{method.description} (recipe {method.recipe})"
    place = _place(evidence, result)
    of_real = f", real data {number(tried.real[key])}" if key in tried.real else ""
    value = f"{key} {describe_number(result.numbers[key])}{of_real}"
    yield f"It came {place} on the nearest data that {source.name} tried ({tried.description}): {value}"
    if method.told:
        yield f"It is told {method.told}"
    yield from (caveat.strip().capitalize() for caveat in caveats(traits, tried.traits, differences))


def _place(evidence: Evidence, result: Result) -> str:
    """How many of the methods that were tried on the data came before one."""
    ranking = evidence.ranking(result.data, result.budget)
    before = ranking.index(result)
    return f"first of {len(ranking)}" if not before else f"after {before} of {len(ranking)}"


def _blocks_of(recipe: str, registry: Registry, items: int) -> dict[str, Any]:
    """The blocks of a recipe that are the method's, with a batch that the data can fill."""
    tree = loading.plain(loading.read(*loading.locate(recipe, registry)).tree)
    blocks = {key: value for key, value in tree.items() if key not in OWN}
    training = blocks.get("training", {})
    if training.get("batch_size", BATCH) > items:
        training["batch_size"] = items
    return {**blocks, "training": training}


def _plain(shape: Shape, items: int, why: str) -> Method:
    """A plain game with R1, with networks for the items' shape."""
    networks = _convolutions(shape) if _suits_dcgan(shape) else _perceptrons(shape)
    images = len(shape) == 3
    adam = {"kind": "adam", "lr": 2e-4 if images else 1e-3}
    blocks = {
        **networks,
        "losses": [{"kind": "non_saturating"}, {"kind": "r1", "weight": 1.0 if images else 0.1}],
        "training": {"iterations": 20_000 if images else 5000, "batch_size": min(BATCH, items), "optimizer": adam},
    }
    return Method("a plain game with R1", blocks, ("A plain non-saturating game with R1, of the core alone", why))


def _why_plain(traits: Traits, sources: list[Source]) -> str:
    if not sources:
        return "No installed plugin has evidence of methods: with allmodes-study, init takes one that did best"
    names = ", ".join(source.name for source in sources)
    like = "images" if traits.images else f"data of {traits.dims:,} coordinates"
    return f"No method of {names} that is installed was tried on {like}"


def _suits_dcgan(shape: Shape) -> bool:
    return len(shape) == 3 and DcganConfig().misfit(((2,),), shape) is None


def _convolutions(shape: Shape) -> dict[str, Any]:
    channels = 32 if shape[-1] <= 32 else 64
    return {
        "prior": {"kind": "gaussian", "dim": 64},
        "generator": {"kind": "dcgan", "channels": channels},
        "discriminator": {"kind": "dcgan", "channels": channels, "batch_norm": False},
    }


def _perceptrons(shape: Shape) -> dict[str, Any]:
    size = prod(shape)
    width = 128 if size <= 32 else 256 if size <= 256 else 512
    output = {"output": "tanh"} if len(shape) == 3 else {}
    return {
        "prior": {"kind": "gaussian", "dim": max(8, min(64, size))},
        "generator": {"kind": "mlp", "hidden": [width, width], **output},
        "discriminator": {"kind": "mlp", "hidden": [width, width], "activation": "leaky_relu"},
    }
