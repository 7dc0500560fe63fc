"""The registry: what is installed is found, what is broken is named, and nothing broken stops the rest."""

import re
import subprocess
import sys
from collections.abc import Mapping
from inspect import getmembers, isfunction, signature
from pathlib import Path
from typing import Any

import pytest

import allmodes.builtin
from allmodes.builtin.config.networks import MlpConfig
from allmodes.registry import hookspecs
from allmodes.registry.registry import Registry, installed
from allmodes.registry.rules import HOOKS
from allmodes.registry.slots import Plugin, PluginError
from allmodes.registry.unknown_kind import unknown_kind
from allmodes.specs import loading
from allmodes_schemas import AuxiliaryConfig, LossTermConfig, PriorConfig
from fixtures.distributions import ACME, Environment, first_party, module
from tiny import SPEC

ROOT = Path(__file__).parents[1]
HOOK = "from allmodes import hookimpl, PriorConfig, NetworkConfig\nfrom typing import Literal\n"
THING = (
    HOOK
    + """
class ThingConfig(PriorConfig):
    kind: Literal["{0}"] = "{0}"
@hookimpl
def allmodes_latent_priors():
    return [{1}]
"""
)
PROVIDERS = {name for name, _ in getmembers(hookspecs.Providers, isfunction)}
OBSERVERS = {name for name, _ in getmembers(hookspecs.Observers, isfunction)}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    return Environment(monkeypatch, tmp_path)


def registered(code: str, name: str = "acme") -> Registry:
    registry = first_party("veegan")
    registry.register(module(code), Plugin(name, f"allmodes-{name}", "1.0"))
    return registry


def error_of(code: str, name: str = "acme") -> str | None:
    return registered(code, name).plugins[name].error


def with_prior(prior: Any, **changes: Any) -> Mapping[str, Any]:
    return {**SPEC, "prior": prior, **changes}


# Found


def test_an_installed_distribution_adds_its_kinds(environment: Environment) -> None:
    environment.install(ACME)
    registry = installed()
    assert registry.plugins["acme"] == Plugin("acme", "allmodes-acme", "1.0")
    assert [name for name in registry.of(PriorConfig) if name.startswith("acme.")] == ["acme.bell", "acme.bump"]
    assert registry.of(PriorConfig)["acme.bump"].plugin.version == "1.0"


def test_an_uninstalled_distribution_adds_nothing() -> None:
    assert "acme" not in installed().plugins


def test_the_built_in_kinds_come_through_the_same_entry_point() -> None:
    registry = installed()
    assert next(iter(registry.plugins)) == "allmodes"
    assert registry.of(PriorConfig)["gaussian"].plugin == registry.plugins["allmodes"]
    assert str(registry.plugins["allmodes"]) == f"allmodes {allmodes.__version__}"
    assert not Registry().of(PriorConfig)


def test_kinds_are_sorted_within_each_slot(environment: Environment) -> None:
    environment.install(ACME)
    registry = installed()
    everything = [(word, kind.name) for word, kind in registry.all_kinds()]
    words = list(dict.fromkeys(word for word, _ in everything))
    assert words == ["prior", "auxiliary", "loss", "sampler", "data", "network", "features", "metric", "reference"]
    for word in words:
        kinds = [name for slot, name in everything if slot == word]
        assert kinds == sorted(kinds)
    assert list(registry.recipes) == sorted(registry.recipes)


def test_a_kind_of_a_plugin_keeps_its_own_settings_through_a_file(environment: Environment, tmp_path: Path) -> None:
    environment.install(ACME)
    registry = installed()
    values = with_prior(
        {"kind": "acme.bump", "height": 2.5, "network": {"kind": "mlp", "hidden": [7, 5], "activation": "tanh"}},
        auxiliaries={
            "helper": {"kind": "acme.helper", "networks": [{"kind": "dcgan", "channels": 9}, {"kind": "mlp"}]}
        },
    )
    spec = loading.parse(values, registry)
    (tmp_path / "spec.yaml").write_text(loading.dump(spec))
    again = loading.load(str(tmp_path / "spec.yaml"), registry)
    assert again.model_dump() == spec.model_dump()
    assert again.prior.model_dump() == {
        "kind": "acme.bump",
        "height": 2.5,
        "network": {**MlpConfig().model_dump(), "hidden": (7, 5), "activation": "tanh"},
    }
    helper = again.auxiliaries["helper"].model_dump()
    assert [network.get("channels") for network in helper["networks"]] == [9, None]
    assert helper["spare"] is None


def test_the_default_of_a_nested_network_survives_the_file(environment: Environment) -> None:
    environment.install(ACME)
    registry = installed()
    spec = loading.parse(with_prior({"kind": "acme.bump"}), registry)
    again = loading.check(loading.read(loading.dump(spec), "stored"), registry)
    assert again.model_dump()["prior"]["network"]["hidden"] == (3,)
    assert again.model_dump() == spec.model_dump()


def test_recipes_are_named_after_their_plugin(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "corners.yaml").touch()
    registry = registered(HOOK + f"@hookimpl\ndef allmodes_recipes():\n    return {str(tmp_path)!r}\n")
    assert registry.recipes["acme/corners"] == tmp_path / "acme" / "corners.yaml"


def test_versions_are_those_of_the_core_and_of_the_kinds_in_use() -> None:
    registry = first_party("veegan")
    assert registry.versions() == {"allmodes": "0.1.0"}
    assert registry.versions(["gaussian", "veegan.game"]) == {"allmodes": "0.1.0", "allmodes-veegan": "0.1.0"}


# Broken


def test_a_plugin_that_cannot_be_imported_is_kept_with_its_error_and_the_others_load(environment: Environment) -> None:
    environment.install("import foo")
    environment.install(ACME.replace("acme", "emca"), plugin="emca", name="allmodes-emca")
    registry = installed()
    assert list(registry.broken) == ["acme"]
    assert registry.broken["acme"].error == "ModuleNotFoundError: No module named 'foo'"
    assert "emca.bump" in registry.of(PriorConfig)
    assert loading.parse(SPEC, registry).prior.kind == "gaussian"


def test_a_kind_of_a_broken_plugin_is_refused_with_the_plugins_error(environment: Environment) -> None:
    environment.install("import foo")
    with pytest.raises(loading.SpecError) as raised:
        loading.parse(with_prior({"kind": "acme.bump"}), installed())
    assert str(raised.value) == (
        "spec: prior.kind: prior 'acme.bump' comes from allmodes-acme 1.0, which could not be loaded: "
        "ModuleNotFoundError: No module named 'foo'"
    )


def test_a_network_that_takes_an_option_of_the_discriminator_is_named_with_its_plugin_and_version(
    environment: Environment,
) -> None:
    environment.install(faulty("joint: int = 3", "NetworkConfig"))
    with pytest.raises(loading.SpecError) as raised:
        loading.parse({**SPEC, "discriminator": {"kind": "acme.pull", "joint": 3}}, installed())
    assert str(raised.value) == (
        "spec: discriminator.kind: network 'acme.pull' comes from allmodes-acme 1.0, which could not be loaded: "
        "PullConfig has an option 'joint', which the discriminator's slot has beside any network's: give it "
        "another name"
    )


def test_a_recipe_of_a_broken_plugin_is_refused_with_the_plugins_error(environment: Environment) -> None:
    environment.install("import foo")
    with pytest.raises(
        loading.SpecError, match=re.escape("(allmodes-acme 1.0 could not be loaded: ModuleNotFoundError")
    ):
        loading.load("acme/corners", installed())


RANGE = "allmodes-acme 1.0 supports allmodes {0}, and this is allmodes {1}: pip install --upgrade allmodes-acme, or "
RANGE += "pip install 'allmodes{0}'"


@pytest.mark.parametrize(
    ("requires", "shown"),
    [
        (("allmodes<0.1",), "<0.1"),
        (("torch>=2", "allmodes[postgres]<9,>=7,!=7.5"), ">=7,<9,!=7.5"),
        (("allmodes>=0.1", "allmodes>=3; python_version >= '3'"), ">=3,>=0.1"),
    ],
)
def test_a_plugin_for_another_allmodes_is_kept_with_its_range(
    environment: Environment, requires: tuple[str, ...], shown: str
) -> None:
    environment.install(ACME, requires=requires)
    registry = installed()
    error = RANGE.format(shown, allmodes.__version__)
    assert registry.broken["acme"].error == error
    assert "allmodes_acme" not in sys.modules
    with pytest.raises(loading.SpecError) as raised:
        loading.parse(with_prior({"kind": "acme.bump"}), registry)
    came = "spec: prior.kind: prior 'acme.bump' comes from allmodes-acme 1.0, which could not be loaded: "
    assert str(raised.value) == came + error


@pytest.mark.parametrize(
    "requires",
    [(), ("allmodes",), ("allmodes>=0.1,<1",), ("allmodes<0.1; extra == 'old'", "torch>=99"), ("allmodes-dots<0.0.1",)],
)
def test_a_plugin_whose_range_has_this_allmodes_is_loaded(environment: Environment, requires: tuple[str, ...]) -> None:
    environment.install(ACME, requires=requires)
    assert installed().plugins["acme"].error is None


def test_a_plugin_whose_requirements_cannot_be_read_is_kept_with_its_error(environment: Environment) -> None:
    environment.install(ACME, requires=("allmodes >=< 1",))
    assert (installed().broken["acme"].error or "").startswith("InvalidRequirement: ")


@pytest.mark.parametrize(
    ("direct", "origin"),
    [
        ('{"url": "file:///home/me/acme", "dir_info": {"editable": true}}', "/home/me/acme (editable)"),
        ('{"url": "file:///home/me/acme", "dir_info": {}}', "/home/me/acme"),
        ('{"url": "https://host/acme", "vcs_info": {"vcs": "git", "commit_id": "0123456789abc"}}', None),
    ],
)
def test_a_plugin_has_the_place_that_it_was_installed_from(
    environment: Environment, direct: str, origin: str | None
) -> None:
    site = environment.install(ACME)
    assert installed().plugins["acme"].origin == str(site)
    (site / "allmodes_acme-1.0.dist-info" / "direct_url.json").write_text(direct)
    assert installed().plugins["acme"].origin == (origin or "https://host/acme at 012345678")


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "raise RuntimeError('a\\nb')", "def broken(:", "1 / 0"])
def test_no_failure_of_an_import_reaches_the_user(environment: Environment, code: str) -> None:
    environment.install(code)
    error = installed().broken["acme"].error
    assert error
    assert "\n" not in error


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (
            HOOK + "@hookimpl\ndef allmodes_latent_prior():\n    return []",
            "there is no hook 'allmodes_latent_prior' (did you mean 'allmodes_latent_priors'?)",
        ),
        (
            HOOK + "@hookimpl\ndef latent_priors():\n    return []",
            "there is no hook 'latent_priors' (did you mean 'allmodes_latent_priors'?)",
        ),
        (
            HOOK + "def allmodes_latent_priors():\n    return []",
            "allmodes_latent_priors is not marked as a hook: put @hookimpl above it",
        ),
        (
            HOOK + "@hookimpl\ndef allmodes_latent_priors():\n    return 3",
            "allmodes_latent_priors returns 3: return a list of config classes",
        ),
        (
            HOOK + "@hookimpl\ndef allmodes_latent_priors():\n    pass",
            "allmodes_latent_priors returns None: return a list of config classes",
        ),
        (
            HOOK + "@hookimpl\ndef allmodes_latent_priors():\n    return 'acme.thing'",
            "allmodes_latent_priors returns 'acme.thing': return a list of config classes",
        ),
        (
            HOOK + "@hookimpl\ndef allmodes_latent_priors():\n    return PriorConfig",
            "allmodes_latent_priors returns PriorConfig: return a list of config classes",
        ),
        (
            HOOK + "@hookimpl\ndef allmodes_latent_priors():\n    return {'acme.thing': 3}",
            "allmodes_latent_priors returns {'acme.thing': 3}: return a list of config classes",
        ),
        (
            HOOK + "@hookimpl\ndef allmodes_latent_priors():\n    yield PriorConfig\n    raise KeyError('x')",
            "KeyError: 'x'",
        ),
        (
            HOOK + "@hookimpl\ndef allmodes_recipes():\n    pass",
            "allmodes_recipes returns None, which is not a folder",
        ),
        (
            THING.format("acme.Thing", "ThingConfig"),
            "ThingConfig declares the kind 'acme.Thing': a kind is lowercase letters, digits and _",
        ),
        (
            THING.format("acme.my thing", "ThingConfig"),
            "ThingConfig declares the kind 'acme.my thing': a kind is lowercase letters, digits and _",
        ),
        (
            THING.format("acme.", "ThingConfig"),
            "ThingConfig declares the kind 'acme.': a kind is lowercase letters, digits and _",
        ),
        (
            THING.format("acme.größe", "ThingConfig"),
            "ThingConfig declares the kind 'acme.größe': a kind is lowercase letters, digits and _",
        ),
        (
            HOOK + "@hookimpl\ndef allmodes_latent_priors():\n    return [3]",
            "allmodes_latent_priors returns 3, which is not a subclass of PriorConfig",
        ),
        (
            THING.format("acme.thing", "ThingConfig()"),
            "allmodes_latent_priors returns ThingConfig(kind='acme.thing'), which is not a subclass of PriorConfig: "
            "return the class itself",
        ),
        (
            THING.format("acme.thing", "ThingConfig, ThingConfig"),
            "allmodes_latent_priors returns 'acme.thing' twice",
        ),
        (
            THING.format("veegan.thing", "ThingConfig"),
            "provides 'veegan.thing', but its names must begin with 'acme.'",
        ),
        (
            THING.format("thing", "ThingConfig"),
            "provides 'thing', but its names must begin with 'acme.'",
        ),
        (
            THING.format("gaussian", "ThingConfig"),
            "provides 'gaussian', but its names must begin with 'acme.'",
        ),
        (
            THING.format("acme.thing", "ThingConfig").replace('Literal["acme.thing"]', "str"),
            'ThingConfig must declare its kind: kind: Literal["word"] = "word"',
        ),
        (
            THING.format("acme.thing", "ThingConfig").replace(' = "acme.thing"', ""),
            'ThingConfig must declare its kind: kind: Literal["word"] = "word"',
        ),
        (
            THING.format("acme.thing", "ThingConfig").replace("@hookimpl", "    x: 'Nowhere'\n@hookimpl"),
            "PydanticUndefinedAnnotation: name 'Nowhere' is not defined For further information visit",
        ),
        (
            HOOK + "@hookimpl\ndef allmodes_recipes():\n    return '/nowhere'",
            "allmodes_recipes returns '/nowhere', which is not a folder",
        ),
        (
            HOOK + "@hookimpl\ndef allmodes_evidence():\n    return '/nowhere'",
            "allmodes_evidence returns '/nowhere', which is not a folder",
        ),
    ],
)
def test_a_plugin_that_breaks_a_rule_provides_nothing_and_is_kept_with_the_error(code: str, error: str) -> None:
    registry = registered(code)
    found = registry.plugins["acme"].error or ""
    assert found == error or (error.endswith("visit") and found.startswith(error))
    assert {kind.plugin.name for _, kind in registry.all_kinds()} == {"allmodes", "veegan"}
    assert loading.parse(SPEC, registry).name == "tiny"


LOSS = """
from collections.abc import Callable
from typing import Any, ClassVar, Literal
import torch
from allmodes import LossTermConfig, NetworkConfig, Renamed, hookimpl
from allmodes.builtin.config.networks import MlpConfig
class PullConfig({base}):
    kind: Literal["acme.pull"] = "acme.pull"
    {code}
@hookimpl
def allmodes_{hook}():
    return [PullConfig]
"""


def faulty(code: str, base: str = "LossTermConfig") -> str:
    hook = "networks" if base == "NetworkConfig" else "loss_terms"
    return LOSS.format(code=code.replace("\n", "\n    "), base=base, hook=hook)


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ("act: Callable = len", "Callable"),
        ("act: Callable[[int], int] | None = None", "Callable[[int], int] | None"),
        ("act: list[Callable] = []", "list[Callable]"),
        ("act: type = int", "type"),
        ("model_config = {'arbitrary_types_allowed': True}\nact: torch.dtype = torch.float32", "dtype"),
    ],
)
def test_an_option_that_no_file_can_hold_breaks_its_plugin_alone(option: str, shown: str) -> None:
    registry = registered(faulty(option))
    assert registry.plugins["acme"].error == (
        f"PullConfig: the type of its option 'act', {shown}, cannot stand in a spec: take text, numbers, lists or kinds"
    )
    assert loading.schema(registry)["title"] == "allmodes experiment"
    assert loading.parse(SPEC, registry).name == "tiny"


@pytest.mark.parametrize(
    ("base", "code", "error"),
    [
        (
            "LossTermConfig", "def check(self):\n    return ()",
            "PullConfig.check cannot be called as the core does: define check(self, spec)",
        ),
        (
            "LossTermConfig", "def build(self, spec):\n    return 3",
            "PullConfig.build cannot be called as the core does: define build(self)",
        ),
        (
            "LossTermConfig", "players: ClassVar[Any] = ()",
            "PullConfig.players cannot be called as the core does: define players(self)",
        ),
        (
            "NetworkConfig", "def misfit(self):\n    return None",
            "PullConfig.misfit cannot be called as the core does: define misfit(self, sees, gives)",
        ),
        (
            "NetworkConfig", "def build(self, sees):\n    return None",
            "PullConfig.build cannot be called as the core does: define build(self, sees, gives)",
        ),
        (
            "LossTermConfig", "check: int = 3",
            "PullConfig has an option 'check', which is a method of LossTermConfig",
        ),
        (
            "NetworkConfig", "pack: int = 3",
            "PullConfig has an option 'pack', which the discriminator's slot has beside any network's: give it "
            "another name",
        ),
        (
            "NetworkConfig", "renamed: ClassVar[Any] = (Renamed('joint', 'n', '1.0', '2.0'),)\nn: int = 3",
            "PullConfig has an option 'joint', which the discriminator's slot has beside any network's: give it "
            "another name",
        ),
        (
            "NetworkConfig", "alone: bool = False",
            "PullConfig has an option 'alone', which the discriminator's slot has beside any network's: give it "
            "another name",
        ),
        (
            "LossTermConfig", "wraps: ClassVar[str] = 'n'\nn: int = 3",
            "PullConfig wraps 'n', which holds int, not one kind of the same slot: declare it as LossTermConfig",
        ),
        (
            "LossTermConfig", "wraps: ClassVar[str] = 'n'\nn: NetworkConfig = MlpConfig()",
            "PullConfig wraps 'n', which holds NetworkConfig, not one kind of the same slot: declare it as "
            "LossTermConfig",
        ),
        (
            "LossTermConfig", "wraps: ClassVar[str] = 'n'\nn: tuple[LossTermConfig, ...] = ()",
            "PullConfig wraps 'n', which holds tuple[LossTermConfig, ...], not one kind of the same slot: declare it "
            "as LossTermConfig",
        ),
    ],
)  # fmt: skip
def test_a_config_that_cannot_be_asked_is_refused(base: str, code: str, error: str) -> None:
    assert error_of(faulty(code, base)) == error


@pytest.mark.parametrize("code", ["", "*others", "spec, more=None"])
def test_a_method_may_take_more_than_it_is_given(code: str) -> None:
    arguments = code or "spec"
    assert error_of(faulty(f"def check(self, {arguments}):\n    return ()")) is None


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_an_observer_that_would_never_run_is_refused(kind: str) -> None:
    body = "yield" if kind == "def" else "pass"
    assert error_of(HOOK + f"@hookimpl\n{kind} allmodes_run_started(run):\n    {body}") == (
        "allmodes_run_started would be called and never run: an observer is a plain function, without yield"
    )


def test_a_provider_that_ends_the_program_breaks_only_its_plugin() -> None:
    assert error_of(HOOK + "@hookimpl\ndef allmodes_networks():\n    raise SystemExit(3)") == (
        "allmodes_networks: SystemExit: 3"
    )


def test_a_wrong_argument_of_a_hook_is_named() -> None:
    error = error_of(HOOK + "@hookimpl\ndef allmodes_run_started(runn):\n    pass") or ""
    assert "allmodes_run_started" in error
    assert "{'runn'} are declared in the hookimpl but can not be found in the hookspec" in error
    assert "\n" not in error


def test_one_bad_kind_takes_all_kinds_of_its_plugin_with_it() -> None:
    registry = registered(ACME + "\n@hookimpl\ndef allmodes_loss_terms():\n    return [BellConfig]\n")
    assert registry.broken["acme"].error == (
        "allmodes_loss_terms returns <class 'allmodes_made.BellConfig'>, which is not a subclass of LossTermConfig"
    )
    assert not [name for name in registry.of(PriorConfig) if name.startswith("acme")]
    assert not [name for name in registry.of(AuxiliaryConfig) if name.startswith("acme")]


def test_a_broken_plugin_observes_nothing() -> None:
    observing = "\n@hookimpl\ndef allmodes_run_started(run):\n    raise ValueError('notified')\n"
    registry = registered(THING.format("thing", "ThingConfig") + observing)
    registry.notify("run_started", pytest.fail, run="R")
    assert list(registry.broken) == ["acme"]


def test_a_recipe_of_another_name_breaks_its_plugin(tmp_path: Path) -> None:
    (tmp_path / "veegan").mkdir()
    (tmp_path / "veegan" / "grid.yaml").touch()
    code = HOOK + f"@hookimpl\ndef allmodes_recipes():\n    return {str(tmp_path)!r}\n"
    assert error_of(code) == "provides 'veegan/grid', but its names must begin with 'acme/'"


def test_a_recipe_does_not_replace_one_of_the_core(tmp_path: Path) -> None:
    (tmp_path / "gan").mkdir()
    (tmp_path / "gan" / "ring.yaml").touch()
    registry = registered(HOOK + f"@hookimpl\ndef allmodes_recipes():\n    return {str(tmp_path)!r}\n", "gan")
    assert registry.broken["gan"].error == "recipe 'gan/ring' already exists: choose another name for the plugin"
    assert tmp_path not in registry.recipes["gan/ring"].parents


@pytest.mark.parametrize("name", ["a.b", "a-b", "two words"])
def test_the_name_of_a_plugin_is_one_word(name: str) -> None:
    assert error_of(ACME, name) == f"a plugin's name is one word, but its entry point is called {name!r}"


def test_the_name_of_a_plugin_is_lowercase() -> None:
    assert error_of(ACME, "Acme") == (
        "a plugin's name is lowercase letters, digits and _, but its entry point is called 'Acme'"
    )


def test_two_distributions_with_one_plugin_name_are_an_error_that_names_both(environment: Environment) -> None:
    environment.install(ACME)
    environment.install(ACME, name="acme-fork", version="2.1")
    with pytest.raises(PluginError) as raised:
        installed()
    assert str(raised.value) == "plugin 'acme' is provided by both acme-fork 2.1 and allmodes-acme 1.0: uninstall one"


def test_nobody_else_can_call_their_plugin_allmodes(environment: Environment) -> None:
    environment.install(ACME, plugin="allmodes", name="zzz")
    with pytest.raises(PluginError) as raised:
        installed()
    assert str(raised.value) == (
        f"plugin 'allmodes' is provided by both allmodes {allmodes.__version__} and zzz 1.0: uninstall one"
    )


def test_of_two_copies_of_a_distribution_the_first_on_the_path_counts(environment: Environment) -> None:
    environment.install(ACME, version="1.0")
    environment.install(ACME, version="2.0")
    folder = environment.folder
    both = f"2.0 (in {folder / 'allmodes-acme-2.0'}) is used, and 1.0 (in {folder / 'allmodes-acme-1.0'}) is not"
    with pytest.warns(UserWarning, match=re.escape(f"allmodes-acme is installed twice: {both}: uninstall one")):
        assert installed().plugins["acme"].version == "2.0"


# Unknown kinds


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("gausian", "'gausian' (did you mean 'gaussian'?). Installed: gaussian, uniform"),
        ("foo.bar", "'foo.bar': pip install allmodes-foo. Installed: gaussian, uniform"),
        ("sphere.gaussian", "'sphere.gaussian': pip install allmodes-sphere. Installed: gaussian, uniform"),
        ("allmodes.gaussian", "'allmodes.gaussian' (did you mean 'gaussian'?). Installed: gaussian, uniform"),
        ("veegan.bar", "'veegan.bar'. Installed: gaussian, uniform"),
        ("veegan.game", "'veegan.game' (it is for loss). Installed: gaussian, uniform"),
        ("$(x).bar", "'$(x).bar'. Installed: gaussian, uniform"),
        ("", "''. Installed: gaussian, uniform"),
    ],
)
def test_the_message_for_an_unknown_kind_names_the_remedy(word: str, advice: str) -> None:
    assert unknown_kind(first_party("veegan"), PriorConfig, word) == f"no installed plugin provides prior {advice}"


def test_a_near_miss_of_a_plugins_name_is_not_sent_to_pip() -> None:
    message = unknown_kind(first_party("veegan"), LossTermConfig, "vegan.game")
    assert message.startswith(
        "no installed plugin provides loss 'vegan.game' (did you mean 'veegan.game'?). Installed: "
    )


def test_a_kind_of_a_missing_plugin_is_not_taken_for_that_of_another() -> None:
    message = unknown_kind(first_party(), AuxiliaryConfig, "sphere.encoder")
    assert message.startswith(
        "no installed plugin provides auxiliary 'sphere.encoder': pip install allmodes-sphere. Installed: "
    )


# Observers


class Watcher:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    @hookspecs.hookimpl
    def allmodes_run_started(self, run: Any) -> None:
        self.calls.append(("started", run))

    @hookspecs.hookimpl
    def allmodes_metrics_logged(self, iteration: int, metrics: Mapping[str, float]) -> None:
        self.calls.append(("metrics", iteration, metrics))

    @hookspecs.hookimpl
    def allmodes_samples_drawn(self, figure: Path) -> None:
        self.calls.append(("samples", figure))

    @hookspecs.hookimpl
    def allmodes_run_finished(self, run: Any, outcome: Any) -> None:
        self.calls.append(("finished", run, outcome))


class Faulty:
    @hookspecs.hookimpl
    def allmodes_run_started(self, run: Any) -> None:
        raise KeyError("oops")


def test_observers_get_the_arguments_that_they_name() -> None:
    registry, watcher = first_party("veegan"), Watcher()
    registry.observe(watcher, "watcher")
    registry.notify("run_started", pytest.fail, run="R")
    registry.notify("metrics_logged", pytest.fail, run="R", iteration=5, metrics={"a": 1.0})
    registry.notify("samples_drawn", pytest.fail, run="R", iteration=5, figure=Path("a.png"))
    registry.notify("run_finished", pytest.fail, run="R", outcome="O")
    assert watcher.calls == [
        ("started", "R"),
        ("metrics", 5, {"a": 1.0}),
        ("samples", Path("a.png")),
        ("finished", "R", "O"),
    ]


def test_an_observer_that_fails_is_reported_and_the_others_are_notified() -> None:
    registry, before, after, warnings = first_party("veegan"), Watcher(), Watcher(), list[str]()
    for name, observer in {"before": before, "faulty": Faulty(), "after": after}.items():
        registry.observe(observer, name)
    registry.notify("run_started", warnings.append, run="R")
    assert before.calls == after.calls == [("started", "R")]
    assert warnings == ["run_started of observer 'faulty' (tests.test_registry): KeyError: 'oops'"]


def test_an_installed_plugin_may_observe(environment: Environment) -> None:
    environment.install(
        "from allmodes import hookimpl\ntold = []\n@hookimpl\ndef allmodes_run_started(run):\n    told.append(run)"
    )
    installed().notify("run_started", pytest.fail, run="R")
    assert sys.modules["allmodes_acme"].told == ["R"]


def test_an_observer_with_a_misspelt_hook_is_refused() -> None:
    class Misspelt:
        @hookspecs.hookimpl
        def allmodes_run_start(self, run: Any) -> None: ...

    with pytest.raises(PluginError) as raised:
        installed({"mine": Misspelt()})
    assert (
        str(raised.value)
        == "observer 'mine': there is no hook 'allmodes_run_start' (did you mean 'allmodes_run_started'?)"
    )


# Every hook


def test_the_registry_knows_every_hook() -> None:
    assert PROVIDERS | OBSERVERS == HOOKS
    assert len(PROVIDERS) == 11


@pytest.mark.parametrize("hook", sorted(PROVIDERS))
def test_a_provider_may_return_nothing(hook: str, tmp_path: Path) -> None:
    result = repr(str(tmp_path)) if hook in ("allmodes_recipes", "allmodes_evidence") else "[]"
    assert error_of(HOOK + f"@hookimpl\ndef {hook}():\n    return {result}") is None


@pytest.mark.parametrize("hook", sorted(PROVIDERS))
def test_a_provider_that_raises_breaks_only_its_plugin(hook: str) -> None:
    assert error_of(HOOK + f"@hookimpl\ndef {hook}():\n    raise ValueError('no')") == f"{hook}: ValueError: no"


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_every_hook_and_argument_is_documented_with_an_example_and_tested(hook: str) -> None:
    door = hookspecs.Providers if hook in PROVIDERS else hookspecs.Observers
    document = (ROOT / "docs" / "hooks.md").read_text("utf-8")
    examples = [document, *((ROOT / "docs" / page).read_text("utf-8") for page in ("networks.md", "write-a-plugin.md"))]
    arguments = [name for name in signature(getattr(door, hook)).parameters if name != "self"]
    rows = [line for line in document.splitlines() if f"`{hook}" in line]
    assert rows
    assert all(any(f"`{argument}`" in row for row in rows) for argument in arguments)
    assert any(re.search(rf"@hookimpl\ndef {hook}\(", text) for text in examples)
    tests = [path for path in (ROOT / "tests").glob("test_*.py") if hook in path.read_text("utf-8")]
    assert tests


def test_finding_and_reading_a_spec_loads_neither_torch_nor_mlflow_nor_sklearn() -> None:
    code = (
        "import sys, allmodes\nfrom allmodes import specs, installed\n"
        "specs.load('veegan/grid', installed()); specs.schema(installed())\n"
        "print({'torch', 'torchvision', 'mlflow', 'sklearn', 'scipy', 'matplotlib', 'faiss'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
