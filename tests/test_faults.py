"""Faulty components: each is named with kind, distribution and version, and the next seed is trained all the same."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from pydantic import model_validator

from allmodes import (
    AuxiliaryConfig,
    DatasetConfig,
    Experiment,
    LossTermConfig,
    MetricConfig,
    NetworkConfig,
    NonSaturating,
    PriorConfig,
    Problem,
    SamplerConfig,
    SpecError,
    TensorData,
    installed,
)
from allmodes.builtin.config.mixtures import RingConfig
from allmodes.cli.main import execute
from allmodes.experiments.results import Results
from allmodes.game import untouched
from allmodes.game.untouched import LostError, Untouched
from allmodes.metrics.measure import measure_chance
from allmodes.registry import faults
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading
from faulty import BumpConfig, GuessConfig, Pull, PullConfig, Spread, SpreadConfig, WideConfig, registry_of
from fixtures.distributions import Environment
from tiny import SPEC

SHORT = {
    **SPEC,
    "losses": [{"kind": "non_saturating"}],
    "training": {**SPEC["training"], "iterations": 2, "log_every": 1},
    "evaluation": {**SPEC["evaluation"], "every": 2},
    "seeds": [0, 1],
}

ONE = (0,)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    return Environment(monkeypatch, tmp_path)


class Tried:
    """An experiment with a plugin `acme`, its results and its warnings."""

    def __init__(self, folder: Path, *configs: type, seeds: tuple[int, ...] = (0, 1), **blocks: Any) -> None:
        self.warnings = list[str]()
        options = {"registry": registry_of(*configs), "warn": self.warnings.append, "track": False}
        self.experiment = Experiment.from_spec({**SHORT, **blocks}, folder=folder, **options)
        self.results: Results = self.experiment.run(seeds)

    @property
    def errors(self) -> list[str | None]:
        """How each seed failed."""
        return [outcome.error for outcome in self.results.outcomes.values()]


def with_loss(**settings: Any) -> Mapping[str, Any]:
    return {"losses": [{"kind": "non_saturating"}, {"kind": "acme.pull", **settings}]}


# The guard


def test_calls_are_named_from_the_outermost_on() -> None:
    with pytest.raises(RuntimeError) as raised, faults.calling("loss", Tried), faults.calling("forward", Tried):
        raise RuntimeError("mat1\n  and mat2")
    assert faults.describe(raised.value) == (
        "loss (tests.test_faults): forward (tests.test_faults): RuntimeError: mat1 and mat2"
    )


def test_an_error_of_nobodys_component_has_no_calls() -> None:
    assert faults.calls(RuntimeError("x")) == []
    assert faults.describe(RuntimeError("x")) == "RuntimeError: x"
    assert faults.describe(RuntimeError()) == "RuntimeError"


# Losses


class FeedingPull(PullConfig):
    """Gives the discriminator items of another shape."""

    def build(self):
        term = super().build()
        term.pull = lambda step: step.call("discriminator", step.fake[:, :1])[0].mean()
        return term


def test_a_loss_that_feeds_another_module_wrongly_is_named_before_it(tmp_path: Path) -> None:
    tried = Tried(tmp_path, FeedingPull, **with_loss())
    error = (
        "loss acme.pull of player 'generator' (allmodes-acme 1.0): forward of discriminator on (8, 1) (mlp, allmodes "
        "0.1.0): RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x1 and 2x8)"
    )
    assert tried.errors == [error, error]
    pages = [RunFolder(tried.results.folder).of_seed(seed).traceback for seed in (0, 1)]
    assert [warning.startswith(f"tiny/seed-{i}: {error} (its traceback: ") for i, warning in enumerate(tried.warnings)]
    assert all("in pull" in page.read_text() or "<lambda>" in page.read_text() for page in pages)


NOTHING_LEARNED = "depends on nothing that the player trains, which learns nothing from it: is it detached?"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("batch", "returns a tensor of shape (8,): return one number (), such as its mean()"),
        ("none", "returns None: return a tensor of one number ()"),
        ("int", "returns 3: return a tensor of one number ()"),
        ("detached", NOTHING_LEARNED),
        ("constant", NOTHING_LEARNED),
        ("theirs", NOTHING_LEARNED),
        ("whole", "returns a tensor of torch.int64: return a floating-point number"),
    ],
)
def test_a_loss_that_is_no_number_or_teaches_nothing_is_named(tmp_path: Path, fault: str, message: str) -> None:
    tried = Tried(tmp_path, PullConfig, **with_loss(fault=fault))
    assert tried.errors == [f"loss acme.pull of player 'generator' (allmodes-acme 1.0): {message}"] * 2


class SecretConfig(PullConfig):
    """A game that does not say so."""

    kind: Literal["acme.secret"] = "acme.secret"

    def build(self):
        return NonSaturating()


def test_a_game_whose_config_does_not_say_so_is_named(tmp_path: Path) -> None:
    tried = Tried(tmp_path, SecretConfig, losses=[{"kind": "non_saturating"}, {"kind": "acme.secret"}])
    advice = "build() returns a Game: set is_game: ClassVar[bool] = True in its settings"
    assert tried.errors == [f"loss acme.secret (allmodes-acme 1.0): {advice}"] * 2


def test_a_loss_for_a_player_that_nobody_has_is_named(tmp_path: Path) -> None:
    tried = Tried(tmp_path, PullConfig, **with_loss(fault="stranger"))
    message = "acme.pull has a loss for a player that nobody has: there is no player 'nobody'"
    message += "; the players are discriminator, generator"
    assert tried.errors == [f"loss acme.pull (allmodes-acme 1.0): {message}"] * 2
    assert not any(outcome.iteration for outcome in tried.results.outcomes.values())


# Metrics


class CountConfig(SpreadConfig):
    """Gives numbers that are others'."""

    kind: Literal["acme.count"] = "acme.count"

    def numbers(self):
        return {}

    def build(self):
        return Count(self.fault)


class Count(Spread):
    def compute(self, evaluation):
        return {"modes": 1000.0, "high_quality": 1.0} if self.fault else {"acme.count": 1.0}

    def chance(self, data):
        return {"modes": 1000.0}


def measured(*metrics: Any) -> Mapping[str, Any]:
    return {"evaluation": {**SHORT["evaluation"], "metrics": list(metrics)}}


@pytest.mark.parametrize("order", [("modes", "acme.count"), ("acme.count", "modes")])
def test_a_metric_never_gives_the_number_of_another(tmp_path: Path, order: tuple[str, str]) -> None:
    metrics = [{"kind": name, **({"fault": "yes"} if name == "acme.count" else {})} for name in order]
    clean, tried = (
        Tried(tmp_path / "clean", seeds=ONE),
        Tried(tmp_path / "tried", CountConfig, seeds=ONE, **measured(*metrics)),
    )
    assert tried.results.status == "finished"
    assert str(tried.results.outcomes[0].results) == str(clean.results.outcomes[0].results)  # nan is not nan
    assert str(tried.results.outcomes[0].floors) == str(clean.results.outcomes[0].floors)
    called = "acme.count (allmodes-acme 1.0): gives a number 'modes', which is that of modes: give it another name"
    assert set(tried.warnings) == {
        f"metric {called}: its numbers are left out", f"chance of metric {called}", f"floor of metric {called}"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("text", "gives '0.5' for 'spread': give a number"),
        ("nothing", "gives None for 'spread': give a number"),
        ("several", "gives tensor([0.5000, 0.5000]) for 'spread': give a number"),
        ("list", "returns [0.5]: return numbers by name"),
        ("altering", "changes generator.head.weight, which metrics only read (it was put back)"),
        ("mode", "changes the mode of generator and 4 more, which metrics only read (it was put back)"),
        ("in place", "changes samples, which metrics only read (it was put back)"),
        ("moved", "changes generator.head.weight, which metrics only read (it was put back)"),
        ("mixture", "changes data.truth.means, which metrics only read (it was put back)"),
        ("hook", "changes the hooks of generator, which metrics only read (it was put back)"),
        ("head", "changes generator.head, which metrics only read (it was put back)"),
        ("no head", "changes generator.head, which metrics only read (it was put back)"),
        ("more", "changes generator.more, which metrics only read (it was put back)"),
        ("forward", "changes generator.forward, which metrics only read (it was put back)"),
        ("pruned", "changes generator.head.weight and 3 more, which metrics only read (it was put back)"),
        ("no modules", "changes prior and 3 more, which metrics only read (it was put back)"),
        ("no gradients", "changes whether torch computes gradients, which metrics only read (it was put back)"),
        ("double", "changes torch's default dtype, which metrics only read (it was put back)"),
        ("threads", "changes torch's number of threads, which metrics only read (it was put back)"),
    ],
)
def test_a_metric_that_fails_is_named_and_the_model_is_as_before(tmp_path: Path, fault: str, message: str) -> None:
    metrics = [{"kind": "acme.spread", "fault": fault}, "modes"]
    clean, tried = (
        Tried(tmp_path / "clean", seeds=ONE),
        Tried(tmp_path / "tried", SpreadConfig, seeds=ONE, **measured(*metrics)),
    )
    assert str(tried.results.outcomes[0].results) == str(clean.results.outcomes[0].results)  # nan is not nan
    text = f"metric acme.spread (allmodes-acme 1.0): {message}: its numbers are left out"
    assert [warning for warning in tried.warnings if warning.startswith("metric")] == [text]


def test_what_a_metric_changed_is_as_it_was_in_training(tmp_path: Path) -> None:
    """The next seed, and the iterations after an evaluation, are those of a run without the metric."""
    evaluation = {**SHORT["evaluation"], "every": 1}
    plain, tried = (
        Tried(tmp_path / name, SpreadConfig, evaluation={**evaluation, "metrics": metrics})
        for name, metrics in (("plain", ["modes"]), ("tried", ["modes", {"kind": "acme.spread", "fault": "mixture"}]))
    )
    assert [equal_weights(*folders) for folders in zip(weights(plain), weights(tried), strict=True)] == [True, True]


def weights(tried: Tried) -> list[Path]:
    return sorted(tried.results.folder.glob("seed-*/model/generator.safetensors"))


def equal_weights(one: Path, other: Path) -> bool:
    return one.name == other.name and one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("floor samples", "floor of metric acme.spread (allmodes-acme 1.0): changes samples and 1 more"),
        ("floor data", "floor of metric acme.spread (allmodes-acme 1.0): changes data.truth.means"),
    ],
)
def test_a_floor_that_writes_into_what_later_floors_read_is_named(tmp_path: Path, fault: str, message: str) -> None:
    clean, tried = (
        Tried(tmp_path / "clean", seeds=ONE),
        Tried(
            tmp_path / "tried", SpreadConfig, seeds=ONE, **measured({"kind": "acme.spread", "fault": fault}, "modes")
        ),
    )
    assert str(tried.results.outcomes[0].floors) == str(clean.results.outcomes[0].floors)
    assert tried.warnings == [f"{message}, which metrics only read (it was put back)"]


def test_a_metric_that_writes_into_the_data_as_it_prepares_is_named(tmp_path: Path) -> None:
    with pytest.raises(faults.ContractError) as raised:
        Tried(tmp_path, SpreadConfig, **measured({"kind": "acme.spread", "fault": "prepare"}))
    message = "changes data.truth.means, which metrics only read (it was put back)"
    assert faults.describe(raised.value) == f"prepare of metric acme.spread (allmodes-acme 1.0): {message}"


def test_a_metric_that_writes_into_the_data_for_its_chance_is_named() -> None:
    said, data = list[str](), RingConfig().build()
    before = data.truth.means.clone()
    measure_chance([SpreadConfig(fault="chance").build()], data, said.append)
    assert [text.partition(": ")[2] for text in said] == [
        "changes data.truth.means, which metrics only read (it was put back)"
    ]
    assert torch.equal(data.truth.means, before)


def test_data_that_a_metric_writes_into_are_put_back_unless_they_are_too_large() -> None:
    x = torch.arange(8.0).reshape(4, 2)
    data, message = TensorData(x.clone(), test_x=x.clone()), "changes data.x, which metrics only read (it was put back)"
    for write in (lambda: data.x.mul_(3), lambda: data.x.data.zero_(), lambda: setattr(data, "x", x + 1)):
        with (
            pytest.raises(faults.ContractError, match=re.escape(message)),
            Untouched("metrics only read", {}, data).kept(),
        ):
            write()
        assert torch.equal(data.x, x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(untouched, "COPIED", 32)
        text = r"^changes data\.test_x, which metrics only read, and which is too large to be put back$"
        with pytest.raises(LostError, match=text), Untouched("metrics only read", {}, data).kept():
            data.test_x.zero_()


def test_numbers_of_a_curve_within_a_truth_are_put_back_too() -> None:
    data = installed().of(DatasetConfig)["benchmarks.arcs"].config().build()
    radii, message = data.truth.plane.radii.clone(), "changes data.truth.plane.radii, which metrics only read"
    with pytest.raises(faults.ContractError, match=re.escape(message)), Untouched("metrics only read", {}, data).kept():
        data.truth.plane.radii.zero_()
    assert torch.equal(data.truth.plane.radii, radii)


def test_a_tensor_of_one_number_is_a_number(tmp_path: Path) -> None:
    tried = Tried(tmp_path, SpreadConfig, seeds=ONE, **measured({"kind": "acme.spread", "fault": "tensor"}))
    assert tried.warnings == []
    assert "spread" in tried.results.outcomes[0].results


# Modules


def with_prior(fault: str) -> Mapping[str, Any]:
    return {"prior": {"kind": "acme.bump", "fault": fault}}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("one more", "gives z of shape (9, 2), where (8, 2) is needed"),
        ("size", "gives z of shape (8, 3), where (8, 2) is needed"),
        ("tensor", "returns tensor(...), which is no Latent"),
    ],
)
def test_a_prior_that_gives_other_sizes_is_named(tmp_path: Path, fault: str, message: str) -> None:
    tried = Tried(tmp_path, BumpConfig, **with_prior(fault))
    for error in tried.errors:
        called, _, text = str(error).rpartition(" (acme.bump, allmodes-acme 1.0): ")
        assert called == "loss non_saturating of player 'discriminator' (allmodes 0.1.0): forward of prior"
        assert re.sub(r"tensor\(.*\),", "tensor(...),", text) == message


class UnsizedConfig(BumpConfig):
    """Does not say its sizes."""

    kind: Literal["acme.unsized"] = "acme.unsized"

    def build(self):
        prior = super().build()
        delattr(prior, self.fault)
        return prior


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("dim", "its dim is None after fit: set the size of z"),
        ("sizes", "its sizes are None after fit: set the size of each part, code included"),
    ],
)
def test_a_prior_without_sizes_is_named(tmp_path: Path, missing: str, message: str) -> None:
    tried = Tried(tmp_path, UnsizedConfig, prior={"kind": "acme.unsized", "fault": missing})
    assert tried.errors == [f"prior (acme.unsized, allmodes-acme 1.0): {message}"] * 2


@pytest.mark.parametrize(
    ("place", "fault", "error"),
    [
        (
            "discriminator",
            "seven",
            "loss non_saturating of player 'discriminator' (allmodes 0.1.0): forward of discriminator on (8, 2) "
            "(acme.wide, allmodes-acme 1.0): gives scores of shape (8, 7): a discriminator gives one number for each",
        ),
        (
            "discriminator",
            "features",
            "loss non_saturating of player 'discriminator' (allmodes 0.1.0): forward of discriminator on (8, 2) "
            "(acme.wide, allmodes-acme 1.0): gives features of shape (8, 5), where (8, 6) is needed",
        ),
        (
            "generator",
            "seven",
            "loss non_saturating of player 'discriminator' (allmodes 0.1.0): forward of generator on (8, 2) "
            "(acme.wide, allmodes-acme 1.0): gives items of shape (8, 7), where (8, 2) is needed",
        ),
        (
            "generator",
            "no network",
            "build of generator acme.wide (allmodes-acme 1.0): returns None, which is no Network",
        ),
        (
            "discriminator",
            "bare",
            "discriminator (acme.wide, allmodes-acme 1.0): has no trunk and no head and no feature_dim, which a "
            "discriminator needs",
        ),
        (
            "discriminator",
            "dependency",
            "build of discriminator acme.wide (allmodes-acme 1.0): ModuleNotFoundError: No module named "
            "'allmodes_absent': install the package that it is in, such as: pip install allmodes_absent",
        ),
    ],
)
def test_a_network_that_is_built_wrongly_is_named(tmp_path: Path, place: str, fault: str, error: str) -> None:
    tried = Tried(tmp_path, WideConfig, **{place: {"kind": "acme.wide", "fault": fault}})
    assert tried.errors == [error] * 2


def test_a_code_of_another_size_is_named(tmp_path: Path) -> None:
    joint = {"discriminator": {**SPEC["discriminator"], "joint": "guess"}}
    tried = Tried(tmp_path, GuessConfig, auxiliaries={"guess": {"kind": "acme.guess", "fault": "long"}}, **joint)
    assert (
        tried.errors
        == [
            "loss non_saturating of player 'discriminator' (allmodes 0.1.0): code of guess (acme.guess, allmodes-acme "
            "1.0): gives a code of shape (8, 3), where (8, 2) is needed"
        ]
        * 2
    )


NEEDED = "where torch.float32 is needed"


@pytest.mark.parametrize(
    ("place", "fault", "what"),
    [
        ("generator", "double head", "items of torch.float64"),
        ("generator", "long head", "items of torch.int64"),
        ("generator", "complex head", "items of torch.complex64"),
        ("discriminator", "double head", "scores of torch.float64"),
        ("discriminator", "complex head", "scores of torch.complex64"),
    ],
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_output_of_another_type_is_named(tmp_path: Path, place: str, fault: str, what: str, precision: str) -> None:
    training = {**SHORT["training"], "precision": precision}
    tried = Tried(tmp_path, WideConfig, seeds=ONE, training=training, **{place: {"kind": "acme.wide", "fault": fault}})
    called = f"loss non_saturating of player 'discriminator' (allmodes 0.1.0): forward of {place} on (8, 2)"
    assert tried.errors == [f"{called} (acme.wide, allmodes-acme 1.0): gives {what}, {NEEDED}"]


def test_a_draw_of_another_type_is_named(tmp_path: Path) -> None:
    tried = Tried(tmp_path, BumpConfig, seeds=ONE, **with_prior("double"))
    called = "loss non_saturating of player 'discriminator' (allmodes 0.1.0): forward of prior"
    assert tried.errors == [f"{called} (acme.bump, allmodes-acme 1.0): gives z of torch.float64, {NEEDED}"]


class ReadingConfig(PullConfig):
    """Reads an auxiliary."""

    kind: Literal["acme.reading"] = "acme.reading"

    def read(self, step):
        return step.code("guess", "fake") if self.fault == "code" else step.estimate("guess", "fake", "point")

    def build(self):
        term = super().build()
        term.pull = lambda step: self.read(step).square().mean()
        return term


@pytest.mark.parametrize(
    ("reads", "fault", "message"),
    [
        ("code", "long", "gives a code of shape (8, 3), where (8, 2) is needed"),
        ("code", "rows", "gives a code of shape (7, 2), where (8, 2) is needed"),
        ("code", "mean", "gives a code of shape (2,), where (8, 2) is needed"),
        ("code", "nothing", "gives None for a code: give a tensor of shape (8, 2)"),
        ("estimate", "long", "gives an estimate of the form point of shape (8, 3), where (8, 2) is needed"),
        ("estimate", "nothing", "gives None for an estimate of the form point: give a tensor of shape (8, 2)"),
        ("code", "double", f"gives a code of torch.float64, {NEEDED}"),
        ("estimate", "form", "gives a Tensor, but its form is gaussian: give an allmodes.Gaussian"),
    ],
)
def test_what_is_read_of_an_auxiliary_is_held_to_items(tmp_path: Path, reads: str, fault: str, message: str) -> None:
    losses = [*SHORT["losses"], {"kind": "acme.reading", "fault": reads}]
    auxiliaries = {"guess": {"kind": "acme.guess", "fault": fault}}
    tried = Tried(tmp_path, GuessConfig, ReadingConfig, auxiliaries=auxiliaries, losses=losses, seeds=ONE)
    called = "loss acme.reading of player 'generator' (allmodes-acme 1.0)"
    assert tried.errors == [f"{called}: {reads} of guess (acme.guess, allmodes-acme 1.0): {message}"]


# What configs declare


class OddConfig(PullConfig):
    """Declares something wrong."""

    kind: Literal["acme.odd"] = "acme.odd"

    def players(self):
        return {"none": None, "words": ("judge",)}.get(self.fault, ())

    def check(self, spec):
        if self.fault == "division":
            return 1 / 0
        nowhere, mute = Problem(None, "is odd"), Problem(("losses",), None)
        return {"nothing": None, "texts": ["no"], "nowhere": [nowhere], "mute": [mute]}.get(self.fault, ())

    @model_validator(mode="after")
    def _is_read(self):
        if self.fault == "reading":
            raise KeyError("x")
        return self


class WordConfig(PullConfig):
    """Serves a word, letter by letter."""

    kind: Literal["acme.word"] = "acme.word"
    serves: ClassVar[Any] = "generator"


class MisnamedConfig(SpreadConfig):
    """Has a title that is no name of a file."""

    kind: Literal["acme.misnamed"] = "acme.misnamed"

    def title(self):
        return "a/b"


def parsed(**blocks: Any) -> Any:
    registry = registry_of(OddConfig, WordConfig, MisnamedConfig)
    return loading.parse({**SHORT, **blocks}, registry)


@pytest.mark.parametrize(
    ("kind", "fault", "message"),
    [
        ("odd", "none", "players() is None, where a tuple of PlayerConfigs is needed"),
        ("odd", "words", "players() is ('judge',), where a tuple of PlayerConfigs is needed"),
        ("odd", "nothing", "check(spec) returns None, where a list of Problems is needed"),
        ("odd", "texts", "check(spec) gives 'no', where a Problem is needed"),
        (
            "odd", "nowhere",
            "check(spec) gives a Problem at None that says 'is odd', where a tuple of keys and a text are needed",
        ),
        (
            "odd", "mute",
            "check(spec) gives a Problem at ('losses',) that says None, where a tuple of keys and a text are needed",
        ),
        ("word", "", "serves is 'generator', where a tuple of names is needed"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_a_problem_of_the_spec(kind: str, fault: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        parsed(losses=[{"kind": "non_saturating"}, {"kind": f"acme.{kind}", "fault": fault}])
    assert str(raised.value) == f"spec: losses.1: acme.{kind} (allmodes-acme 1.0): {message}"


class ChoosyConfig(WideConfig):
    """A network that suits no spec."""

    kind: Literal["acme.choosy"] = "acme.choosy"

    def check(self, spec):
        yield Problem(spec.where(self), "suits no spec")


class ChoosyGuessConfig(GuessConfig):
    """An auxiliary that suits no spec."""

    kind: Literal["acme.choosy_guess"] = "acme.choosy_guess"

    def check(self, spec):
        yield Problem(spec.where(self), "suits no spec")


@pytest.mark.parametrize(
    ("where", "blocks"),
    [
        ("generator", {"generator": {"kind": "acme.choosy"}}),
        ("discriminator", {"discriminator": {"kind": "acme.choosy"}}),
        ("auxiliaries.guess", {"auxiliaries": {"guess": {"kind": "acme.choosy_guess"}}}),
    ],
)
def test_networks_and_auxiliaries_are_asked_for_their_own_problems(where: str, blocks: Mapping[str, Any]) -> None:
    with pytest.raises(SpecError) as raised:
        loading.parse({**SHORT, **blocks}, registry_of(ChoosyConfig, ChoosyGuessConfig))
    assert str(raised.value) == f"spec: {where}: suits no spec"


def test_a_title_is_a_word() -> None:
    with pytest.raises(SpecError) as raised:
        parsed(**measured("acme.misnamed"))
    message = (
        "acme.misnamed (allmodes-acme 1.0): title() is 'a/b', where a word, which files are named after, is needed"
    )
    assert str(raised.value) == f"spec: evaluation.metrics.0: {message}"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("division", "check of acme.odd (allmodes-acme 1.0): ZeroDivisionError: division by zero"),
        ("reading", "_is_read of acme.odd (allmodes-acme 1.0): KeyError: 'x'"),
    ],
)
def test_an_error_of_a_config_is_traced_to_it(fault: str, message: str) -> None:
    with pytest.raises((ZeroDivisionError, KeyError)) as raised:
        parsed(losses=[{"kind": "non_saturating"}, {"kind": "acme.odd", "fault": fault}])
    assert faults.describe(raised.value) == message


class UncountedConfig(WideConfig):
    """Answers with something else."""

    kind: Literal["acme.uncounted"] = "acme.uncounted"

    def misfit(self, sees, gives):
        return {"true": True, "number": 3}.get(self.fault)

    def parameters(self, sees, gives):
        return {"word": "many", "negative": -5}.get(self.fault)


class PartlessConfig(BumpConfig):
    """Has no parts."""

    kind: Literal["acme.partless"] = "acme.partless"

    def parts(self):
        return None


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("true", "misfit() returns True, where a reason or None is needed"),
        ("number", "misfit() returns 3, where a reason or None is needed"),
        ("word", "parameters() returns 'many', where a number from 0 or None is needed"),
        ("negative", "parameters() returns -5, where a number from 0 or None is needed"),
    ],
)
@pytest.mark.parametrize("place", ["generator", "discriminator"])
def test_a_network_that_answers_wrongly_is_named(place: str, fault: str, message: str) -> None:
    blocks = {place: {"kind": "acme.uncounted", "fault": fault}}
    with pytest.raises(SpecError) as raised:
        loading.parse({**SHORT, **blocks}, registry_of(UncountedConfig))
    assert str(raised.value) == f"spec: {place}: acme.uncounted (allmodes-acme 1.0): {message}"


def test_a_prior_without_parts_is_named() -> None:
    with pytest.raises(SpecError) as raised:
        loading.parse({**SHORT, "prior": {"kind": "acme.partless"}}, registry_of(PartlessConfig))
    what = "parts() is None, where a mapping of names to numbers from 0 or None is needed"
    assert str(raised.value) == f"spec: prior: acme.partless (allmodes-acme 1.0): {what}"


DIVIDING = """
from typing import Literal
from allmodes import LossTermConfig, hookimpl

class DividingConfig(LossTermConfig):
    kind: Literal["acme.dividing"] = "acme.dividing"
    def check(self, spec):
        return 1 / 0

@hookimpl
def allmodes_loss_terms():
    return [DividingConfig]
"""


def test_a_command_prints_a_fault_as_one_line(
    environment: Environment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.install(DIVIDING)
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps({**SHORT, "losses": [{"kind": "non_saturating"}, {"kind": "acme.dividing"}]}))
    assert execute(["validate", str(spec)]) == 1
    message = "check of acme.dividing (allmodes-acme 1.0): ZeroDivisionError: division by zero"
    assert capsys.readouterr().err == f"error: {message} (its traceback: set ALLMODES_TRACEBACK=1)\n"
    monkeypatch.setenv("ALLMODES_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        execute(["validate", str(spec)])


# Builds, fits and data


def odd(base: type, kind: str, built: Any = None, **methods: Any) -> type:
    """A config class of a slot, which builds something of another class, or raises."""

    def build(self: Any, *arguments: Any) -> Any:
        if built is ValueError:
            raise ValueError("no")
        return built

    annotations = {"kind": Literal[kind]}  # type: ignore[valid-type]
    return type("Odd", (base,), {"__annotations__": annotations, "kind": kind, "build": build, **methods})


OTHERS = [
    (PriorConfig, "prior", lambda kind: {"prior": {"kind": kind}}, "prior", "Prior"),
    (NetworkConfig, "network", lambda kind: {"generator": {"kind": kind}}, "generator", "Network"),
    (NetworkConfig, "network", lambda kind: {"discriminator": {"kind": kind}}, "discriminator", "Network"),
    (AuxiliaryConfig, "aux", lambda kind: {"auxiliaries": {"a": {"kind": kind}}}, "auxiliary 'a'", "Auxiliary"),
    (LossTermConfig, "loss", lambda kind: {"losses": [*SHORT["losses"], {"kind": kind}]}, "loss", "LossTerm"),
    (SamplerConfig, "sampler", lambda kind: {"sampler": {"kind": kind}}, "sampler", "Sampler"),
]


@pytest.mark.parametrize(("base", "word", "block", "slot", "expected"), OTHERS, ids=[row[3] for row in OTHERS])
@pytest.mark.parametrize(
    ("built", "message"),
    [
        (None, "returns None, which is no {0}"),
        (torch.nn.Linear(2, 2), "returns a Linear, which is no {0}"),
        (ValueError, "ValueError: no"),
    ],
)
def test_a_build_of_another_class_ends_its_seed_alone(
    tmp_path: Path, base: type, word: str, block: Any, slot: str, expected: str, built: Any, message: str
) -> None:
    kind = f"acme.{word}"
    tried = Tried(tmp_path, odd(base, kind, built), **block(kind))
    error = f"build of {slot} {kind} (allmodes-acme 1.0): {message.format(expected)}"
    assert tried.errors == [error, error]
    assert [outcome.status for outcome in tried.results.outcomes.values()] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("base", "word", "block", "slot", "expected"),
    [
        (DatasetConfig, "data", lambda kind: {"data": {"kind": kind}, **measured()}, "data", "Data"),
        (MetricConfig, "metric", lambda kind: measured({"kind": kind}), "metric", "Metric"),
    ],
)
def test_data_and_metrics_of_another_class_end_the_experiment(
    tmp_path: Path, base: type, word: str, block: Any, slot: str, expected: str
) -> None:
    kind = f"acme.{word}"
    with pytest.raises(ValueError) as raised:
        Tried(tmp_path, odd(base, kind, []), **block(kind))
    error = f"build of {slot} {kind} (allmodes-acme 1.0): returns [], which is no {expected}"
    assert faults.describe(raised.value) == error
    assert not list(tmp_path.iterdir())


class PartlyConfig(PullConfig):
    """Fails in one call."""

    kind: Literal["acme.partly"] = "acme.partly"

    def build(self):
        return Partly(self.fault)


class Partly(Pull):
    refit = 1

    def fit(self, fitting):
        if self.fault == "fit" or (self.fault == "refit" and fitting.iteration):
            raise KeyError(fitting.iteration)

    def pull(self, step):
        if self.fault == "unlucky" and bool((step.noise.uniform("luck") < 0.5).item()):
            raise ArithmeticError("bad luck")
        return super().pull(step)

    def after_update(self, step):
        if self.fault == "after_update":
            raise KeyError("x")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("fit", "fit of losses/acme.partly (allmodes-acme 1.0): KeyError: 0"),
        ("refit", "fit of losses/acme.partly (allmodes-acme 1.0): KeyError: 1"),
        ("after_update", "after_update of losses/acme.partly (allmodes-acme 1.0): KeyError: 'x'"),
    ],
)
def test_a_part_that_fails_is_named(tmp_path: Path, fault: str, error: str) -> None:
    tried = Tried(tmp_path, PartlyConfig, losses=[*SHORT["losses"], {"kind": "acme.partly", "fault": fault}])
    assert tried.errors == [error, error]


def test_seeds_after_one_that_failed_are_trained(tmp_path: Path) -> None:
    losses = [*SHORT["losses"], {"kind": "acme.partly", "fault": "unlucky"}]
    tried = Tried(tmp_path, PartlyConfig, losses=losses, seeds=tuple(range(6)))
    error = "loss acme.partly of player 'generator' (allmodes-acme 1.0): ArithmeticError: bad luck"
    assert set(tried.errors) == {None, error}
    assert None in tried.errors[tried.errors.index(error) :]
    assert {outcome.status for outcome in tried.results.outcomes.values()} == {"failed", "finished"}


def test_an_installed_observer_that_fails_is_named(environment: Environment) -> None:
    code = "from allmodes import hookimpl\n@hookimpl\ndef allmodes_run_started(run):\n    raise KeyError(1)"
    environment.install(code)
    warnings = list[str]()
    installed().notify("run_started", warnings.append, run="R")
    assert warnings == ["run_started of observer 'acme' (allmodes-acme 1.0): KeyError: 1"]


class RecentConfig(SpreadConfig):
    """Gives a number under the name of a mean."""

    kind: Literal["acme.recent"] = "acme.recent"

    def build(self):
        metric = super().build()
        metric.compute = lambda evaluation: {"recent_modes": 1000.0}
        return metric


def test_a_metric_does_not_give_means_over_the_end_of_a_run(tmp_path: Path) -> None:
    tried = Tried(tmp_path, RecentConfig, seeds=ONE, **measured("modes", {"kind": "acme.recent"}))
    assert tried.results.outcomes[0].results["recent_modes"] != 1000.0
    message = "gives a number 'recent_modes', but means over the end of a run are called recent_"
    assert f"metric acme.recent (allmodes-acme 1.0): {message}: its numbers are left out" in tried.warnings


# Graphs that are kept, ends of the program, and players that look at themselves


class KeepingConfig(PullConfig):
    """Goes wrong from the second update on, or ends the program."""

    kind: Literal["acme.keeping"] = "acme.keeping"

    def build(self):
        if self.fault == "build":
            raise SystemExit(3)
        return Keeping(self.fault)


class Keeping(Pull):
    def __init__(self, fault):
        super().__init__(fault)
        self.register_buffer("k", torch.zeros(()))
        self.past = [torch.zeros(())]

    def losses(self):
        served = "discriminator" if self.fault == "own" else "generator"
        return {served: self.pull}

    def pull(self, step):
        fake = step.fake.mean()
        if self.fault == "buffer":
            self.k = 0.9 * self.k + fake
        if self.fault == "list":
            self.past = [0.9 * self.past[0] + fake]
        if self.fault == "late":
            self.calls, power = self.calls + 1, step.fake.exp()
            return power.mean() + (power.add_(1).mean() if self.calls > 1 else 0)
        if self.fault == "own":
            return step.after("discriminator", 1).score("fake").mean()
        if self.fault == "whose":
            return step.after("discrminator", 1).score("fake").mean()
        if self.fault == "ago":
            return step.after("discriminator", -1).score("fake").mean()
        asked = {
            "auxiliary": lambda: step.auxiliary("nope", "fake"),
            "module": lambda: step.call("generater", step.latent.z),
            "tensor": lambda: step.tensor("nope", "k"),
            "ahead": lambda: step.after("discriminator", 1).tensor("nope", "k"),
        }
        return asked.get(self.fault, lambda: fake + self.k + self.past[0])().mean()


GENERATOR = "loss acme.keeping of player 'generator' (allmodes-acme 1.0): "
MODULES = "the modules are prior, generator, discriminator, losses/non_saturating, losses/acme.keeping"
KEPT = "state of a loss is a buffer that after_update writes, or is detached"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("buffer", f"gradient of {GENERATOR}it keeps k and its graph for the next update: {KEPT}"),
        ("list", f"gradient of {GENERATOR}it keeps past and its graph for the next update: {KEPT}"),
        (
            "build",
            "build of loss acme.keeping (allmodes-acme 1.0): ends the program (SystemExit(3)): raise an error that "
            "says what is wrong",
        ),
        (
            "own",
            "loss acme.keeping of player 'discriminator' (allmodes-acme 1.0): LookupError: step.after('discriminator', "
            "1): the losses of 'discriminator' cannot look ahead of the updates that they themselves give",
        ),
        (
            "whose",
            f"{GENERATOR}LookupError: step.after('discrminator', 1): there is no such player: the players are "
            "discriminator, generator",
        ),
        ("ago", f"{GENERATOR}ValueError: step.after('discriminator', -1): a number of updates is 0 or more"),
        ("auxiliary", f"{GENERATOR}LookupError: there is no module 'nope': {MODULES}"),
        (
            "module",
            f"{GENERATOR}LookupError: there is no module 'generater' (did you mean 'generator'?): {MODULES}",
        ),
        ("tensor", f"{GENERATOR}LookupError: there is no module 'nope': {MODULES}"),
        ("ahead", f"{GENERATOR}LookupError: there is no module 'nope': {MODULES}"),
    ],
)
def test_a_loss_that_goes_wrong_within_a_run_is_named(tmp_path: Path, fault: str, error: str) -> None:
    tried = Tried(tmp_path, KeepingConfig, losses=[*SHORT["losses"], {"kind": "acme.keeping", "fault": fault}])
    assert tried.errors == [error, error]


def test_an_error_of_autograd_names_the_losses(tmp_path: Path) -> None:
    losses = [*SHORT["losses"], {"kind": "acme.keeping", "fault": "late"}]
    (error,) = Tried(tmp_path, KeepingConfig, losses=losses, seeds=ONE).errors
    expected = "gradient of the losses of generator (non_saturating, acme.keeping): RuntimeError: one of the variables"
    assert (error or "").startswith(expected)


def test_an_interrupt_in_a_loss_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self, step):
        raise KeyboardInterrupt

    monkeypatch.setattr(Keeping, "pull", interrupt)
    tried = Tried(tmp_path, KeepingConfig, losses=[*SHORT["losses"], {"kind": "acme.keeping"}], seeds=ONE)
    assert [(outcome.status, outcome.error) for outcome in tried.results.outcomes.values()] == [
        ("killed", "KeyboardInterrupt")
    ]
