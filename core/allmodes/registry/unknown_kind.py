"""The error message for a kind that no installed plugin provides."""

from __future__ import annotations

from collections.abc import Mapping

from allmodes.registry.given import is_given, unknown_object
from allmodes.registry.registry import Registry
from allmodes.registry.slots import SLOT_NAMES, Kind
from allmodes.system.paths import looks_like_path
from allmodes.text.suggest import did_you_mean, nearest
from allmodes_schemas import KindConfig


def unknown_kind(registry: Registry, base: type[KindConfig] | None, kind: str) -> str:
    """The error message for an unknown kind of a slot or, where the base of its configs is None, of any slot."""
    slot = SLOT_NAMES[base] if base else "kind"
    if is_given(kind):
        return f"{slot} {unknown_object(registry, base, kind)}"
    owner, dot, _ = kind.partition(".")
    if dot and (plugin := registry.broken.get(owner)):
        return f"{slot} {kind!r} comes from {plugin}, which could not be loaded: {plugin.error}"
    everywhere = list(registry.all_kinds())
    kinds = registry.of(base) if base else {found.name: found for _, found in everywhere}
    hint = next(
        (f" (it is for {name})" for name, found in everywhere if found.name == kind), _hint(registry, kinds, kind)
    )
    installed = f"Installed: {', '.join(kinds) or 'none'}" if base else "`allmodes plugins` lists all"
    return f"no installed plugin provides {slot} {kind!r}{hint}. {installed}"


def _hint(registry: Registry, kinds: Mapping[str, Kind], kind: str) -> str:
    """A similar kind, or the package of a plugin that is not installed."""
    owner, dot, _ = kind.partition(".")
    if not dot or not owner.isidentifier() or looks_like_path(kind):
        return did_you_mean(kind, kinds)
    if not (near := nearest(owner, registry.plugins)):
        return f": pip install allmodes-{owner}"
    return did_you_mean(kind, [name for name, found in kinds.items() if found.plugin.name == near])
