"""What was passed from Python, by name, and losses of it: functions of the step as loss terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn
from typing_extensions import override

from allmodes.game.losses import Game, Loss, LossTerm
from allmodes.game.plain_networks import copy_module
from allmodes.registry.given import NAME, Given, name_kind, words_for
from allmodes.specs.source import SpecError

GAME = {"discriminator", "generator"}
"""The players of a game."""


def give_all(keyword: str, objects: Any, give: Callable[[Any], Given]) -> dict[str, Given]:
    """The objects that were passed as a keyword argument, by name, as components are built from them.

    Raises SpecError where they have no names, or one cannot stand in its place.
    """
    if not isinstance(objects, Mapping):
        raise SpecError(f"{keyword}: is {name_kind(objects)}: pass objects by name, such as {keyword}={{'mine': ...}}")
    return {name: _give(keyword, name, thing, give) for name, thing in objects.items()}


def _give(keyword: str, name: Any, thing: Any, give: Callable[[Any], Given]) -> Given:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise SpecError(f"{keyword}: {name!r} is no name: use letters, digits and _, a letter first")
    try:
        return give(thing)
    except TypeError as error:
        raise SpecError(f"{keyword}: {name!r} {error}") from None


class GivenLoss(LossTerm):
    """Functions of the step, by player, as a loss term."""

    def __init__(self, functions: Mapping[str, Loss], options: Mapping[str, Any]) -> None:
        super().__init__()
        self.functions = {player: partial(loss, **options) if options else loss for player, loss in functions.items()}

    @override
    def losses(self) -> Mapping[str, Loss]:
        return self.functions


def give_loss(thing: Any) -> Given:
    """A function of the step, two of them by player for a game, or an `allmodes.LossTerm`, as terms are built from it.

    Raises TypeError for anything else.
    """
    if isinstance(thing, type) and issubclass(thing, LossTerm):
        return Given(lambda config: thing(**config.options), words_for(thing), issubclass(thing, Game))
    if isinstance(thing, LossTerm):
        return Given(lambda config: copy_module(thing, config), words_for(thing), isinstance(thing, Game))
    if isinstance(thing, Mapping) and thing.keys() == GAME and all(map(callable, thing.values())):
        return Given(lambda config: GivenLoss(thing, config.options), words_for(thing), is_game=True)
    if isinstance(thing, nn.Module) or not callable(thing):
        what = "a function of the step, {'discriminator': ..., 'generator': ...} for a game, or an allmodes.LossTerm"
        raise TypeError(f"is {name_kind(thing)}: give {what}")
    return Given(lambda config: GivenLoss({config.player: thing}, config.options), words_for(thing))
