"""Contracts for all that a distribution provides, without a test of its author's."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest
from typing_extensions import override

from allmodes.data.base import Data, DataError
from allmodes.registry.registry import Registry
from allmodes.registry.slots import Kind
from allmodes.specs.source import SpecError
from allmodes.testing.auxiliaries import AuxiliaryContract
from allmodes.testing.datasets import DatasetContract
from allmodes.testing.features import FeatureContract
from allmodes.testing.kinds import KindContract
from allmodes.testing.losses import LossTermContract
from allmodes.testing.metrics import MetricContract
from allmodes.testing.networks import NetworkContract
from allmodes.testing.occasions import Occasion, Recipes, find_occasions, list_required
from allmodes.testing.priors import PriorContract
from allmodes.testing.recipes import RecipeContract
from allmodes.testing.references import ReferenceContract
from allmodes.testing.samplers import SamplerContract
from allmodes_schemas import KindConfig

MISSING = (DataError, OSError)
"""What data raise whose files are not there: nobody's fault."""


UNTRIED = "not tried: "
"""How the reason of a test begins that is skipped since it could not be tried, and not since it does not apply."""


class InstalledDataset(DatasetContract):
    """The contract of data, which may be in files that are not here."""

    @override
    def build(self) -> Data:
        try:
            return super().build()
        except MISSING as error:
            give_up(f"its data cannot be read: {first_line(error)}")


class InstalledRecipe(RecipeContract):
    """The contract of a recipe, whose data may be in files that are not here."""

    @override
    def run(self, folder: Path, *cuts: int) -> Path:
        try:
            self.load().data.build()
        except MISSING as error:
            give_up(f"its data cannot be read: {first_line(error)}")
        return super().run(folder, *cuts)


class QuickRecipe(RecipeContract):
    """The contract of a recipe without training."""

    @override
    def run(self, folder: Path, *cuts: int) -> Path:
        give_up("--quick trains nothing")


CONTRACTS: tuple[type[KindContract], ...] = (
    PriorContract, AuxiliaryContract, LossTermContract, SamplerContract, InstalledDataset, NetworkContract,
    FeatureContract, MetricContract, ReferenceContract,
)  # fmt: skip
TRIALS: Mapping[type[KindContract], Callable[[Any], object]] = {
    PriorContract: lambda contract: contract.build(),
    AuxiliaryContract: lambda contract: contract.compute_outputs(contract.build()),
    LossTermContract: lambda contract: _try_term(contract),
    SamplerContract: lambda contract: contract.composition(),
    InstalledDataset: lambda contract: contract.config.build(),
    NetworkContract: lambda contract: contract.compute_outputs(contract.build()),
    FeatureContract: lambda contract: contract.features(),
    MetricContract: lambda contract: contract.measure(),
    ReferenceContract: lambda contract: contract.fit(contract.build_data()),
}
"""What shows that an occasion suits a kind."""


def list_titles(names: Collection[str], registry: Registry) -> dict[str, Kind | str]:
    """What plugins of these names provide: by title the kind, or the recipe's name."""
    kinds = {f"{slot} {kind.name}": kind for slot, kind in registry.all_kinds() if kind.plugin.name in names}
    return {**kinds, **{f"recipe {name}": name for name in registry.recipes if name.partition("/")[0] in names}}


def make_contracts(things: Mapping[str, Kind | str], registry: Registry, quick: bool) -> Iterator[tuple[str, Any]]:
    """For each title, the class of its tests, or as a text why it cannot be tried."""
    recipes, recipe_contract = Recipes(registry), QuickRecipe if quick else InstalledRecipe
    for title, thing in things.items():
        if isinstance(thing, str):
            yield title, _derive(recipe_contract, title, {"recipe": thing})
        else:
            yield title, _choose(title, thing, recipes)


def give_up(why: str) -> NoReturn:
    """Leave a test that cannot be tried."""
    pytest.skip(f"{UNTRIED}{why}")


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _choose(title: str, kind: Kind, recipes: Recipes) -> type | str:
    """The contract of a kind at the first occasion that suits it.

    Where none does, at the plainest: its tests say what fails. Or why there is none.
    """
    contract = _contract_of(kind.config)
    tried = list[tuple[type, BaseException]]()
    for occasion in find_occasions(kind, contract.base, recipes):
        derived = _derive(contract, title, occasion)
        try:
            _try(contract, derived)
        except Exception as error:
            tried.append((derived, _root(error)))
        else:
            return derived
    return _explain(kind, tried)


def _try(contract: type[KindContract], derived: type) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        TRIALS[contract](derived())


def _explain(kind: Kind, tried: list[tuple[type, BaseException]]) -> type | str:
    """The first occasion at which the kind itself failed, or why there is none."""
    if not tried:
        required = ", ".join(list_required(kind))
        return f"no recipe uses it, and it {f'needs values for {required}' if required else 'takes no usual shapes'}"
    for derived, error in tried:
        if not isinstance(error, (*MISSING, SpecError)):
            return derived
    for _, error in tried:
        if isinstance(error, MISSING):
            return f"its data cannot be read: {first_line(error)}"
    derived, error = tried[-1]
    return f"it does not fit into {getattr(derived, 'recipe', 'a plain spec')}: {first_line(error)}"


def _try_term(contract: LossTermContract) -> None:
    """See whether a term teaches its players: settings may fit into a spec and yet leave nothing to learn there."""
    composition, step = contract.make_moved_step()
    for player in contract.find_players(composition):
        if not contract.find_reached(composition, step, player):
            raise LookupError(f"its loss of {player!r} has no gradient")


def _root(error: BaseException) -> BaseException:
    """The error that a contract explains; missing data and misfits have causes of their own."""
    known = isinstance(error, (*MISSING, SpecError))
    return error if known or error.__cause__ is None else _root(error.__cause__)


def _contract_of(config: type[KindConfig]) -> type[KindContract]:
    return next(contract for contract in CONTRACTS if issubclass(config, contract.base))


def _derive(contract: type, title: str, occasion: Occasion) -> type:
    name = f"Test{re.sub('[^0-9a-zA-Z]', '_', title)}"
    return type(name, (contract,), {"title": title, "__module__": __name__, "__doc__": title, **occasion})
