"""The recipes that ship, each loaded once in a process, and trained small by any engine."""

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from allmodes import Experiment, Spec
from allmodes.data import TensorData
from allmodes.specs.loading import load
from fixtures.distributions import first_party
from lanes import Trained

REGISTRY = first_party()
QUICK = (
    "training.iterations=2", "training.log_every=1", "training.batch_size=16", "training.device=cpu",
    "evaluation.every=100", "evaluation.metrics=[]", "evaluation.figure=false", "evaluation.samples=8",
    "seeds=[0,1]",
)  # fmt: skip


PARTS = ("prior", "generator", "discriminator", "auxiliaries", "losses")
SLOW = ("bourgan/cifar10", "bourgan/digits", "nemgan/cifar2", "nemgan/fashion5-labels-alone", "nemgan/mnist")
"""Their networks have one size, or their fits, which take long."""
SMALL = {"channels": 4, "items": 100, "refit": 2, "subsample": 200}


@functools.cache
def recipe(name: str) -> Spec:
    return load(name, REGISTRY)


def family(spec: Spec) -> tuple[Any, ...]:
    """What makes a recipe another one for an engine; its numbers, and the data's, are none of it."""
    beside = [part.kind for part in spec.auxiliaries.values()]
    networks = [spec.prior.kind, spec.generator.kind, spec.discriminator and spec.discriminator.kind, *beside]
    switches = bool(spec.streams), spec.training.ema is not None, str(spec.training.schedule)
    joint = spec.discriminator is not None and (spec.discriminator.joint, spec.discriminator.pack > 1)
    return (*networks, *(term.kind for term in spec.losses), *switches, joint)


@functools.cache
def one_of_each() -> list[str]:
    found: dict[tuple[Any, ...], str] = {}
    for name in sorted(REGISTRY.recipes, key=lambda name: ("ring" not in name, name)):  # 8 modes are quicker than 25
        found.setdefault(family(recipe(name)), name)
    return sorted(found.values())


def images(shape: tuple[int, ...], classes: int) -> TensorData:
    """Labelled noise in the place of a data set that has to be downloaded."""
    labels = torch.arange(500) % classes
    x = torch.rand(500, *shape, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return TensorData(x, labels, x[:50], labels[:50], classes=classes)


def smaller(part: Any, place: str) -> Iterator[str]:
    """Overrides that make networks narrow and fits short, whatever lies within what."""
    for key, value in part.items() if isinstance(part, Mapping) else enumerate(part) if isinstance(part, tuple) else ():
        if key == "hidden" and value:
            yield f"{place}.kind={part['kind']}"  # which the recipe may leave to its default
            yield f"{place}.{key}={[8] * len(value)}"
        elif key in SMALL and value is not None and not isinstance(value, bool):
            yield f"{place}.{key}={SMALL[key]}"
        else:
            yield from smaller(value, f"{place}.{key}")


def small_parts(spec: Spec) -> Iterator[str]:
    """Overrides that make the parts of a recipe small."""
    parts = spec.model_dump(include=set(PARTS))
    return (override for name in PARTS for override in smaller(parts[name], name))


def short_fits(spec: Spec) -> list[str]:
    """Overrides by which the parts of a recipe are fitted to few items: of thousands it takes most of a minute."""
    return [override for override in small_parts(spec) if ".subsample=" in override]


def steady(spec: Spec) -> Iterator[str]:
    """Overrides by which Adam makes no full step of a gradient that is nothing but rounding."""
    named = {f"optimizers.{name}": config for name, config in spec.training.optimizers.items()}
    for name, config in {"optimizer": spec.training.optimizer, **named}.items():
        if config.kind == "adam":
            yield f"training.{name}={json.dumps(config.model_dump() | {'eps': 0.01})}"


def at_once(spec: Spec) -> Iterator[str]:
    """Overrides by which terms and turns that begin later begin at once, within the two iterations of a test."""
    yield from (f"losses.{i}.start=0" for i, term in enumerate(spec.losses) if term.start)
    turns = () if isinstance(spec.training.schedule, str) else spec.training.schedule
    yield from (f"training.schedule.{i}.start=0" for i, turn in enumerate(turns) if turn.start)


def train(name: str, engine: str, folder: Path) -> Trained:
    spec, warned = recipe(name), list[str]()
    modes = spec.prior.model_dump().get("modes") or 10
    is_of_files = hasattr(spec.data, "root")
    options: dict[str, Any] = {"data": images(spec.data.shape(), modes)} if is_of_files else {}
    few = ["training.batch_size=4"] if is_of_files else []  # some of their networks have one size only
    if getattr(spec.data, "items", None) == 8192:  # to which a latent is fitted
        few.append("data.items=800")
    if spec.data.kind == "benchmarks.sprites":
        few.append("training.batch_size=32")  # of fewer, nearly equal images BatchNorm makes rounding large
    small = [*small_parts(spec)]
    small += [f"losses.{i}.updates=2" for i, term in enumerate(spec.losses) if term.kind == "baselines.unrolled"]
    overrides = [*QUICK, *steady(spec), *at_once(spec), *small, *few, f"training.engine={engine}"]
    experiment = Experiment.from_recipe(
        name, overrides, registry=REGISTRY, folder=folder / engine, track=False, warn=warned.append, **options
    )
    return Trained(experiment.run(), warned)
