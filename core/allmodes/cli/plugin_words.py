"""Words that the files of a plugin around a user's file share."""

from __future__ import annotations

from collections.abc import Mapping

from allmodes.cli.python_file import Found, Option, Reading, Slot
from allmodes_schemas import KindConfig, LossTermConfig, MetricConfig, NetworkConfig

BASES: Mapping[Slot, type[KindConfig]] = {"network": NetworkConfig, "loss": LossTermConfig, "metric": MetricConfig}


def kind_of(found: Found, name: str) -> str:
    """The word of a kind in a spec."""
    return f"{name}.{found.word}"


def config_of(found: Found) -> str:
    """The name of its class of settings."""
    return f"{camel(found)}Config"


def slots_of(reading: Reading) -> list[Slot]:
    """The slots that a file has kinds for."""
    return [slot for slot in BASES if any(found.slot == slot for found in reading.found)]


def is_function(found: Found) -> bool:
    """Whether it is a function, and no class."""
    return not found.base


def camel(found: Found) -> str:
    """Its name as a class is called: `MyLoss` for `my_loss`."""
    return "".join(part[:1].upper() + part[1:] for part in found.name.split("_"))


def doc(found: Found) -> str:
    """Its summary as a docstring."""
    summary = found.summary.replace("\\", "").replace('"', "'")
    return f'"""{summary or f"{found.name} of model.py."}"""'


def field_of(found: Found, option: Option) -> str:
    """The name of an option's field, which is no name of the settings' base."""
    taken = hasattr(BASES[found.slot], option.name) or option.name in (*BASES[found.slot].__pydantic_fields__, "player")
    return f"{option.name}_" if taken else option.name


def passed(found: Found) -> list[str]:
    """Its options as arguments, from the settings."""
    return [f"{option.name}=self.{field_of(found, option)}" for option in found.options]
