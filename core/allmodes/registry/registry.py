"""The registry: which plugins are installed, what they provide, and why some of them cannot be used."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import metadata
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from typing import Any

import pluggy

from allmodes.registry import builds, distributions, faults, hookspecs, rules
from allmodes.registry.observers import Hooks, check_observer, choose_arguments
from allmodes.registry.slots import CORE, SLOT_BASES, SLOT_NAMES, Kind, Plugin, PluginError
from allmodes.system import pauses
from allmodes_schemas import KindConfig


@dataclass(eq=False)
class Registry:
    """The installed plugins. Build it with `installed()`, or register plugins by hand in tests."""

    plugins: dict[str, Plugin] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hooks: pluggy.PluginManager = Hooks(hookspecs.PROJECT)
        self.hooks.add_hookspecs(hookspecs.Providers)
        self.hooks.add_hookspecs(hookspecs.Observers)
        self._kinds: dict[type[KindConfig], dict[str, Kind]] = {base: {} for base in SLOT_BASES.values()}
        self._recipes: dict[str, Path] = {}
        self._evidence: dict[str, Path] = {}

    # Registration

    def load(self, entry_point: EntryPoint, distribution: Distribution) -> None:
        """Import and register a plugin; one that cannot be imported, or needs another allmodes, is kept with its error.

        Raises PluginError where two distributions provide a plugin of one name, and so the same kinds.
        """
        plugin = self.leave(entry_point, distribution)
        try:
            rules.check_version(distribution)
            module = entry_point.load()
        except faults.FAULTS as error:
            self.plugins[plugin.name] = _with_error(plugin, error)
        else:
            del self.plugins[plugin.name]
            self.register(module, plugin)

    def leave(self, entry_point: EntryPoint, distribution: Distribution) -> Plugin:
        """Note a plugin without importing it, so that it provides nothing.

        Raises PluginError where two distributions provide a plugin of one name, and so the same kinds.
        """
        name, version = distribution.metadata["Name"], distribution.version
        plugin = Plugin(entry_point.name, name, version, origin=distributions.origin(distribution))
        self._check_new(plugin)
        self.plugins[plugin.name] = plugin
        return plugin

    def register(self, module: object, plugin: Plugin) -> None:
        """Add a plugin with everything that it provides; one that breaks a rule is kept with its error alone.

        Raises PluginError where a plugin of that name already exists.
        """
        self._check_new(plugin)
        try:
            rules.check_name(plugin)
            rules.check_hooks(module)
            self.hooks.register(module, plugin.name)
            kinds = {base: _kinds_of(self.hooks, plugin, hook, base) for hook, base in SLOT_BASES.items()}
            recipes = _recipes_of(self.hooks, plugin, self._recipes)
            evidence = _evidence_of(self.hooks, plugin)
        except faults.FAULTS as error:
            if self.hooks.has_plugin(plugin.name):
                self.hooks.unregister(name=plugin.name)
            self.plugins[plugin.name] = _with_error(plugin, error)
            return
        self.plugins[plugin.name] = plugin
        for code in (module, *(kind.config for found in kinds.values() for kind in found.values())):
            faults.learn(code, plugin)
        self._recipes |= recipes
        self._evidence |= evidence
        for base, found in kinds.items():
            self._kinds[base] |= found
            for kind in found.values():
                builds.guard(kind.config)

    def _check_new(self, plugin: Plugin) -> None:
        if first := self.plugins.get(plugin.name):
            raise PluginError(f"plugin {plugin.name!r} is provided by both {first} and {plugin}: uninstall one")

    # What is provided

    def of(self, base: type[KindConfig]) -> Mapping[str, Kind]:
        """The kinds of a slot by name, sorted."""
        return dict(sorted(self._kinds[base].items()))

    def all_kinds(self) -> Iterator[tuple[str, Kind]]:
        """Every kind with the name of its slot, sorted within it."""
        for base in self._kinds:
            for kind in self.of(base).values():
                yield SLOT_NAMES[base], kind

    def only(self, names: Collection[str]) -> Registry:
        """A registry of the same plugins and recipes, with the kinds of these names alone, and without observers."""
        some = Registry(self.plugins)
        for base, kinds in self._kinds.items():
            some._kinds[base] = {name: kind for name, kind in kinds.items() if name in names}
        some._recipes, some._evidence = self._recipes, self._evidence
        return some

    def with_kinds(self, kinds: Mapping[type[KindConfig], Mapping[str, Kind]]) -> Registry:
        """A registry of the same plugins, recipes and observers, with further kinds by the base of their slot."""
        more = Registry(self.plugins)
        more.hooks, more._recipes, more._evidence = self.hooks, self._recipes, self._evidence
        more._kinds = {base: {**known, **kinds.get(base, {})} for base, known in self._kinds.items()}
        for found in kinds.values():
            for kind in found.values():
                builds.guard(kind.config)
        return more

    @property
    def recipes(self) -> Mapping[str, Path]:
        """Ready specs by name, sorted: `<plugin>/<recipe>`."""
        return dict(sorted(self._recipes.items()))

    @property
    def evidence(self) -> Mapping[str, Path]:
        """Pages of what was measured by name, sorted: `<plugin>/<study>`."""
        return dict(sorted(self._evidence.items()))

    @property
    def broken(self) -> Mapping[str, Plugin]:
        """Plugins that could not be loaded, by name."""
        return {name: plugin for name, plugin in self.plugins.items() if plugin.error}

    def versions(self, kinds: Iterable[str] = ()) -> dict[str, str]:
        """Distributions and versions of the core and of the plugins that provide kinds by name."""
        used = {CORE} | {kind.partition(".")[0] for kind in kinds if "." in kind}
        return {p.distribution: p.version for name, p in sorted(self.plugins.items()) if name in used}

    # Observers

    def observe(self, observer: object, name: str) -> None:
        """Add an observer of this process, such as the terminal.

        Raises PluginError where it cannot observe, or its name or itself is there already.
        """
        check_observer(observer, name)
        if self.hooks.has_plugin(name) or self.hooks.is_registered(observer):
            raise PluginError(f"observer {name!r} is there already, or a plugin of that name: choose another name")
        self.hooks.register(observer, name)

    @contextmanager
    def observing(self, observers: Mapping[str, object]) -> Iterator[None]:
        """Add observers by name for the duration of the block."""
        added = list[object]()
        try:
            for name, observer in observers.items():
                self.observe(observer, name)
                added.append(observer)
            yield
        finally:
            for observer in added:
                self.hooks.unregister(observer)

    def notify(self, hook: str, warn: Callable[[str], None], **arguments: Any) -> None:
        """Call a hook of each observer in turn; one that fails is reported and does not stop the others."""
        for implementation in getattr(self.hooks.hook, f"allmodes_{hook}").get_hookimpls():
            try:
                implementation.function(**choose_arguments(implementation.function, arguments))
            except faults.FAULTS as stop:
                error = faults.as_error(stop)
                faults.blame(error, f"{hook} of observer {implementation.plugin_name!r}", implementation.plugin)
                warn(faults.describe(error))


def installed(observers: Mapping[str, object] | None = None) -> Registry:
    """A registry of everything that is installed: entry points of the group `allmodes`, loaded one by one by name."""
    registry = _installed(lambda _: True)
    for name, observer in (observers or {}).items():
        registry.observe(observer, name)
    return registry


def installed_for(words: Iterable[str]) -> Registry:
    """A registry in which the core is loaded, and the plugins whose kinds or recipes these words may be."""
    return _installed(owners(words).__contains__)


def owners(words: Iterable[str]) -> set[str]:
    """The names of the plugins, the core's included, whose kinds or recipes words may be: both begin with the name."""
    return {CORE, *(word.partition(mark)[0] for word in words for mark in "./")}


def _installed(wanted: Callable[[str], bool]) -> Registry:
    registry = Registry()
    with pauses.no_garbage():
        for entry_point, distribution in _entry_points():
            add = registry.load if wanted(entry_point.name) else registry.leave
            add(entry_point, distribution)
    return registry


def _entry_points() -> list[tuple[EntryPoint, Distribution]]:
    """Entry points with their distributions: the core first, the others by name, each distribution once."""
    found: dict[tuple[str, str], tuple[EntryPoint, Distribution]] = {}
    for distribution in metadata.distributions():
        for entry_point in distribution.entry_points.select(group=hookspecs.PROJECT):
            distribution = distributions.ReadOnce(distribution)
            key = entry_point.name, distribution.metadata["Name"]
            _, first = found.setdefault(key, (entry_point, distribution))  # the first on the path wins, as on import
            if first.version != distribution.version:
                warnings.warn(distributions.describe_copies(first, distribution), stacklevel=3)
    return [found[key] for key in sorted(found, key=lambda key: (key[0] != CORE, key))]


def _kinds_of(hooks: pluggy.PluginManager, plugin: Plugin, hook: str, base: type[KindConfig]) -> dict[str, Kind]:
    """The kinds that a plugin provides for a slot, by name."""
    kinds: dict[str, Kind] = {}
    for config in (config for result in _results(hooks, plugin, hook) for config in rules.check_returned(result, hook)):
        kind = Kind(rules.check_config(config, base, hook), plugin)
        rules.check_prefix(kind.name, plugin, ".")
        rules.check_renames(kind)
        if kind.name in kinds:
            raise PluginError(f"allmodes_{hook} returns {kind.name!r} twice")
        kinds[kind.name] = kind
    return kinds


def _recipes_of(hooks: pluggy.PluginManager, plugin: Plugin, existing: Mapping[str, Path]) -> dict[str, Path]:
    """The files of a plugin's recipes, by name."""
    recipes: dict[str, Path] = {}
    for folder in _folders(hooks, plugin, "recipes"):
        for path in folder.glob("*/*.yaml"):
            recipes[f"{path.parent.name}/{path.stem}"] = path
    for name in recipes:
        rules.check_prefix(name, plugin, "/")
        if name in existing:
            raise PluginError(f"recipe {name!r} already exists: choose another name for the plugin")
    return recipes


def _evidence_of(hooks: pluggy.PluginManager, plugin: Plugin) -> dict[str, Path]:
    """The pages of a plugin's studies, by name."""
    folders = _folders(hooks, plugin, "evidence")
    return {f"{plugin.name}/{path.stem}": path for folder in folders for path in folder.glob("*.json")}


def _folders(hooks: pluggy.PluginManager, plugin: Plugin, hook: str) -> list[Path]:
    """The folders that a plugin's provider hook returns: one, or none."""
    folders = _results(hooks, plugin, hook)
    for folder in folders:
        if not isinstance(folder, str | Path) or not Path(folder).is_dir():
            shown = str(folder) if isinstance(folder, Path) else folder
            raise PluginError(f"allmodes_{hook} returns {shown!r}, which is not a folder")
    return [Path(folder) for folder in folders]


def _results(hooks: pluggy.PluginManager, plugin: Plugin, hook: str) -> list[Any]:
    """The results of a plugin's provider hook: one, or none."""
    implementations = getattr(hooks.hook, f"allmodes_{hook}").get_hookimpls()
    try:
        return [i.function() for i in implementations if i.plugin_name == plugin.name]
    except faults.FAULTS as error:
        raise PluginError(f"allmodes_{hook}: {faults.describe(error)}") from error


def _with_error(plugin: Plugin, error: BaseException) -> Plugin:
    text = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
    return replace(plugin, error=" ".join(text.split()))


__all__ = ["Registry", "installed", "installed_for", "owners"]
