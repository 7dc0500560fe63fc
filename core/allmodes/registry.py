"""The registry: which plugins are installed, what they provide, and what is wrong with those that cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from typing import Any

import pluggy

from allmodes import hookspecs
from allmodes_schemas import (
    AuxiliaryConfig,
    DatasetConfig,
    FeatureConfig,
    KindConfig,
    LossTermConfig,
    MetricConfig,
    NetworkConfig,
    PriorConfig,
)

CORE = "allmodes"

SLOTS: Mapping[str, type[KindConfig]] = {
    "latent_priors": PriorConfig,
    "auxiliary_networks": AuxiliaryConfig,
    "loss_terms": LossTermConfig,
    "datasets": DatasetConfig,
    "networks": NetworkConfig,
    "features": FeatureConfig,
    "metrics": MetricConfig,
}
"""Provider hooks (without their prefix) and the base of what they return."""

WORDS: Mapping[type[KindConfig], str] = {
    PriorConfig: "prior",
    AuxiliaryConfig: "auxiliary",
    LossTermConfig: "loss",
    DatasetConfig: "data",
    NetworkConfig: "network",
    FeatureConfig: "features",
    MetricConfig: "metric",
}


class PluginError(Exception):
    """Installed plugins contradict each other or the rules of the registry."""


@dataclass(frozen=True)
class Plugin:
    """A plugin as it was found; `error` says why it could not be loaded."""

    name: str
    distribution: str
    version: str
    error: str | None = None

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True)
class Kind:
    """A config class and the plugin that provides it."""

    config: type[KindConfig]
    plugin: Plugin

    @property
    def name(self) -> str:
        """The word in a spec."""
        return self.config.kind_name()


@dataclass
class Registry:
    """What is installed. Build it with `installed()`, or register plugins by hand in tests."""

    plugins: dict[str, Plugin] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hooks = pluggy.PluginManager(hookspecs.PROJECT)
        self.hooks.add_hookspecs(hookspecs.Providers)
        self.hooks.add_hookspecs(hookspecs.Observers)

    # Registration

    def register(self, module: object, plugin: Plugin) -> None:
        """Add a plugin; a misspelt hook or argument is kept as the plugin's error."""
        try:
            self._refuse_misspelt(module)
            self.hooks.register(module, plugin.name)
        except (pluggy.PluginValidationError, PluginError) as error:
            plugin = _failed(plugin, error)
        self.plugins[plugin.name] = plugin

    def observe(self, observer: object, name: str) -> None:
        """Add an observer of this process, such as the terminal."""
        self.hooks.register(observer, name)

    def load(self, entry_point: EntryPoint, distribution: Distribution) -> None:
        """Import a plugin; one that cannot be imported is kept with its error."""
        plugin = Plugin(entry_point.name, distribution.metadata["Name"], distribution.version)
        if plugin.name in self.plugins:
            raise PluginError(
                f"plugin {plugin.name!r} is provided by both {self.plugins[plugin.name]} and {plugin}: uninstall one"
            )
        try:
            module = entry_point.load()
        except (Exception, SystemExit) as error:
            self.plugins[plugin.name] = _failed(plugin, error)
        else:
            self.register(module, plugin)

    @staticmethod
    def _refuse_misspelt(module: object) -> None:
        """pluggy silently ignores an unknown hook until asked; this names it while the plugin is known."""
        known = [name for name in dir(hookspecs.Providers) + dir(hookspecs.Observers) if name.startswith("allmodes_")]
        for name in dir(module):
            if name.startswith("allmodes_") and name not in known and hasattr(getattr(module, name), "allmodes_impl"):
                raise PluginError(f"there is no hook {name!r}{did_you_mean(name, known)}")

    # What is provided

    @cached_property
    def kinds(self) -> Mapping[type[KindConfig], Mapping[str, Kind]]:
        """By slot, the kinds by name, sorted.

        Raises PluginError where two plugins claim a kind or a plugin claims one that is not its own.
        """
        self.hooks.check_pending()
        return {base: self._collect(hook, base) for hook, base in SLOTS.items()}

    def of(self, base: type[KindConfig]) -> Mapping[str, Kind]:
        """The kinds of a slot by name."""
        return self.kinds[base]

    def all_kinds(self) -> Iterator[tuple[str, Kind]]:
        """Every kind with the word of its slot."""
        for base, kinds in self.kinds.items():
            for kind in kinds.values():
                yield WORDS[base], kind

    @cached_property
    def recipes(self) -> Mapping[str, Path]:
        """Ready specs by name: `veegan/grid`."""
        folders = [(plugin, Path(folder)) for plugin, folder in self._results("recipes")]
        found = [
            (f"{path.parent.name}/{path.stem}", path, plugin)
            for plugin, folder in folders
            for path in sorted(folder.glob("*/*.yaml"))
        ]
        for name, _, plugin in found:
            self._refuse_foreign(name, plugin, "/")
        return {name: path for name, path, _ in sorted(found, key=lambda f: f[0])}

    @property
    def broken(self) -> Mapping[str, Plugin]:
        """Plugins that could not be loaded, by name."""
        return {name: plugin for name, plugin in self.plugins.items() if plugin.error}

    def versions(self, kinds: Iterable[str] = ()) -> dict[str, str]:
        """Distributions and versions of the core and of the plugins that provide kinds by name."""
        used = {CORE} | {kind.partition(".")[0] for kind in kinds if "." in kind}
        return {p.distribution: p.version for name, p in sorted(self.plugins.items()) if name in used}

    def advice(self, base: type[KindConfig], word: str) -> str:
        """What to tell somebody whose spec asks for a kind that is not there."""
        owner, dot, _ = word.partition(".")
        if (plugin := self.broken.get(owner)) and dot:
            return f"{WORDS[base]} {word!r} comes from {plugin}, which could not be loaded: {plugin.error}"
        hint = did_you_mean(word, list(self.of(base)))
        if not hint and dot and owner not in self.plugins:
            hint = f": pip install allmodes-{owner}"
        have = ", ".join(self.of(base)) or "none"
        return f"no installed plugin provides {WORDS[base]} {word!r}{hint}. Installed: {have}"

    def tell(self, hook: str, warn: Callable[[str], None], **arguments: Any) -> None:
        """Call an observer hook on each observer in turn; one that fails is reported and does not stop the others."""
        for implementation in getattr(self.hooks.hook, f"allmodes_{hook}").get_hookimpls():
            chosen = {name: arguments[name] for name in implementation.argnames}
            try:
                implementation.function(**chosen)
            except Exception as error:
                warn(f"observer {implementation.plugin_name!r} failed in {hook}: {type(error).__name__}: {error}")

    def _collect(self, hook: str, base: type[KindConfig]) -> Mapping[str, Kind]:
        kinds: dict[str, Kind] = {}
        for plugin, configs in self._results(hook):
            for config in configs:
                kind = Kind(self._checked(config, base, hook, plugin), plugin)
                self._refuse_foreign(kind.name, plugin, ".")
                self._refuse_clash(kinds.get(kind.name), kind, base)
                kinds[kind.name] = kind
        return dict(sorted(kinds.items()))

    def _results(self, hook: str) -> Iterator[tuple[Plugin, Any]]:
        """Call a provider hook plugin by plugin; a plugin whose hook fails is kept with its error."""
        for implementation in getattr(self.hooks.hook, f"allmodes_{hook}").get_hookimpls():
            plugin = self.plugins.get(implementation.plugin_name)
            if plugin is None:
                continue
            try:
                result = implementation.function()
                yield plugin, result if hook == "recipes" else tuple(result)
            except PluginError:
                raise
            except Exception as error:
                self.plugins[plugin.name] = _failed(plugin, error)

    @staticmethod
    def _checked(config: Any, base: type[KindConfig], hook: str, plugin: Plugin) -> type[KindConfig]:
        if not (isinstance(config, type) and issubclass(config, base)):
            raise PluginError(
                f"allmodes_{hook} of {plugin} returned {config!r}, which is no subclass of {base.__name__}"
            )
        return config

    @staticmethod
    def _refuse_foreign(name: str, plugin: Plugin, separator: str) -> None:
        if plugin.name != CORE and not name.startswith(plugin.name + separator):
            raise PluginError(
                f"{plugin} provides {name!r}, but its names must begin with {plugin.name + separator!r} "
                f"(its entry point is called {plugin.name!r}): rename it, or uninstall {plugin.distribution}"
            )

    @staticmethod
    def _refuse_clash(first: Kind | None, second: Kind, base: type[KindConfig]) -> None:
        if first is not None:
            raise PluginError(
                f"{WORDS[base]} {second.name!r} is provided by both {first.plugin} and {second.plugin}: uninstall one"
            )


def installed(observers: Mapping[str, object] | None = None) -> Registry:
    """A registry of everything that is installed: entry points of the group `allmodes`, loaded one by one by name."""
    registry = Registry()
    for entry_point, distribution in _entry_points():
        registry.load(entry_point, distribution)
    for name, observer in (observers or {}).items():
        registry.observe(observer, name)
    return registry


def _entry_points() -> list[tuple[EntryPoint, Distribution]]:
    """Entry points with their distributions: the core first, the others by name, each distribution once."""
    found = {
        (entry_point.name, distribution.metadata["Name"]): (entry_point, distribution)
        for distribution in reversed(list(distributions()))  # the first on the path wins, as on import
        for entry_point in distribution.entry_points
        if entry_point.group == hookspecs.PROJECT
    }
    return [found[key] for key in sorted(found, key=lambda key: (key[0] != CORE, key))]


def _failed(plugin: Plugin, error: BaseException) -> Plugin:
    text = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
    return Plugin(plugin.name, plugin.distribution, plugin.version, text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for a near miss, else nothing."""
    near = get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


__all__ = ["Kind", "Plugin", "PluginError", "Registry", "did_you_mean", "installed"]
