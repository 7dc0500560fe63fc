"""What a kind needs and what it brings, in words, from its config alone."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from allmodes_schemas import AuxiliaryConfig, DatasetConfig, KindConfig, LossTermConfig, Need, PriorConfig


def requires(config: type[KindConfig]) -> list[str]:
    """What a spec must have for this kind to make sense, and the line that adds it."""
    return [_need(need) for need in getattr(config, "needs", ())]


def provides(config: type[KindConfig]) -> list[str]:
    """What others find in a spec with this kind, with the kind's defaults."""
    try:
        return list(_provided(config.model_validate({})))
    except ValidationError:  # an option without a default
        return []


def _need(need: Need) -> str:
    what = {
        "auxiliary": f"an auxiliary that maps data to {need.what}",
        "part": f"a prior with the part {need.what}",
        "labels": "data with labels",
        "truth": "data whose modes are known",
        "joint": "a discriminator with joint",
        "stream": "a stream of labelled items",
    }[need.slot]
    return f"{what}: {need.remedy}" if need.remedy else what


def _provided(config: KindConfig) -> Iterator[str]:
    match config:
        case PriorConfig():
            parts = ", ".join(f"{name} ({size or 'fitted'})" for name, size in config.parts().items())
            yield f"latent parts {parts}{_trained(config.trained_by)}"
        case AuxiliaryConfig():
            yield f"maps {config.sees} to {config.gives}{_trained(config.trained_by)}"
        case LossTermConfig():
            yield from ["the game"] if config.is_game else []
            yield from (f"player {p.name}, which trains {' and '.join(p.modules)}" for p in config.players())
        case DatasetConfig():
            yield from _of_data(config)


def _of_data(config: DatasetConfig) -> Iterator[str]:
    if shape := config.shape():
        yield f"items of shape {' x '.join(map(str, shape))}"
    if classes := config.classes():
        yield f"labels, {classes}"
    if config.known_modes():
        yield "known modes"


def _trained(players: tuple[str, ...]) -> str:
    return f", trained by {' and '.join(players)}" if players else ""
