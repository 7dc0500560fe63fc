"""The reference of specs, in Markdown, from the models that check specs.

`conf.py` appends it to the page `spec.md` when the site is built.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from allmodes import Registry
from allmodes.cli import describe
from allmodes.specs.kinds import declared
from allmodes_schemas import (
    AdamConfig,
    AuxiliaryConfig,
    CheckpointsConfig,
    DatasetConfig,
    DiscriminatorOptions,
    EarlyStoppingConfig,
    EmaConfig,
    EvaluationConfig,
    FeatureConfig,
    KindConfig,
    LossTermConfig,
    MetricConfig,
    Need,
    NetworkConfig,
    PriorConfig,
    Ramp,
    ReferenceConfig,
    RewindConfig,
    SamplerConfig,
    SgdConfig,
    Spec,
    StreamConfig,
    TrainingConfig,
    TurnConfig,
)

SLOTS: Mapping[type[KindConfig], tuple[str, str]] = {
    DatasetConfig: ("Data", "What to learn, for `data`. Files of your own: [Your data](data.md)."),
    PriorConfig: ("Priors", "The distribution of the latent, for `prior`."),
    NetworkConfig: (
        "Networks",
        "For `generator`, `discriminator`, and fields of other kinds that take a network. A network of your own: "
        "[Your network](networks.md).",
    ),
    AuxiliaryConfig: ("Auxiliaries", "Networks beside the two, for `auxiliaries`, by names of your choice."),
    LossTermConfig: (
        "Losses",
        "For `losses`: exactly one *game* and any number of other terms; without a discriminator, a term that serves "
        "the generator. Each takes these options besides its own:",
    ),
    SamplerConfig: (
        "Samplers",
        "What happens at sampling, for `sampler`: evaluation, samples and the stored model use it. A run may be "
        "measured and resumed with another one: `--set 'sampler={kind: ...}'`.",
    ),
    FeatureConfig: ("Features", "Feature spaces, for fields of losses and metrics that take one."),
    MetricConfig: (
        "Metrics",
        "For `evaluation.metrics`; a bare word is a metric with its defaults. Definitions, thresholds and floors: "
        "[Metrics](metrics.md).",
    ),
    ReferenceConfig: (
        "References",
        "For `evaluation.references`: samplers that no game trained, whose scores stand beside those of every model; "
        "a bare word is one with its defaults, and an empty list switches them off: "
        "[Reference samplers](metrics.md#reference-samplers).",
    ),
}
"""Heading and introduction of each slot, in the page's order."""

BLOCKS: Mapping[type[BaseModel], tuple[str, str]] = {
    StreamConfig: (
        "Streams",
        "An entry of `streams`, by a name of your choice: few items whose labels a loss learns from. A run notes in "
        "its log, its `run.json` and MLflow's tags how many labels it used.",
    ),
    TrainingConfig: ("Training", "The block `training`: how long, on what, in which order."),
    TurnConfig: ("Turns", "An entry of `training.schedule` where that is a list."),
    AdamConfig: ("Adam", "For `training.optimizer` and `training.optimizers`: `kind: adam`."),
    SgdConfig: ("SGD", "For `training.optimizer` and `training.optimizers`: `kind: sgd`."),
    EmaConfig: (
        "Moving average",
        "The block `training.ema`. Evaluation, samples and the stored model use it.",
    ),
    CheckpointsConfig: ("Checkpoints", "The block `training.checkpoints`; see [Runs](runs.md)."),
    EarlyStoppingConfig: (
        "Early stopping",
        "The block `training.early_stopping`; see [Runs](runs.md#ending-early).",
    ),
    RewindConfig: ("Rewind", "The block `training.rewind`; see [Runs](runs.md#going-back)."),
    EvaluationConfig: ("Evaluation", "The block `evaluation`: when a run is measured, with how many samples, by what."),
    Ramp: ("Ramps", "Where a number may change over a run (learning rate, second beta, weight, moving average)."),
}
"""Heading and introduction of each block that is not picked by a kind."""

LINKS = {base.__name__: heading for base, (heading, _) in {**SLOTS, **BLOCKS}.items()}


def text(registry: Registry) -> str:
    """The reference of what a registry holds."""
    parts = ["## The file\n", *_fields(Spec), *_free(Spec)]
    for base, (heading, introduction) in SLOTS.items():
        parts += [f"## {heading}\n", f"{introduction}\n", *_slot(base, registry)]
    for block, (heading, introduction) in BLOCKS.items():
        parts += [f"## {heading}\n", f"{introduction}\n", *_fields(block), *_free(block)]
    return "\n".join(parts)


def _slot(base: type[KindConfig], registry: Registry) -> Iterator[str]:
    common = [name for name in base.model_fields if name != "kind"]
    if common:
        yield from _fields(base, common)
    if base is NetworkConfig:
        yield "In the slot `discriminator` every network takes these options besides its own:\n"
        yield from _fields(DiscriminatorOptions)
    kinds = registry.of(base)
    if not kinds:
        yield "None is installed; a plugin may provide some.\n"
    for name, kind in kinds.items():
        yield f"### `{name}`\n"
        yield _docstring(kind.config)
        yield from _facts(kind.config)
        own = [field for field in kind.config.model_fields if field not in ("kind", *_as_common(kind.config, base))]
        yield from _fields(kind.config, own) if own else ["No options of its own.\n"]


def _as_common(config: type[KindConfig], base: type[KindConfig]) -> list[str]:
    """Options that a kind has of its slot, with the slot's default."""
    fields = config.model_fields
    return [name for name, field in base.model_fields.items() if fields[name].default == field.default]


def _docstring(config: type[KindConfig]) -> str:
    return inspect.cleandoc(config.__doc__ or "") + "\n"


def _facts(config: type[KindConfig]) -> Iterator[str]:
    """Describe a kind besides its options."""
    if config.wraps:
        yield f"A wrapper: what the kind in its option `{config.wraps}` needs, gives and adds holds for it, too.\n"
    if declared(config, "is_game", False):
        yield "This is a game.\n"
    if issubclass(config, AuxiliaryConfig) and not config.wraps:
        players = " and ".join(f"`{player}`" for player in config.trained_by) or "nobody"
        yield f"Maps {config.sees} to the part `{config.gives}`; trained by the player {players}.\n"
    if issubclass(config, LossTermConfig):
        for what in describe.list_provisions(config):
            if what.startswith("player "):
                yield f"Adds the {what}, unless `training.optimizers` sets another.\n"
    needs: Sequence[Need] = declared(config, "needs", ())
    for need in needs:
        yield f"Needs {_need(need)}.\n"


def _need(need: Need) -> str:
    form = f" as `{need.form}`" if need.form else ""
    return {
        "auxiliary": f"an auxiliary that maps data to `{need.what}`{form}: `{need.remedy}`",
        "part": f"a prior with the part `{need.what}`",
        "prior": f"a prior that offers `{need.what}`",
        "discriminator": "a discriminator",
        "labels": "data with labels",
        "truth": "data whose modes are known",
        "joint": "a discriminator with `joint`",
        "stream": "a stream of labelled items, which its option `stream` names",
    }[need.slot]


def _fields(model: type[BaseModel], names: Sequence[str] | None = None) -> Iterator[str]:
    """A table of a model's fields."""
    yield "| key | type | default | meaning |\n|---|---|---|---|"
    for option in describe.list_options(model, quoted=lambda text: f"`{text}`", link=_link):
        if names is None or option.name in names:
            cells = (f"`{option.name}`", option.type, option.default, option.meaning)
            yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
    yield ""


def _free(model: type[BaseModel]) -> Iterator[str]:
    free = [f"`{name}`" for name in model.model_fields if name in getattr(model, "free", ())]
    if free:
        yield f"May change when a run is [resumed](runs.md): {', '.join(free)}.\n"


def _link(model: str) -> str:
    heading = LINKS.get(model)
    return f"[{heading.lower()}](#{heading.lower().replace(' ', '-')})" if heading else model
