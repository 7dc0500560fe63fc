"""Which plugins and kinds are installed; observers. Loads no torch."""

from allmodes.registry.hookspecs import hookimpl
from allmodes.registry.registry import SLOTS, Kind, Plugin, PluginError, Registry, installed

__all__ = ["SLOTS", "Kind", "Plugin", "PluginError", "Registry", "hookimpl", "installed"]
