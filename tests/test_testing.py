"""The conformance kit: sound components keep every contract, and for every check there is a fault that it finds."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import ConfigDict, field_serializer

from allmodes import PriorConfig
from allmodes.testing import (
    AuxiliaryContract,
    DatasetContract,
    FeatureContract,
    LossTermContract,
    MetricContract,
    NetworkContract,
    PriorContract,
    RecipeContract,
    ReferenceContract,
    SamplerContract,
)
from allmodes.testing.kinds import KindContract
from allmodes.testing.modules import ModuleContract
from faulty import (
    BumpConfig,
    CopiedConfig,
    CornersConfig,
    GuessConfig,
    NearConfig,
    PullConfig,
    SpreadConfig,
    SquaresConfig,
    WideConfig,
    check,
    checks,
    held,
    registry_of,
)

SPEC = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "gaussian", "dim": 2, "nuisance_dim": 1},
    "generator": {"kind": "mlp", "hidden": [8]},
    "discriminator": {"kind": "mlp", "hidden": [8]},
    "losses": [{"kind": "non_saturating"}],
}
OWN_MODULE = "test_reading_the_settings_loads_no_torch"  # the components of this test are in no module of a plugin
RECIPE = """# ComposedSpec up.
name: acme-tiny
description: A few iterations
data: {kind: ring}
prior: {kind: acme.bump, fault: "BUMP"}
generator: {kind: mlp, hidden: [8]}
discriminator: {kind: mlp, hidden: [8]}
losses: [{kind: non_saturating}, {kind: acme.pull, fault: "PULL"}]
"""


def prior(fault: str) -> Any:
    return held(PriorContract, BumpConfig(fault=fault))


def auxiliary(fault: str) -> Any:
    return held(AuxiliaryContract, GuessConfig(fault=fault))


def term(fault: str) -> Any:
    reaches = {"generator": {"discriminator"}} if fault == "reaches" else {"generator": {"generator"}}
    reaches = {} if fault == "detached" else reaches
    return held(LossTermContract, PullConfig(fault=fault), spec=SPEC, reaches=reaches)


def metric(fault: str) -> Any:
    return held(MetricContract, SpreadConfig(fault=fault), spec=SPEC)


def sampler(fault: str) -> Any:
    return held(SamplerContract, NearConfig(fault=fault), spec=SPEC)


def reference(fault: str) -> Any:
    return held(ReferenceContract, CopiedConfig(fault=fault), CornersConfig, data={"kind": "acme.corners"})


def data(fault: str) -> Any:
    return held(DatasetContract, CornersConfig(fault=fault))


def network(fault: str) -> Any:
    return held(NetworkContract, WideConfig(fault=fault))


def features(fault: str) -> Any:
    return held(FeatureContract, SquaresConfig(fault=fault))


SOUND = (prior, auxiliary, term, sampler, metric, reference, data, network, features)


@pytest.mark.parametrize("make", SOUND)
def test_a_sound_component_keeps_its_contract(make: Callable[[str], Any], tmp_path: Path) -> None:
    contract = make("")
    for name in checks(type(contract)):
        if name != OWN_MODULE:
            check(contract, name, tmp_path / name)


NOISE = "takes randomness from the global generator of"
FAULTS = [
    (prior, "size", "a_draw_has_the_sizes_that_are_promised", "z of a draw of 16 has shape (16, 3), but (16, 2)"),
    (prior, "parts", "a_draw_has_the_sizes_that_are_promised", "but sizes of the prior code, mode: name the same"),
    (prior, "constant", "the_same_noise_gives_the_same_draw_and_other_noise_another", "other noise gives the same"),
    (prior, "counting", "the_same_noise_gives_the_same_draw_and_other_noise_another", "keep no state between draws"),
    (prior, "fit", "the_same_data_and_noise_give_the_same_fit", "take randomness from fitting.noise"),
    (prior, "fit", "only_its_own_noise_makes_a_fit_random", f"fit {NOISE} numpy: take it from fitting.noise"),
    (prior, "global", "only_its_own_noise_makes_a_draw_random", f"forward {NOISE} torch: ask for it by name"),
    (prior, "branching", "draws_of_stacked_seeds_are_those_of_each_seed", "acme.bump does not run under vmap"),
    (prior, "device", "it_draws_on_the_device_that_it_was_moved_to", "moved to meta: register its tensors"),
    (prior, "unstored", "it_draws_the_same_after_it_was_stored_and_read", "keep what is fitted in parameters"),
    (prior, "mode", "a_mode_that_is_held_fixed_is_the_one_that_is_drawn", "given {'mode': 0} it draws others"),
    (prior, "acting", "its_parts_act_after_updates_alike_for_stacked_seeds", "does not run under vmap: look at no"),
    (prior, "nothing", "what_it_offers_is_a_tensor_or_a_method", "acme.bump offers 'heights': give it an"),
    (prior, "shares", "the_weights_that_it_offers_are_the_shares_of_its_modes", "offers the weights [0.9, 0.05, 0.05]"),
    (auxiliary, "form", "its_estimate_has_the_form_that_is_promised", "'gaussian', but estimate(output) is a Tensor"),
    (auxiliary, "misfit", "the_shape_that_it_sees_suits_its_network", "takes images only: set `sees` in the test"),
    (auxiliary, "mean", "its_output_has_a_row_for_each_item", "acme.guess: output 0 of 8 items has shape (2,)"),
    (auxiliary, "long", "its_code_is_as_long_as_the_latents", "(8, 3), not (8, 2): build it for parts['code']"),
    (auxiliary, "detached", "gradients_reach_its_parameters_and_what_it_sees", "no gradient reaches what it sees"),
    (auxiliary, "global", "only_its_own_noise_makes_it_random", f"acme.guess: its output {NOISE} torch"),
    (auxiliary, "branching", "outputs_of_stacked_seeds_are_those_of_each_seed", "acme.guess does not run under vmap"),
    (auxiliary, "plain tensor", "it_works_on_the_device_that_it_was_moved_to", "does not work once moved to meta"),
    (auxiliary, "plain tensor", "it_gives_the_same_after_its_state_was_restored", "in parameters and buffers"),
    (term, "batch", "it_gives_a_finite_number_to_every_player_that_it_serves", "has shape (16,): take a mean"),
    (term, "nan", "it_gives_a_finite_number_to_every_player_that_it_serves", "loss of 'generator' is nan"),
    (term, "stranger", "it_serves_players_that_there_are", "losses() serves nobody, but the players are"),
    (term, "detached", "its_gradient_reaches_the_modules_that_its_players_train", "reaches nothing that 'generator'"),
    (term, "reaches", "its_gradient_reaches_the_modules_that_its_players_train", "generator, not discriminator"),
    (term, "meddling", "a_turn_changes_nothing_but_what_its_players_train", "generator changed discriminator"),
    (term, "global", "two_updates_from_the_same_seed_are_equal", f"an update {NOISE} torch: ask for it by name"),
    (term, "branching", "updates_of_stacked_seeds_are_those_of_each_seed", "acme.pull does not run under vmap"),
    (term, "slow", "updates_of_stacked_seeds_are_those_of_each_seed", "aten::clamp_ runs seed by seed under vmap"),
    (term, "moving", "a_loss_changes_no_parameters_or_buffers", "changes losses/acme.pull.k: change it in"),
    (auxiliary, "acting", "its_parts_act_after_updates_alike_for_stacked_seeds", "does not run under vmap: look at no"),
    (network, "acting", "its_parts_act_after_updates_alike_for_stacked_seeds", "does not run under vmap: look at no"),
    (term, "part", "it_works_with_every_prior_of_the_core_that_has_what_it_needs", "state its needs of a prior in"),
    (metric, "nan", "its_numbers_for_real_items_are_finite", "acme.spread: spread is nan, which is not finite"),
    (metric, "tensor", "its_numbers_for_real_items_are_finite", "spread is a Tensor: return float(...) for each key"),
    (metric, "global", "the_same_evaluation_gives_the_same_numbers", "take randomness from evaluation.generator"),
    (metric, "unknown key", "the_numbers_that_it_declares_are_those_that_it_gives", "numbers() declares width, but"),
    (metric, "no key", "the_numbers_that_it_declares_are_those_that_it_gives", "numbers() must return a Key"),
    (metric, "floor", "its_floor_is_of_its_own_numbers", "floor names limit, which compute does not give"),
    (metric, "altering", "measuring_changes_neither_the_model_nor_the_global_generators", "compute changes the model"),
    (metric, "in place", "measuring_changes_neither_the_model_nor_the_global_generators", "changes the samples"),
    (metric, "picture", "its_picture_is_one_of_matplotlib", "figure returns str: return a matplotlib.figure.Figure"),
    (sampler, "few", "it_draws_as_many_items_as_it_is_asked_for", "a tensor of shape (0, 2): return n items, (1, 2)"),
    (sampler, "counting", "the_same_randomness_gives_the_same_items_and_other_randomness_others", "keep no state of"),
    (sampler, "constant", "the_same_randomness_gives_the_same_items_and_other_randomness_others", "latents from model"),
    (sampler, "global", "only_its_own_noise_makes_it_random", f"acme.near: forward {NOISE} torch: take it from model"),
    (sampler, "fit", "only_its_own_noise_makes_it_random", f"acme.near: fit {NOISE} torch: take it from fitting.noise"),
    (sampler, "growing", "a_fit_begins_anew", "a second fit to the same model gives another state: begin anew in fit"),
    (sampler, "unsaved", "it_draws_the_same_after_its_state_was_restored", "keep what is fitted in parameters and"),
    (sampler, "altering", "drawing_changes_neither_the_model_nor_the_sampler", "changes sampler.mean: change nothing"),
    (reference, "few", "it_draws_as_many_items_as_it_is_asked_for", "a tensor of shape (0, 2): return n items, (1, 2)"),
    (reference, "double", "it_draws_as_many_items_as_it_is_asked_for", "acme.copied: items are torch.float64, not"),
    (reference, "counting", "the_same_randomness_gives_the_same_items_and_other_randomness_others", "keep no state"),
    (reference, "constant", "the_same_randomness_gives_the_same_items_and_other_randomness_others", "draw is given"),
    (reference, "fit", "the_same_data_and_randomness_give_the_same_fit", "from the generator that fit is given"),
    (reference, "fit", "only_the_generators_that_are_given_make_it_random", f"acme.copied: fit {NOISE} torch: take it"),
    (reference, "global", "only_the_generators_that_are_given_make_it_random", f"acme.copied: draw {NOISE} torch"),
    (reference, "altering", "it_changes_no_data", "changes data.x, which reference samplers only read"),
    (data, "shape", "items_have_the_shape_that_the_settings_promise", "promises (3,), but the items have shape (2,)"),
    (data, "classes", "labels_are_those_that_the_settings_promise", "classes() promises 3 labels, but the data have 4"),
    (data, "labels", "labels_are_those_that_the_settings_promise", "lie outside 0 to 3"),
    (data, "all trained", "some_items_are_held_out", "no items are held out: give TensorData a test_x"),
    (data, "truth", "known_modes_come_with_a_truth", "known_modes() is True, but truth of the data is None"),
    (data, "stranger", "the_truth_knows_its_own_items", "of its truth's own items are of high quality in the"),
    (data, "wide", "the_truth_knows_its_own_items", "the variance ratio of its truth's own items is 2."),
    (data, "outside", "the_truth_knows_its_own_items", "landmarks of its truth lie outside its box"),
    (data, "left", "the_truth_moves_to_a_device", "weights of its truth stay on cpu when it is moved to meta"),
    (data, "random", "building_twice_gives_the_same_data", f"acme.corners: build() {NOISE} torch"),
    (data, "global", "only_the_generators_that_are_given_make_draws_random", f"drawing {NOISE} torch"),
    (data, "one order", "batches_follow_the_seed", "loader(8, 1) gives the batches of seed 0: use the seed"),
    (network, "features", "its_output_and_features_have_the_shapes_that_it_was_built_for", "(8, 5), not (8, 6)"),
    (network, "forward", "forward_is_its_head_after_its_trunk", "ForwardMlp overrides forward, which a discriminator"),
    (network, "batches", "items_depend_on_each_other_only_where_the_settings_say_so", "does not depend on the others"),
    (features, "flat", "each_item_has_a_vector", "features of 8 items have shape (8,): flatten them"),
    (features, "batches", "an_items_features_do_not_depend_on_the_others", "return the module in evaluation mode"),
    (features, "global", "two_builds_give_the_same_features", f"building or using it {NOISE} torch"),
    (data, "forgetful", "a_loader_goes_on_where_another_stopped", "goes on with other batches"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "fault", "name", "message"), FAULTS)
def test_a_fault_is_found_by_its_check(
    make: Callable[[str], Any], fault: str, name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=re.escape(message)):
        check(make(fault), f"test_{name}", tmp_path)


# What holds for every kind


class Undocumented(BumpConfig):
    pass


class Unended(BumpConfig):
    """A bump"""


class Bare(BumpConfig):
    """A bump."""

    height: float = 1.0


class Changing(BumpConfig):
    """A bump."""

    model_config = ConfigDict(frozen=False)


class Open(BumpConfig):
    """A bump."""

    model_config = ConfigDict(extra="allow")


class Rounded(BumpConfig):
    """A bump."""

    height: float = 0.25
    """Height."""

    @field_serializer("height")
    def _short(self, height: float) -> float:
        return round(height, 1)


class Opaque(BumpConfig):
    """A bump."""

    function: Callable[[], None] | None = None
    """Something that no file can hold."""


class Foreign(BumpConfig):
    """A bump."""

    kind: Literal["bump"] = "bump"  # type: ignore[assignment]


KINDS = [
    (Undocumented, "the_docstring_begins_with_a_sentence", "Undocumented has no docstring"),
    (Unended, "the_docstring_begins_with_a_sentence", "end the first line of Unended's docstring"),
    (Bare, "every_setting_is_described", "put a docstring below height in Bare"),
    (Changing, "the_settings_cannot_be_changed", "Changing can be changed: leave model_config's frozen=True"),
    (Open, "a_setting_that_nobody_reads_is_refused", "Open takes any key: leave model_config's extra='forbid'"),
    (Rounded, "the_settings_survive_being_stored_as_yaml_and_json", "height of Rounded: another value"),
    (
        Opaque,
        "the_settings_have_a_schema",
        "Opaque: the type of its option 'function', Callable[[], None] | None, cannot",
    ),
    (Foreign, "the_kind_is_installed_under_its_plugins_name", "'bump', but its names must begin with 'acme.'"),
]


@pytest.mark.parametrize(("config", "name", "message"), KINDS)
def test_faulty_settings_are_found(config: type[PriorConfig], name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=re.escape(message)):
        check(held(PriorContract, config()), f"test_{name}", tmp_path)


def test_the_error_for_a_kind_without_a_hook_names_the_hook() -> None:
    contract = held(PriorContract, BumpConfig(), registry=registry_of())
    with pytest.raises(AssertionError, match="return BumpConfig from the hook allmodes_latent_priors, and run pip"):
        contract.test_the_kind_is_installed_under_its_plugins_name()


LIGHT = '''
from typing import Literal
from allmodes import PriorConfig

class LightConfig(PriorConfig):
    """Light."""
    kind: Literal["acme.light"] = "acme.light"
'''


@pytest.mark.parametrize(("word", "code"), [("light", LIGHT), ("heavy", f"import torch\n{LIGHT}")])
def test_settings_that_load_torch_are_found(
    word: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"acme_{word}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __import__(f"acme_{word}")
    contract = held(PriorContract, module.LightConfig())
    contract.registry.hooks.get_plugin("acme").__name__ = module.__name__
    if word == "light":
        contract.test_reading_the_settings_loads_no_torch()
    else:
        message = "import acme_heavy: loads torch, and so would reading any spec: import torch inside build"
        with pytest.raises(AssertionError, match=message):
            contract.test_reading_the_settings_loads_no_torch()
    del sys.modules[module.__name__]


class MisledConfig(GuessConfig):
    """A guess that nobody trains."""

    trained_by = ("generatr",)


def test_a_misspelt_player_is_found() -> None:
    message = re.escape("trained_by names generatr, but the players are discriminator, generator: name one")
    with pytest.raises(AssertionError, match=message):
        held(AuxiliaryContract, MisledConfig()).test_the_players_that_train_it_exist()


# Recipes


def recipe(folder: Path, text: str) -> Any:
    (folder / "recipes/acme").mkdir(parents=True)
    (folder / "recipes/acme/tiny.yaml").write_text(text)
    registry = registry_of(BumpConfig, PullConfig, recipes=folder / "recipes")
    return held(RecipeContract, registry=registry, recipe="acme/tiny")


def faulty(bump: str = "", pull: str = "") -> str:
    return RECIPE.replace("BUMP", bump).replace("PULL", pull)


RECIPES = [
    (faulty().partition("\n")[2], "it_begins_by_saying_where_its_settings_come_from", "begin with a comment"),
    (faulty(pull="x\", weigth: \""), "it_is_a_valid_spec", "acme/tiny is not valid (SpecError: acme/tiny:8"),
    (faulty().replace("acme-tiny", "small"), "it_is_called_by_its_own_name_and_described", "name: acme-tiny, not"),
    (faulty().replace("description", "#"), "it_is_called_by_its_own_name_and_described", "add a line description: ..."),
    (faulty(pull="nan"), "it_trains_to_finite_numbers", "acme/tiny does not train: failed: "),
    (faulty(pull="global"), "two_runs_are_equal", "two runs of one seed differ"),
    (faulty(pull="counting"), "an_interrupted_run_equals_an_unbroken_one", "keep all state in parameters and buffers"),
    (faulty(bump="unsaved"), "a_stored_model_draws_the_same_samples", "the exported model draws other samples"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "message"), RECIPES)
def test_a_faulty_recipe_is_found(text: str, name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=re.escape(message)):
        check(recipe(tmp_path, text), f"test_{name}", tmp_path / "runs")


def test_a_sound_recipe_keeps_its_contract(tmp_path: Path) -> None:
    contract = recipe(tmp_path, faulty())
    for name in checks(RecipeContract):
        check(contract, name, tmp_path / name)


def test_for_every_check_there_is_a_fault_that_it_finds() -> None:
    found = {(type(make("")).__mro__[1], f"test_{name}") for make, _, name, _ in FAULTS}
    found |= {(RecipeContract, f"test_{name}") for _, name, _ in RECIPES}
    found |= {(AuxiliaryContract, "test_the_players_that_train_it_exist")}
    of_kinds = {f"test_{name}" for _, name, _ in KINDS} | {OWN_MODULE}
    assert of_kinds == set(checks(KindContract))
    # What networks share with auxiliaries is shown to fail there.
    shared = {(NetworkContract, name) for name in checks(ModuleContract)}
    contracts = {contract for contract, _ in found}
    assert len(contracts) == 10
    wanted = {(contract, name) for contract in contracts for name in checks(contract) if name not in of_kinds}
    assert wanted - found - shared == set()
