"""The contract of a kind of any slot: installed, described, frozen, stored as text, and read without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, cast

from allmodes.registry.registry import Registry, installed
from allmodes.registry.slots import SLOT_BASES, SLOT_NAMES, Kind
from allmodes.specs.loading import dump, schema
from allmodes.specs.source import read
from allmodes.specs.union import plain, spec_model
from allmodes.testing.advice import explain_errors
from allmodes_schemas import KindConfig, Spec

PLAIN: Mapping[str, Any] = {
    "name": "contract",
    "data": {"kind": "ring"},
    "prior": {"kind": "gaussian", "dim": 2},
    "generator": {"kind": "mlp", "hidden": [8]},
    "discriminator": {"kind": "mlp", "hidden": [8]},
    "losses": [{"kind": "non_saturating"}],
}
"""A spec of the core's kinds, in which the tested kind replaces one."""


class Installed:
    """A class attribute: the registry of what is installed, made at the first access."""

    def __get__(self, contract: object, owner: type | None = None) -> Registry:
        """Return the registry."""
        return installed_once()


@cache
def installed_once() -> Registry:
    """Find what is installed, once for all tests."""
    return installed()


INSTALLED = cast("Registry", Installed())


class KindContract:
    """Base of all contracts of kinds.

    Attributes:
        registry: Where the kind is looked for; by default all that is installed.
        base: Base of the slot's config classes.
        config: The settings that are tested.
    """

    registry: ClassVar[Registry] = INSTALLED
    base: ClassVar[type[KindConfig]]
    config: ClassVar[Any]

    def test_the_kind_is_installed_under_its_plugins_name(self) -> None:
        """The registry finds the config class by its kind."""
        found = self.kind()
        assert found.config is type(self.config), (
            f"{found.name!r} is provided by {found.config.__module__}.{found.config.__name__}, not by "
            f"{type(self.config).__module__}: is another version of the plugin installed?"
        )

    def test_the_docstring_begins_with_a_sentence(self) -> None:
        """`allmodes plugins` shows it."""
        name, first = type(self.config).__name__, type(self.config).summary()
        assert first, f"{name} has no docstring: `allmodes plugins` shows its first line"
        assert first.endswith((".", ".)")), f"end the first line of {name}'s docstring with a full stop: {first!r}"

    def test_every_setting_is_described(self) -> None:
        """The schema and the reference show it."""
        fields = type(self.config).model_fields.items()
        bare = [name for name, field in fields if name != "kind" and not field.description]
        assert not bare, f"put a docstring below {_join(bare)} in {type(self.config).__name__}"

    def test_the_settings_cannot_be_changed(self) -> None:
        """A checked spec cannot change."""
        frozen = type(self.config).model_config.get("frozen")
        assert frozen, f"{type(self.config).__name__} can be changed: leave model_config's frozen=True as it is"

    def test_a_setting_that_nobody_reads_is_refused(self) -> None:
        """A misspelt key is an error."""
        forbidden = type(self.config).model_config.get("extra") == "forbid"
        assert forbidden, (
            f"{type(self.config).__name__} takes any key: leave model_config's extra='forbid' as it is, so that "
            "misspelt settings are refused"
        )

    def test_the_settings_survive_being_stored_as_yaml_and_json(self) -> None:
        """Settings are read again from a run's folder and from MLflow."""
        name = type(self.config).__name__
        with explain_errors(f"{name} cannot be stored in a spec: take fields that pydantic writes and reads as JSON"):
            model = spec_model(self.registry)
            spec = self.in_a_spec()
            stored = {
                "as a spec": spec,
                "as YAML": model.model_validate(plain(read(dump(spec), "stored").tree)),
                "as JSON": model.model_validate_json(spec.model_dump_json()),
            }
        for form, again in stored.items():
            differing = [key for key in type(self.config).model_fields if self._differs(key, again)]
            assert not differing, f"{_join(differing)} of {name}: another value comes back when stored {form}"

    def test_the_settings_have_a_schema(self) -> None:
        """Editors complete and check specs with it."""
        name = self.kind().name  # a plugin with an option that no schema describes is not registered
        assert json.dumps(name) in json.dumps(schema(self.registry)), f"the schema does not name {name!r}"

    def test_reading_the_settings_loads_no_torch(self) -> None:
        """Specs are read, checked and described without torch."""
        entry = self.registry.hooks.get_plugin(self.kind().plugin.name)
        for module in dict.fromkeys((getattr(entry, "__name__", ""), type(self.config).__module__)):
            problem = _check_import(module, tuple(sys.path))
            assert problem == "", f"import {module}: {problem}"

    @property
    def name(self) -> str:
        """Name of the kind in messages."""
        return str(self.config.kind)

    def kind(self) -> Kind:
        """Find the kind in the registry."""
        word = self.config.kind
        kind = self.registry.of(self.base).get(word)
        broken = "; ".join(f"{plugin} could not be loaded: {plugin.error}" for plugin in self.registry.broken.values())
        assert kind is not None, (
            f"{SLOT_NAMES[self.base]} {word!r} is not installed: return {type(self.config).__name__} from the hook "
            f"allmodes_{_hook(self.base)}, and run pip install -e . after adding the entry point"
            f"{f' ({broken})' if broken else ''}"
        )
        return kind

    def in_a_spec(self) -> Spec:
        """Make a spec with the settings at their place; checks across several parts are left out."""
        return spec_model(self.registry).model_validate({**PLAIN, **self.place(plain(self.config))})

    def place(self, settings: Any) -> dict[str, Any]:
        """Put the settings at their place in a spec."""
        raise NotImplementedError(f"{type(self).__name__} does not define place(settings)")

    def find(self, spec: Spec) -> KindConfig:
        """Find the settings at their place in a spec."""
        raise NotImplementedError(f"{type(self).__name__} does not define find(spec)")

    def data_of(self, values: Mapping[str, Any]) -> Any:
        """Build data from the values of a spec."""
        return spec_model(self.registry).model_validate({**PLAIN, "data": dict(values)}).data.build()

    def _differs(self, key: str, spec: Spec) -> bool:
        return bool(plain(getattr(self.find(spec), key)) != plain(getattr(self.config, key)))


def _hook(base: type[KindConfig]) -> str:
    return next(hook for hook, slot in SLOT_BASES.items() if slot is base)


def _join(names: list[str]) -> str:
    return ", ".join(names)


@cache
def _check_import(module: str, path: tuple[str, ...]) -> str:
    """Import a module in a fresh process, once for each module; returns the problem, or an empty text."""
    code = "import importlib, sys; importlib.import_module(sys.argv[1]); sys.exit(3 * ('torch' in sys.modules))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, module], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode == 3:
        return "loads torch, and so would reading any spec: import torch inside build()"
    return "" if done.returncode == 0 else f"fails: {done.stderr.strip().splitlines()[-1]}"
