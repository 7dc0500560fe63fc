"""Looking into kinds that hold others: wrappers of networks, and games within losses."""

from collections.abc import Iterator
from typing import TypeVar

from allmodes import LossTermConfig, NetworkConfig, Problem, Spec

Sort = TypeVar("Sort", bound=NetworkConfig)


def find(network: NetworkConfig | None, sort: type[Sort]) -> Sort | None:
    """The first network of a kind, this one or within it; None where there is none."""
    if network is None or isinstance(network, sort):
        return network
    inner = (getattr(network, name) for name in type(network).model_fields)
    found = (find(value, sort) for value in inner if isinstance(value, NetworkConfig))
    return next((value for value in found if value is not None), None)


def check_game(wrapper: LossTermConfig, game: LossTermConfig, spec: Spec) -> Iterator[Problem]:
    """The problem of a game that a loss holds, that it is none."""
    if not game.is_game:
        where = (*spec.where(wrapper), "game")
        yield Problem(where, f"{wrapper.kind} holds a game, which {game.kind} is not: list it under losses")
