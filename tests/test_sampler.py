"""Samplers: what draws samples from a trained model, from the spec to the stored model."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import mlflow
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from allmodes import (
    NOTHING,
    Experiment,
    Fitting,
    Given,
    Latent,
    ModelError,
    Need,
    Noise,
    Plugin,
    Prior,
    Registry,
    Sampler,
    SamplerConfig,
    Source,
    SpecError,
    hookimpl,
    installed,
    load_run,
    seeded,
)
from allmodes.cli.tables import measures_table, results_table
from allmodes.experiments.remeasure import remeasure_all
from allmodes.game.contracts import Discriminator
from allmodes.game.samplers import build_sampler
from allmodes.game.sampling import as_tensors, draw, given_problem
from allmodes.registry.faults import ContractError, describe
from allmodes.runs.journal import read
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading
from allmodes.testing import compose
from allmodes.testing.interrupted import InterruptingObserver, equal_runs, first_seed
from fixtures.distributions import first_party
from tiny import SPEC
from tracked import logged

RETURNED: list[Any] = []
"""What `acme.bad` returns, the last first."""


class Centred(Sampler):
    """Moves the generator's items so that their mean is that of data."""

    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(2))
        self.fits = list[tuple[int, bool]]()

    def fit(self, fitting: Fitting) -> None:
        model = Source.of(fitting)
        real = fitting.data.draw(100, fitting.noise.generator or torch.Generator()).x
        self.shift.copy_(real.mean(0) - model.items(model.latent(100)).mean(0))
        self.fits.append((fitting.iteration, any(m.training for m in fitting.modules.values())))

    def forward(self, model: Source, n: int) -> Tensor:
        return model.items(model.latent(n)) + self.shift


class CentredConfig(SamplerConfig):
    """Of the mean of the data."""

    kind: Literal["acme.centred"] = "acme.centred"

    def build(self) -> Any:
        return Centred()


class Scaled(Sampler):
    """Learns nothing, but has a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, model: Source, n: int) -> Tensor:
        return model.items(model.latent(n)) * self.scale[0]


class ScaledConfig(SamplerConfig):
    """With another state."""

    kind: Literal["acme.scaled"] = "acme.scaled"
    needs: ClassVar[tuple[Need, ...]] = (Need("part", "mode", "a prior with modes"),)

    def build(self) -> Any:
        return Scaled()


class FreeConfig(ScaledConfig):
    """With another state, and no needs."""

    kind: Literal["acme.free"] = "acme.free"  # type: ignore[assignment]
    needs: ClassVar[tuple[Need, ...]] = ()


class Bad(Sampler):
    """Returns anything."""

    def forward(self, model: Source, n: int) -> Any:
        return RETURNED[-1](n)


class BadConfig(SamplerConfig):
    """Breaks its contract."""

    kind: Literal["acme.bad"] = "acme.bad"

    def build(self) -> Any:
        return Bad()


class NoneConfig(SamplerConfig):
    """Builds no sampler."""

    kind: Literal["acme.none"] = "acme.none"

    def build(self) -> Any:
        return nn.Linear(2, 2)


@hookimpl
def allmodes_samplers() -> list[type[SamplerConfig]]:
    return [CentredConfig, ScaledConfig, FreeConfig, BadConfig, NoneConfig, MeddlingConfig]


@pytest.fixture(scope="module")
def registry() -> Registry:
    """The installed kinds, and those of this page."""
    registry = installed()
    registry.register(sys.modules[__name__], Plugin("acme", "allmodes-acme", "1.0"))
    assert not registry.broken
    return registry


def spec_with(kind: str | None, **more: Any) -> Mapping[str, Any]:
    return {**SPEC, **more, "sampler": kind and {"kind": kind}}


def trained(registry: Registry, folder: Path, kind: str | None, **more: Any) -> Path:
    """The folder of a finished run."""
    experiment = Experiment.from_spec(spec_with(kind, **more), registry=registry, folder=folder, track=False)
    return experiment.run().folder


def numbers_of(folder: Path) -> Iterator[tuple[str, Any]]:
    for line in read(RunFolder(folder).metrics):
        yield from ((key, value) for key, value in line.items() if key.startswith("eval/"))


# The spec


def test_a_spec_without_a_sampler_has_none() -> None:
    assert loading.parse(SPEC, first_party()).sampler is None


def test_an_unknown_sampler_is_refused() -> None:
    assert not Registry().of(SamplerConfig)
    with pytest.raises(SpecError, match=r"no installed plugin provides sampler 'acme\.best': pip install"):
        loading.parse({**SPEC, "sampler": {"kind": "acme.best"}}, first_party())


def test_what_a_sampler_needs_is_checked_without_torch(registry: Registry) -> None:
    with pytest.raises(SpecError) as error:
        loading.parse(spec_with("acme.scaled"), registry)
    needs = "acme.scaled needs a latent part 'mode', which prior gaussian does not have: add a prior with modes"
    assert str(error.value) == f"spec: sampler: {needs}"


def test_a_sampler_that_scores_needs_a_discriminator() -> None:
    sampler = "sampler={kind: baselines.rejection}"
    with pytest.raises(SpecError, match=r"is missing: baselines\.rejection needs it: add discriminator:"):
        loading.load("modern/drifting-ring", installed(), [sampler])


def test_no_auxiliary_may_take_its_name(registry: Registry) -> None:
    auxiliaries = {"sampler": {"kind": "veegan.reconstructor"}}
    with pytest.raises(SpecError, match="'sampler' is a module of every spec: choose another name"):
        loading.parse({**SPEC, "auxiliaries": auxiliaries}, registry)


def test_a_config_that_builds_none_is_named(registry: Registry) -> None:
    config = loading.parse(spec_with("acme.none"), registry).sampler
    assert config is not None
    with pytest.raises(ContractError) as error:
        build_sampler(config)
    returned = "a Linear, which is no Sampler"
    assert describe(error.value) == f"build of sampler acme.none (allmodes-acme 1.0): returns {returned}"


# Drawing


class Numbered(Prior):
    """z = (mode, style, normal)."""

    dim, sizes = 3, {"code": 3, "mode": 3, "style": 1}

    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        mode = torch.as_tensor(given.get("mode", 0)).expand(n)
        style = given.get("style", torch.zeros(n, 1))
        return Latent(torch.cat((mode[:, None], style, noise.normal("n", n, 1)), 1))


class Half(Sampler):
    """Takes every other of its draws, and remembers how many it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = list[int]()

    def forward(self, model: Source, n: int) -> Tensor:
        self.asked.append(n)
        return model.items(model.latent(2 * n))[::2]


def half() -> tuple[dict[str, nn.Module], Half]:
    sampler = Half()
    return {"prior": Numbered(), "generator": nn.Identity(), "sampler": sampler, "losses/none": nn.Module()}, sampler


def test_a_mode_for_all_draws_is_held_fixed() -> None:
    modules, sampler = half()
    assert draw(modules, 5, torch.Generator(), {"mode": 2})[:, 0].tolist() == [2] * 5
    assert sampler.asked == [5]


def test_draws_that_hold_other_parts_fixed_are_asked_for_by_themselves() -> None:
    modules, sampler = half()
    mode, style = torch.tensor([2, 0, 2, 1]), torch.tensor([[0.5], [0.1], [0.5], [0.1]])
    x = draw(modules, 4, torch.Generator().manual_seed(0), {"mode": mode, "style": style})
    assert torch.equal(x[:, 0], mode.float())
    assert torch.equal(x[:, 1:2], style)
    assert sampler.asked == [1, 1, 2]
    assert len(x[:, 2].unique()) == 4


def test_every_noise_is_another() -> None:
    source = Source({}, torch.Generator().manual_seed(0))
    assert not torch.equal(source.noise().normal("a", 3), source.noise().normal("a", 3))


def test_it_draws_in_evaluation_mode_and_without_gradients_and_leaves_modes_as_they_were() -> None:
    modules, sampler = half()
    seen = list[tuple[bool, bool]]()
    sampler.register_forward_hook(lambda *_: seen.append((sampler.training, torch.is_grad_enabled())))
    draw(modules, 3, torch.Generator())
    assert seen == [(False, False)]
    assert all(module.training for module in modules.values())


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        (lambda n: None, "None: return a tensor of shape (2, 2)"),
        (lambda n: torch.zeros(n - 1, 2), "a tensor of shape (1, 2): return n items, (2, 2)"),
        (lambda n: torch.zeros(n, 3), "a tensor of shape (2, 3): return n items, (2, 2)"),
        (lambda n: torch.full((n, 2), torch.nan), "numbers that are not finite"),
    ],
)
def test_what_is_no_sample_is_refused_by_kind_before_the_training(
    registry: Registry, tmp_path: Path, returned: Any, problem: str
) -> None:
    RETURNED[:] = [returned]
    said = list[str]()
    experiment = Experiment.from_spec(
        spec_with("acme.bad"), registry=registry, folder=tmp_path, track=False, warn=said.append
    )
    (outcome,) = experiment.run().outcomes.values()
    error = f"forward of sampler for 2 items (acme.bad, allmodes-acme 1.0): returns {problem}"
    assert (outcome.status, outcome.error, outcome.iteration) == ("failed", error, 0)
    assert said[-1].startswith(f"tiny/seed-3: {error} (its traceback: ")


class MeddlingConfig(SamplerConfig):
    """Writes into what is not its own."""

    kind: Literal["acme.meddling"] = "acme.meddling"
    fault: str
    """What it does."""

    def build(self) -> Any:
        return Meddling(self.fault)


class Meddling(Sampler):
    """Does so as it is fitted or as it draws."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.register_buffer("seen", torch.zeros(()))

    def fit(self, fitting: Fitting) -> None:
        self.seen.copy_(self.seen + 1)  # type: ignore[has-type]
        if self.fault == "fit":
            fitting.modules["generator"].head.weight.data.zero_()  # type: ignore[operator, union-attr]
        if self.fault == "data":
            fitting.data.truth.means.zero_()  # type: ignore[union-attr]
        if self.fault == "fit later" and fitting.iteration:
            raise ValueError("too late")

    def forward(self, model: Source, n: int) -> Tensor:
        generator = model.modules["generator"]
        actions = {
            "weights": lambda: generator.head.weight.data.zero_(),  # type: ignore[operator, union-attr]
            "gradients": lambda: generator.requires_grad_(False),
            "head": lambda: setattr(generator, "head", nn.Identity()),
            "own": lambda: self.seen.add_(1),
            "mode": lambda: generator.train(),
            "torch": lambda: torch.set_grad_enabled(True),
        }
        x = model.items(model.latent(n))
        actions.get(self.fault, lambda: None)()
        return x


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("fit", "fit of sampler ({}): changes generator.head.weight, which a sampler only reads"),
        ("data", "fit of sampler ({}): changes data.truth.means, which a sampler only reads"),
        ("weights", "forward of sampler for 2 items ({}): changes generator.head.weight, which drawing only reads"),
        ("gradients", "forward of sampler for 2 items ({}): changes generator.trunk.0.weight and 3 more, which drawing "
         "only reads"),
        ("head", "forward of sampler for 2 items ({}): changes generator.head, which drawing only reads"),
        ("own", "forward of sampler for 2 items ({}): changes sampler.seen, which drawing only reads"),
        ("mode", "forward of sampler for 2 items ({}): changes the mode of generator and 4 more, which drawing "
         "only reads"),
        ("torch", "forward of sampler for 2 items ({}): changes whether torch computes gradients, which drawing "
         "only reads"),
    ],
)  # fmt: skip
def test_a_sampler_that_changes_the_model_is_named_and_it_is_put_back(
    registry: Registry, tmp_path: Path, fault: str, message: str
) -> None:
    spec = {**SPEC, "sampler": {"kind": "acme.meddling", "fault": fault}}
    (outcome,) = (
        Experiment.from_spec(spec, registry=registry, folder=tmp_path, track=False, warn=lambda text: None)
        .run()
        .outcomes.values()
    )
    named = message.format("acme.meddling, allmodes-acme 1.0")
    assert (outcome.status, outcome.error, outcome.iteration) == ("failed", f"{named} (it was put back)", 0)


def failing_at(*iterations: int) -> Any:
    """A sampler that fails to draw as many items as an evaluation has, after so many calls."""
    calls = list[int]()

    def returned(n: int) -> Tensor:
        calls.append(n)
        if calls.count(64) in iterations and n == 64:
            raise ValueError("nothing is accepted")
        return torch.ones(n, 2)

    return returned


NO_SAMPLES = "forward of sampler for 64 items (acme.bad, allmodes-acme 1.0): ValueError: nothing is accepted"


def test_a_sampler_that_fails_at_an_evaluation_costs_that_evaluation(registry: Registry, tmp_path: Path) -> None:
    RETURNED[:] = [failing_at(1)]
    said = list[str]()
    options: Any = {"registry": registry, "track": False, "warn": said.append}
    results = Experiment.from_spec(spec_with("acme.bad"), folder=tmp_path, **options).run()
    assert results.status == "finished"
    assert said == [f"tiny/seed-3: no evaluation at iteration 10: {NO_SAMPLES}"]
    assert {line["iteration"] for line in read(first_run(results.folder).metrics) if "eval/modes" in line} == {20}


def test_a_run_that_draws_no_samples_at_its_end_fails_with_its_checkpoints_and_goes_on_with_another_sampler(
    registry: Registry, tmp_path: Path
) -> None:
    RETURNED[:] = [failing_at(1, 2)]
    said = list[str]()
    options: Any = {"registry": registry, "track": False, "warn": said.append}
    training = {**SPEC["training"], "checkpoints": {"every": 10}}
    results = Experiment.from_spec(spec_with("acme.bad", training=training), folder=tmp_path, **options).run()
    assert (results.outcomes[3].status, results.outcomes[3].error) == ("failed", NO_SAMPLES)
    assert said[:2] == [f"tiny/seed-3: no evaluation at iteration {i}: {NO_SAMPLES}" for i in (10, 20)]
    assert [int(path.name) for path in first_run(results.folder).checkpoints] == [20, 10]
    said.clear()
    again = Experiment.resume(results.folder, ["sampler=null"], **options).run()
    assert (again.status, said) == ("finished", [])
    plain = trained(registry, tmp_path / "plain", None)
    assert dict(numbers_of(first_seed(again)))["eval/modes"] == dict(numbers_of(plain / "seed-3"))["eval/modes"]


def test_a_sampler_that_cannot_be_fitted_costs_no_checkpoint(registry: Registry, tmp_path: Path) -> None:
    said = list[str]()
    training = {**SPEC["training"], "checkpoints": {"every": 5}}
    spec = {**SPEC, "training": training, "sampler": {"kind": "acme.meddling", "fault": "fit later"}}
    results = Experiment.from_spec(spec, registry=registry, folder=tmp_path, track=False, warn=said.append).run()
    problem = "fit of sampler (acme.meddling, allmodes-acme 1.0): ValueError: too late"
    assert results.outcomes[3].error == problem
    assert said[0] == f"tiny/seed-3: the sampler was not fitted to the stored model: {problem}"
    assert int(first_run(results.folder).checkpoints[0].name) == 20


@pytest.mark.parametrize("kind", [None, "acme.centred"])
def test_no_samples_have_the_shape_of_samples(registry: Registry, tmp_path: Path, kind: str | None) -> None:
    model = load_run(trained(registry, tmp_path, kind), registry)
    assert model.sample(0).shape == (0, 2)


def test_modes_may_be_a_list() -> None:
    modules, _ = half()
    for given in ([2, 0, 1], (2, 0, 1), np.array([2, 0, 1]), torch.tensor([2, 0, 1])):
        assert given_problem(modules["prior"], as_tensors({"mode": given}), 3) is None
        assert draw(modules, 3, torch.Generator(), {"mode": given})[:, 0].tolist() == [2, 0, 1]  # type: ignore[dict-item]
        assert draw(without(modules), 3, torch.Generator(), {"mode": given})[:, 0].tolist() == [2, 0, 1]  # type: ignore[dict-item]


def without(modules: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    return {name: modules[name] for name in ("prior", "generator")}


@pytest.mark.parametrize("mode", ["1", True, [0.0, 1.0, 2.0], [0, 1], None])
def test_what_is_no_mode_is_refused(mode: Any) -> None:
    problem = given_problem(Numbered(), as_tensors({"mode": mode}), 3)
    assert problem == "modes are given as a number from 0 to 2, or as 3 of them, one for each draw"


def linear(pack: int, joint: str | None = None) -> Discriminator:
    """A discriminator that adds up what it sees."""
    judge = Discriminator(nn.Module(), pack, joint)  # type: ignore[arg-type]
    judge.network.trunk = lambda *seen: torch.cat(seen, 1)
    judge.network.head = lambda features: features.sum(1, keepdim=True)
    return judge


def test_items_that_are_packed_share_a_score() -> None:
    """Five items in packs of two: the first comes again in the last."""
    source, x = Source({"discriminator": linear(2)}, None), torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0])[:, None]
    assert source.score(x).tolist() == [3, 3, 12, 12, 17]
    assert source.pack == 2


def test_a_joint_discriminator_sees_the_code_of_the_latent_or_what_is_found_in_the_items() -> None:
    modules = compose("veegan/demo").modules
    latent = modules["prior"](seeded(0), 4)
    source, x = Source(modules, torch.Generator().manual_seed(3)), torch.randn(4, 2)
    judge, F = modules["discriminator"], modules["reconstructor"]
    assert torch.equal(source.score(x, latent), judge(x, latent.code)[0])
    assert torch.equal(source.score(x), judge(x, F.code(F(x), seeded(3)))[0])


def test_a_model_without_a_discriminator_has_no_scores() -> None:
    with pytest.raises(LookupError, match=r"^the model has no discriminator, which a sampler asks for$"):
        Source({}, None).score(torch.zeros(2, 2))


# Runs


def test_a_run_is_measured_with_it_and_trains_as_one_without_it(registry: Registry, tmp_path: Path) -> None:
    plain, centred = (trained(registry, tmp_path / str(kind), kind) for kind in (None, "acme.centred"))
    files = sorted(path.name for path in first_run(plain).checkpoints[0].glob("*.safetensors"))
    assert {path.name for path in first_run(centred).checkpoints[0].glob("*.safetensors")} == {
        *files, "sampler.safetensors",
    }  # fmt: skip
    for name in files:
        one, other = (first_run(folder).checkpoints[0] / name for folder in (plain, centred))
        assert one.read_bytes() == other.read_bytes()
    assert not torch.equal(*(load_run(folder, registry).sample(9) for folder in (plain, centred)))


def first_run(folder: Path) -> RunFolder:
    return RunFolder(folder).runs[0]


def test_what_it_was_fitted_to_is_stored_and_exported(registry: Registry, tmp_path: Path) -> None:
    ema = {**SPEC["training"], "ema": {"decay": 0.5}}
    folder = trained(registry, tmp_path / "runs", "acme.centred", training=ema)
    model = load_run(folder, registry)
    x = model.sample(9, seed=2)
    shift: Any = model.modules["sampler"].shift
    plain = draw({name: model.modules[name] for name in ("prior", "generator")}, 9, generator_of(model, 2))
    torch.testing.assert_close(x, plain + shift)
    assert float(shift.abs().max()) > 0
    exported = load_run(model.export(tmp_path / "away"), registry)
    assert torch.equal(exported.sample(9, seed=2), x)
    assert torch.equal(load_run(folder, registry, checkpoint="last").sample(9, seed=2), x)
    card = (tmp_path / "away" / "README.md").read_text()
    assert "- samples: drawn by acme.centred" in card
    assert "acme.centred" in card.split("---\n")[1]
    assert json.loads((tmp_path / "away" / "model.json").read_text())["sampler"] == "acme.centred"


def generator_of(model: Any, seed: int) -> torch.Generator:
    from allmodes.game.noise import rng

    return rng(seed, "sample")


def test_it_is_fitted_before_the_training_at_each_evaluation_and_before_a_model_is_stored(
    registry: Registry, tmp_path: Path
) -> None:
    training = {**SPEC["training"], "checkpoints": {"every": 7}}
    experiment = Experiment.from_spec(
        spec_with("acme.centred", training=training), registry=registry, folder=tmp_path, track=False
    )
    fits = list[Any]()
    original = Centred.fit

    def fit(self: Centred, fitting: Fitting) -> None:
        original(self, fitting)
        fits.append(self.fits[-1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Centred, "fit", fit)
        experiment.run()
    assert {iteration for iteration, _ in fits} == {0, 7, 10, 14, 20}
    assert not any(training for _, training in fits)


def test_an_interrupted_run_with_a_sampler_equals_an_unbroken_one(registry: Registry, tmp_path: Path) -> None:
    spec = spec_with("acme.centred")
    options: Any = {"registry": registry, "track": False}
    whole = Experiment.from_spec(spec, folder=tmp_path / "whole", **options).run()
    cut = Experiment.from_spec(
        spec, folder=tmp_path / "cut", observers={"cut": InterruptingObserver(5, 15)}, **options
    ).run()
    for _ in range(2):
        cut = Experiment.resume(cut.folder, **options).run()
        if cut.status == "finished":
            break
    assert equal_runs(first_seed(whole), first_seed(cut))


@pytest.mark.parametrize(
    ("before", "after"), [(None, "acme.centred"), ("acme.centred", "acme.free"), ("acme.free", None)]
)
def test_a_run_goes_on_with_another_sampler(
    registry: Registry, tmp_path: Path, before: str | None, after: str | None
) -> None:
    folder = trained(registry, tmp_path / "cut", before)
    setting = "null" if after is None else f"{{kind: {after}}}"
    changes = ["training.iterations=30", f"sampler={setting}"]
    resumed = Experiment.resume(folder, changes, registry=registry, track=False, warn=pytest.fail).run()
    assert resumed.outcomes[3].iteration == 30
    model = load_run(folder, registry)
    assert model.spec.sampler == loading.parse(spec_with(after), registry).sampler
    assert ("sampler" in model.modules) == (after is not None)
    longer = {**SPEC["training"], "iterations": 30}
    plain = load_run(trained(registry, tmp_path / "plain", None, training=longer), registry)
    for name, tensor in plain.modules["generator"].state_dict().items():
        assert torch.equal(tensor, model.modules["generator"].state_dict()[name])


def test_a_run_without_one_is_measured_with_one(registry: Registry, tmp_path: Path) -> None:
    folder = trained(registry, tmp_path, None)
    before = dict(numbers_of(folder / "seed-3"))
    (plain,) = remeasure_all(folder, [], None, registry, track=False, warn=pytest.fail)
    change = ["sampler={kind: acme.centred}", "evaluation.samples=500"]
    (found,) = remeasure_all(folder, change, None, registry, track=False, warn=pytest.fail)
    assert found.results.keys() == plain.results.keys()
    now = dict(numbers_of(folder / "seed-3"))
    assert {key: value for key, value in now.items() if key in before} == before  # the numbers of the run itself stay
    assert now["eval/modes_acme_centred"] == found.results["modes"]
    assert load_run(folder, registry).spec.sampler is None
    table = measures_table("run", {3: found.results}, found.floors, found.run.spec)
    assert table.caption is not None
    assert str(table.caption).splitlines()[0] == "samples are drawn by acme.centred"


def test_a_run_with_one_is_measured_without_it(registry: Registry, tmp_path: Path) -> None:
    folder = trained(registry, tmp_path, "acme.centred")
    (found,) = remeasure_all(folder, ["sampler=null"], None, registry, track=False, warn=pytest.fail)
    assert dict(numbers_of(folder / "seed-3"))["eval/modes_without_sampler"] == found.results["modes"]


def test_the_table_of_a_run_names_the_sampler(registry: Registry, tmp_path: Path) -> None:
    spec = spec_with("acme.centred")
    results = Experiment.from_spec(spec, registry=registry, folder=tmp_path, track=False).run()
    assert str(results_table(results).caption).splitlines()[0] == "samples are drawn by acme.centred"


def test_a_sampler_that_a_stored_model_was_not_fitted_with_is_refused(registry: Registry, tmp_path: Path) -> None:
    folder = trained(registry, tmp_path, None)
    text = (folder / "seed-3" / "spec.yaml").read_text()
    assert "sampler:\n" in text
    (folder / "seed-3" / "spec.yaml").write_text(text.replace("sampler:\n", "sampler: {kind: acme.centred}\n"))
    with pytest.raises(ModelError) as error:
        load_run(folder / "seed-3", registry)
    stored = f"{folder / 'seed-3' / 'model'} was stored with no sampler, and the spec has acme.centred"
    assert str(error.value) == f"{stored}: measure it with `allmodes evaluate`"


def test_a_tracked_model_samples_through_mlflow_as_it_does_from_its_folder(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    sampler = {"kind": "baselines.rejection", "percentile": 80}
    results = Experiment.from_spec({**SPEC, "sampler": sampler}, folder=tmp_path / "runs").run()
    _, (child,) = logged(client)
    assert child.data.tags["allmodes.sampler"] == "baselines.rejection"
    ours = load_run(results.folder).sample(50, 7).numpy()
    model = mlflow.pyfunc.load_model(f"runs:/{child.info.run_id}/model")
    np.testing.assert_array_equal(model.predict(50, params={"seed": 7}), ours)
    np.testing.assert_array_equal(load_run(f"runs:/{child.info.run_id}").sample(50, 7).numpy(), ours)
