"""The registry: which plugins are installed, what they provide, and what is wrong with those that cannot be used."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import metadata
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pluggy

from allmodes.registry import distributions, hookspecs
from allmodes.system.paths import looks_like_path
from allmodes.text.suggest import did_you_mean, nearest
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


HOOKS = frozenset(name for door in (hookspecs.Providers, hookspecs.Observers) for name in vars(door) if name[0] != "_")


class PluginError(Exception):
    """A plugin breaks a rule of the registry, or two installed plugins contradict each other."""


@dataclass(frozen=True)
class Plugin:
    """A plugin as it was found; `error` says why it could not be loaded, `origin` where it was installed from."""

    name: str
    distribution: str
    version: str
    error: str | None = None
    origin: str = field(default="", compare=False)

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


@dataclass(eq=False)
class Registry:
    """What is installed. Build it with `installed()`, or register plugins by hand in tests."""

    plugins: dict[str, Plugin] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hooks = pluggy.PluginManager(hookspecs.PROJECT)
        self.hooks.add_hookspecs(hookspecs.Providers)
        self.hooks.add_hookspecs(hookspecs.Observers)
        self._kinds: dict[type[KindConfig], dict[str, Kind]] = {base: {} for base in SLOTS.values()}
        self._recipes: dict[str, Path] = {}

    # Registration

    def load(self, entry_point: EntryPoint, distribution: Distribution) -> None:
        """Import and register a plugin; one that cannot be imported, or wants another allmodes, is kept with its error.

        Raises PluginError where two distributions provide a plugin of one name, and so the same kinds.
        """
        name, version = distribution.metadata["Name"], distribution.version
        plugin = Plugin(entry_point.name, name, version, origin=distributions.origin(distribution))
        self._refuse_second(plugin)
        try:
            _refuse_unsupported(distribution)
            module = entry_point.load()
        except (Exception, SystemExit) as error:
            self.plugins[plugin.name] = _failed(plugin, error)
        else:
            self.register(module, plugin)

    def register(self, module: object, plugin: Plugin) -> None:
        """Add a plugin with all that it provides; one that breaks a rule provides nothing and is kept with its error.

        Raises PluginError where a plugin of that name is there already.
        """
        self._refuse_second(plugin)
        try:
            _refuse_several_words(plugin)
            _refuse_misspelt(module)
            self.hooks.register(module, plugin.name)
            kinds = {base: self._kinds_of(plugin, hook, base) for hook, base in SLOTS.items()}
            recipes = self._recipes_of(plugin)
        except Exception as error:
            self._forget(plugin)
            self.plugins[plugin.name] = _failed(plugin, error)
        else:
            self._add(plugin, kinds, recipes)

    def observe(self, observer: object, name: str) -> None:
        """Add an observer of this process, such as the terminal."""
        _refuse_misspelt(observer)
        self.hooks.register(observer, name)

    @contextmanager
    def observing(self, observers: Mapping[str, object]) -> Iterator[None]:
        """Observers by name, for as long as the block lasts."""
        for name, observer in observers.items():
            self.observe(observer, name)
        try:
            yield
        finally:
            for observer in observers.values():
                self.hooks.unregister(observer)

    # What is provided

    def of(self, base: type[KindConfig]) -> Mapping[str, Kind]:
        """The kinds of a slot by name, sorted."""
        return dict(sorted(self._kinds[base].items()))

    def all_kinds(self) -> Iterator[tuple[str, Kind]]:
        """Every kind with the word of its slot, sorted within it."""
        for base in self._kinds:
            for kind in self.of(base).values():
                yield WORDS[base], kind

    @property
    def recipes(self) -> Mapping[str, Path]:
        """Ready specs by name, sorted: `<plugin>/<recipe>`."""
        return dict(sorted(self._recipes.items()))

    @property
    def broken(self) -> Mapping[str, Plugin]:
        """Plugins that could not be loaded, by name."""
        return {name: plugin for name, plugin in self.plugins.items() if plugin.error}

    def versions(self, kinds: Iterable[str] = ()) -> dict[str, str]:
        """Distributions and versions of the core and of the plugins that provide kinds by name."""
        used = {CORE} | {kind.partition(".")[0] for kind in kinds if "." in kind}
        return {p.distribution: p.version for name, p in sorted(self.plugins.items()) if name in used}

    def advice(self, base: type[KindConfig] | None, word: str) -> str:
        """What to tell somebody who asks for a kind that is not there, in a slot or (None) in any."""
        owner, dot, _ = word.partition(".")
        slot = WORDS[base] if base else "kind"
        if dot and (plugin := self.broken.get(owner)):
            return f"{slot} {word!r} comes from {plugin}, which could not be loaded: {plugin.error}"
        elsewhere = next((f" (it is for {WORDS[slot]})" for slot, kinds in self._kinds.items() if word in kinds), "")
        kinds = self.of(base) if base else {kind.name: kind for _, kind in self.all_kinds()}
        have = f"Installed: {', '.join(kinds) or 'none'}" if base else "`allmodes plugins` lists all"
        return f"no installed plugin provides {slot} {word!r}{elsewhere or self._hint(kinds, word)}. {have}"

    def _hint(self, kinds: Mapping[str, Kind], word: str) -> str:
        """The kind that a word may mean, or the package of a plugin that is not there."""
        owner, dot, _ = word.partition(".")
        if not dot or not owner.isidentifier() or looks_like_path(word):
            return did_you_mean(word, kinds)
        if not (near := nearest(owner, self.plugins)):
            return f": pip install allmodes-{owner}"
        return did_you_mean(word, [name for name, kind in kinds.items() if kind.plugin.name == near])

    def tell(self, hook: str, warn: Callable[[str], None], **arguments: Any) -> None:
        """Call an observer hook on each observer in turn; one that fails is reported and does not stop the others."""
        for implementation in getattr(self.hooks.hook, f"allmodes_{hook}").get_hookimpls():
            chosen = {name: arguments[name] for name in implementation.argnames}
            try:
                implementation.function(**chosen)
            except Exception as error:
                warn(f"observer {implementation.plugin_name!r} failed in {hook}: {type(error).__name__}: {error}")

    # How a plugin is taken in

    def _add(self, plugin: Plugin, kinds: Mapping[type[KindConfig], dict[str, Kind]], recipes: dict[str, Path]) -> None:
        self.plugins[plugin.name] = plugin
        self._recipes |= recipes
        for base, found in kinds.items():
            self._kinds[base] |= found

    def _forget(self, plugin: Plugin) -> None:
        if self.hooks.has_plugin(plugin.name):
            self.hooks.unregister(name=plugin.name)

    def _kinds_of(self, plugin: Plugin, hook: str, base: type[KindConfig]) -> dict[str, Kind]:
        kinds: dict[str, Kind] = {}
        for result in self._results(plugin, hook):
            for config in result:
                kind = Kind(_checked(config, base, hook), plugin)
                _refuse_foreign(kind.name, plugin, ".")
                _refuse_wrongly_renamed(kind, plugin)
                if kind.name in kinds:
                    raise PluginError(f"allmodes_{hook} returns {kind.name!r} twice")
                kinds[kind.name] = kind
        return kinds

    def _recipes_of(self, plugin: Plugin) -> dict[str, Path]:
        recipes: dict[str, Path] = {}
        for folder in self._results(plugin, "recipes"):
            if not Path(folder).is_dir():
                raise PluginError(f"allmodes_recipes returns {str(folder)!r}, which is no folder")
            for path in Path(folder).glob("*/*.yaml"):
                recipes[f"{path.parent.name}/{path.stem}"] = path
        for name in recipes:
            _refuse_foreign(name, plugin, "/")
            if name in self._recipes:
                raise PluginError(f"recipe {name!r} is there already: choose another name for the plugin")
        return recipes

    def _results(self, plugin: Plugin, hook: str) -> list[Any]:
        """What one plugin returns from a provider hook: one result, or none."""
        implementations = getattr(self.hooks.hook, f"allmodes_{hook}").get_hookimpls()
        return [i.function() for i in implementations if i.plugin_name == plugin.name]

    def _refuse_second(self, plugin: Plugin) -> None:
        if first := self.plugins.get(plugin.name):
            raise PluginError(f"plugin {plugin.name!r} is provided by both {first} and {plugin}: uninstall one")


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
        for distribution in reversed(list(metadata.distributions()))  # the first on the path wins, as on import
        for entry_point in distribution.entry_points
        if entry_point.group == hookspecs.PROJECT
    }
    return [found[key] for key in sorted(found, key=lambda key: (key[0] != CORE, key))]


def _refuse_misspelt(module: object) -> None:
    """Neither a hook that nobody calls nor a forgotten marker passes unnoticed, as both would with pluggy alone."""
    for name, function in inspect.getmembers_static(module, callable):
        options = getattr(function, f"{hookspecs.PROJECT}_impl", None)
        if options is None and name in HOOKS:
            raise PluginError(f"{name} is not marked as a hook: put @hookimpl above it")
        hook = options and (options.get("specname") or name)
        if hook and hook not in HOOKS:
            raise PluginError(f"there is no hook {hook!r}{did_you_mean(hook, HOOKS)}")


def _refuse_unsupported(distribution: Distribution) -> None:
    if what := distributions.unsupported(distribution, CORE):
        raise PluginError(what)


def _checked(config: Any, base: type[KindConfig], hook: str) -> type[KindConfig]:
    if not (isinstance(config, type) and issubclass(config, base)):
        raise PluginError(f"allmodes_{hook} returns {config!r}, which is no subclass of {base.__name__}")
    config.model_rebuild()  # raises where a field's type is not defined
    kind = config.model_fields["kind"]
    if get_origin(kind.annotation) is not Literal or get_args(kind.annotation) != (kind.default,):
        raise PluginError(f'{config.__name__} must declare its kind: kind: Literal["word"] = "word"')
    return config


def _refuse_several_words(plugin: Plugin) -> None:
    """Kinds are told apart by their plugin's name, up to the first dot."""
    if not plugin.name.isidentifier():
        raise PluginError(f"a plugin's name is one word, but its entry point is called {plugin.name!r}")


def _refuse_foreign(name: str, plugin: Plugin, separator: str) -> None:
    if plugin.name != CORE and not name.startswith(plugin.name + separator):
        raise PluginError(f"provides {name!r}, but its names must begin with {plugin.name + separator!r}")


def _refuse_wrongly_renamed(kind: Kind, plugin: Plugin) -> None:
    """An older word that nobody could mean, or that means something else today, is the author's slip."""
    fields = kind.config.model_fields
    for renamed in kind.config.renamed:
        if renamed.new == kind.name:
            _refuse_foreign(renamed.old, plugin, ".")
        elif renamed.new not in fields:
            raise PluginError(f"{kind.name}: {renamed.old!r} is renamed {renamed.new!r}, which is no option of it")
        elif renamed.old in fields:
            raise PluginError(f"{kind.name}: {renamed.old!r} is renamed {renamed.new!r}, but is still an option of it")


def _failed(plugin: Plugin, error: BaseException) -> Plugin:
    text = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
    return replace(plugin, error=" ".join(text.split()))


__all__ = [
    "Kind",
    "Plugin",
    "PluginError",
    "Registry",
    "installed",
]
