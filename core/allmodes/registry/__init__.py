"""Which plugins and kinds are installed; observers. Loads no torch."""

from allmodes.registry.hookspecs import hookimpl
from allmodes.registry.registry import Registry, installed
from allmodes.registry.slots import SLOT_BASES, SLOT_NAMES, Kind, Plugin, PluginError
from allmodes.registry.unknown_kind import unknown_kind

__all__ = [
    "SLOT_BASES",
    "SLOT_NAMES",
    "Kind",
    "Plugin",
    "PluginError",
    "Registry",
    "hookimpl",
    "installed",
    "unknown_kind",
]
