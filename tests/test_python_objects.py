"""Plain modules, and functions as losses and metrics, that come from Python: trained, varied, resumed, stored."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from allmodes import (
    CompositionError,
    Dropout,
    Experiment,
    Metric,
    PlainNetwork,
    Results,
    SpecError,
    Step,
    compare,
    installed,
    load_run,
)
from allmodes.cli import main as cli_main
from allmodes.metrics import Evaluation
from allmodes.registry.faults import ContractError, describe
from allmodes.specs import loading
from allmodes.studies import pool
from tiny import SPEC


class Plain(nn.Module):
    """A generator, or a score, as in anybody's script."""

    def __init__(self, width: int = 8, outputs: int = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, outputs))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


class Pair(nn.Module):
    """A discriminator that returns scores and features."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.score = nn.Linear(2, 5), nn.Linear(5, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = torch.tanh(self.body(x))
        return self.score(features).squeeze(1), features


def score() -> nn.Module:
    """A plain discriminator."""
    return Plain(outputs=1)


def pull(step: Step, to: float = 0.0) -> Tensor:
    """Keeps generated points near a circle."""
    return (step.fake.norm(dim=1) - to).square().mean()


def spread(samples: Tensor, real: Tensor) -> Tensor:
    """By how much the samples are wider than the data."""
    return samples.std() - real.std()


OBJECTS: Mapping[str, Any] = {
    "networks": {"mine": Plain, "judge": score},
    "losses": {"pull": pull},
    "metrics": {"spread": spread},
}
OWN = {
    **SPEC,
    "generator": {"kind": "python:mine"},
    "discriminator": {"kind": "python:judge"},
    "losses": [{"kind": "non_saturating"}, {"kind": "python:pull", "weight": 0.1, "start": 3}],
    "evaluation": {**SPEC["evaluation"], "metrics": ["modes", {"kind": "python:spread", "better": "lower"}]},
    "seeds": [0, 1],
}


def experiment(spec: Mapping[str, Any], folder: Path, **objects: Any) -> Experiment:
    return Experiment.from_spec({**spec}, folder=folder, track=False, **objects)


def with_training(spec: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
    return {**spec, "training": {**spec["training"], **settings}}


def with_metric(**settings: Any) -> dict[str, Any]:
    return {**SPEC, "evaluation": {**SPEC["evaluation"], "metrics": [{"kind": "python:mine", **settings}]}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return experiment(OWN, tmp_path_factory.mktemp("runs"), **OBJECTS).run()


def weights(folder: Path) -> Tensor:
    return (
        load_run(folder, networks=OBJECTS["networks"])
        .modules["generator"]
        .get_parameter("trunk.module.layers.0.weight")
    )


def test_plain_modules_train_and_each_seed_has_weights_of_its_own(trained: Results) -> None:
    assert trained.status == "finished"
    assert not torch.equal(weights(trained.folder / "seed-0"), weights(trained.folder / "seed-1"))
    page = json.loads((trained.folder / "seed-0" / "run.json").read_text())
    assert page["rerunnable"] is False
    assert {place: text.partition(" (")[0] for place, text in page["objects"].items()} == {
        "networks.mine": "class Plain",
        "networks.judge": "function score",
        "losses.pull": "function pull",
        "metrics.spread": "function spread",
    }


def test_stacked_seeds_train_as_one_after_another(trained: Results, tmp_path: Path) -> None:
    stacked = experiment(with_training(OWN, engine="stacked"), tmp_path, **OBJECTS).run()
    assert [outcome.engine for outcome in stacked.outcomes.values()] == ["stacked", "stacked"]
    for seed in (0, 1):
        mine, theirs = (weights(run.folder / f"seed-{seed}") for run in (stacked, trained))
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_loss_that_looks_at_values_trains_with_the_eager_engine(tmp_path: Path) -> None:
    def looks(step: Step) -> Tensor:
        return step.fake.mean() if float(step.fake.detach().mean()) > 0 else -step.fake.mean()

    spec = with_training({**OWN, "losses": [{"kind": "non_saturating"}, {"kind": "python:pull"}]}, engine="stacked")
    with pytest.warns(UserWarning, match="stacked"):
        results = experiment(spec, tmp_path, **{**OBJECTS, "losses": {"pull": looks}}).run()
    assert results.status == "finished"
    assert {outcome.engine for outcome in results.outcomes.values()} == {"eager"}


def test_the_spec_says_that_it_is_not_enough(trained: Results) -> None:
    first = (trained.folder / "spec.yaml").read_text().splitlines()[0]
    needed = "networks={'mine': ..., 'judge': ...}, losses={'pull': ...}, metrics={'spread': ...}"
    assert first == f"# Not enough to run again: pass {needed} to Experiment.from_recipe."
    again = Experiment.from_recipe(str(trained.folder / "spec.yaml"), track=False, **OBJECTS)
    assert loading.dump(again.spec) == (trained.folder / "spec.yaml").read_text()


def test_a_run_goes_on_with_its_objects_as_if_it_had_not_stopped(trained: Results, tmp_path: Path) -> None:
    spec = with_training(OWN, iterations=10)
    begun = experiment(spec, tmp_path, **OBJECTS).run()
    Experiment.resume(begun.folder, ["training.iterations=20"], track=False, **OBJECTS).run()
    assert torch.equal(weights(begun.folder / "seed-1"), weights(trained.folder / "seed-1"))


def test_a_resumed_run_warns_of_another_object_under_the_same_name(tmp_path: Path) -> None:
    begun = experiment({**with_training(OWN, iterations=10), "seeds": [0]}, tmp_path, **OBJECTS).run()
    other = {**OBJECTS, "losses": {"pull": lambda step: pull(step, 1.0)}}
    code = r"\(sha256 [0-9a-f]{12}\)"
    message = f"tiny/seed-0 began with losses.pull = function pull {code} and goes on with function <lambda> {code}$"
    with pytest.warns(UserWarning, match=message):
        Experiment.resume(begun.folder, ["training.iterations=12"], track=False, **other).run()


def test_a_model_is_exported_and_loaded_again_with_its_networks(trained: Results, tmp_path: Path) -> None:
    networks = {"mine": Plain}  # samples need the generator alone
    model = load_run(trained.folder, networks=networks)
    exported = load_run(model.export(tmp_path / "exported"), networks=networks)
    assert torch.equal(exported.sample(50), model.sample(50))
    generator = exported.modules["generator"]
    assert isinstance(generator, PlainNetwork)
    assert isinstance(generator.module, Plain)
    z = torch.randn(4, 2)
    assert torch.equal(generator(z), generator.module(z))
    card = (tmp_path / "exported" / "README.md").read_text()
    assert "samples = load(\"path/to/this/folder\", networks={'mine': ...}).sample(1000, seed=0)" in card
    assert "`spec.yaml` holds every setting; what came from Python is not in it, and has to be passed: `" in card


def test_a_model_that_came_from_python_names_what_is_missing(trained: Results) -> None:
    folder = trained.folder / "seed-0"
    with pytest.raises(SpecError) as error:
        load_run(folder)
    told = f"its model has networks of Python, which no file holds: pass them: load_run('{folder}', "
    assert str(error.value) == f"{folder}: {told}networks={{'mine': ...}})"


def test_a_model_of_installed_networks_needs_neither_its_loss_nor_its_metric(tmp_path: Path) -> None:
    spec = {**with_metric(), "losses": [*SPEC["losses"], {"kind": "python:pull"}]}
    results = experiment(spec, tmp_path, losses={"pull": pull}, metrics={"mine": spread}).run()
    assert load_run(results.folder).sample(3).shape == (3, 2)


def test_a_module_that_was_made_before_is_copied_with_its_weights(tmp_path: Path) -> None:
    module = Plain()
    before = module.layers[0].weight.clone()
    spec = with_training({**SPEC, "generator": {"kind": "python:mine"}, "seeds": [0, 1]}, iterations=1)
    message = (
        "^networks: 'mine': all 2 seeds begin with the weights of the module that was passed: for others, pass its "
        "class or a function that makes it$"
    )
    with pytest.warns(UserWarning, match=message):
        results = experiment(spec, tmp_path, networks={"mine": module}).run()
    assert torch.equal(module.layers[0].weight, before)
    for seed in (0, 1):  # one update by Adam moves a weight by its rate, at most
        assert (weights(results.folder / f"seed-{seed}") - before).abs().max() <= 1.001e-3


def test_options_of_a_spec_are_arguments_of_what_makes_the_network(tmp_path: Path) -> None:
    spec = {**SPEC, "generator": {"kind": "python:mine", "options": {"width": 5}}}
    composition = experiment(spec, tmp_path, networks={"mine": Plain}).run()
    model = load_run(composition.folder, networks={"mine": Plain})
    assert sum(p.numel() for p in model.modules["generator"].parameters()) == 5 * 3 + 2 * 6


def test_what_makes_a_network_may_ask_for_its_shapes(tmp_path: Path) -> None:
    seen = []

    def make(sees: Any, gives: Any) -> nn.Module:
        seen.append((sees, gives))
        return nn.Linear(sees[0][0], gives[0])

    experiment({**SPEC, "generator": {"kind": "python:mine"}}, tmp_path, networks={"mine": make}).prepare()
    assert seen == [(((2,),), (2,))]


def test_a_pair_of_scores_and_features_is_a_discriminator() -> None:
    network, module = PlainNetwork(pair := Pair(), ((2,),), (1,)), pair
    x = torch.randn(4, 2)
    scores, features = module(x)
    assert network.feature_dim == 6
    assert torch.equal(network.trunk(x), torch.cat([scores[:, None], features], 1))
    assert torch.equal(network.head(network.trunk(x)).squeeze(-1), scores)


class Joining(nn.Module):
    """A linear map of all that it is given, side by side."""

    def __init__(self, sees: Any, gives: Any) -> None:
        super().__init__()
        self.linear = nn.Linear(sum(shape[0] for shape in sees), gives[0])

    def forward(self, *seen: Tensor) -> Tensor:
        out: Tensor = self.linear(torch.cat(seen, 1))
        return out


def test_a_joint_discriminator_and_the_body_of_an_auxiliary_may_be_plain_modules(tmp_path: Path) -> None:
    changes = [
        "auxiliaries.reconstructor.network={kind: python:mine}",
        "discriminator={kind: python:mine, joint: reconstructor}",
        *("training.iterations=5", "training.device=cpu", "evaluation.samples=64", "evaluation.every=5", "seeds=[0]"),
    ]
    made = Experiment.from_recipe("veegan/ring", changes, folder=tmp_path, track=False, networks={"mine": Joining})
    assert made.run().status == "finished"


def test_a_game_of_two_functions_trains_as_the_installed_one(tmp_path: Path) -> None:
    game = {
        "discriminator": lambda step: softplus(-step.score("real")).mean() + softplus(step.score("fake")).mean(),
        "generator": lambda step: softplus(-step.score("fake")).mean(),
    }
    plain = {**SPEC, "losses": [{"kind": "non_saturating"}]}
    theirs = experiment(plain, tmp_path).run()
    mine = experiment({**SPEC, "losses": [{"kind": "python:game"}]}, tmp_path, losses={"game": game}).run()
    assert torch.equal(load_run(mine.folder).sample(20), load_run(theirs.folder).sample(20))


def test_a_loss_serves_the_player_that_the_spec_names(tmp_path: Path) -> None:
    def lift(step: Step, by: float) -> Tensor:
        return by * step.score("fake").mean()

    own = {"kind": "python:lift", "player": "discriminator", "options": {"by": 3.0}}
    spec = {**SPEC, "losses": [{"kind": "non_saturating"}, own]}
    found = experiment(spec, tmp_path, losses={"lift": lift}).run()
    numbers = [json.loads(line) for line in (found.folder / "seed-3" / "metrics.jsonl").read_text().splitlines()]
    named = {key for line in numbers for key in line.get("values", line) if "lift" in key}
    assert named
    assert all("discriminator" in key for key in named)


def test_a_metric_is_its_function_of_samples_beside_real_data(trained: Results) -> None:
    floors, results = trained.outcomes[0].floors, trained.outcomes[0].results
    assert abs(floors["spread"]) < 0.05  # real data are as wide as real data
    assert results["spread"] < floors["spread"]
    assert trained.spec.evaluation.numbers()["spread"].better == "lower"


@pytest.mark.parametrize(
    ("function", "numbers"),
    [
        (lambda x: 2.0, {"mine": 2.0}),
        (lambda fake, true: {"a": len(fake), "b": len(true)}, {"a": 64.0, "b": 64.0}),
        (lambda samples, evaluation, data: evaluation.samples is samples, {"mine": 1.0}),
        (lambda real, samples: samples.shape[1] + 10 * len(real), {"mine": 642.0}),
        (lambda x, times=3: times, {"mine": 4.0}),
    ],
)
def test_a_metric_asks_by_place_or_by_name(function: Any, numbers: dict[str, float], tmp_path: Path) -> None:
    options = {"times": 4} if "times" in function.__code__.co_varnames else {}
    made = experiment(with_metric(options=options), tmp_path, metrics={"mine": function})
    (metric,) = made.resources.metrics.values()
    x = torch.zeros(64, 2)
    evaluation: Any = Evaluation(x, made.data, made.data.held_out(64, torch.Generator()), torch.Generator())
    assert metric.compute(evaluation) == numbers


def test_the_best_checkpoint_is_kept_by_a_metric_of_python(tmp_path: Path) -> None:
    spec = {**with_metric(better="lower"), "training": {**SPEC["training"], "checkpoints": {"best": "mine"}}}
    results = experiment(spec, tmp_path, metrics={"mine": spread}).run()
    assert load_run(results.folder, checkpoint="best").sample(2).shape == (2, 2)


def test_floors_of_a_metric_of_python_are_measured_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLMODES_FLOORS", str(tmp_path / "floors"))
    for value in (1.0, 2.0):  # the same name and settings, other code
        found = experiment(with_metric(), tmp_path, metrics={"mine": lambda x, value=value: value})
        assert found.resources.floors == {"mine": value}


class Drawn(Metric):
    """A metric as a plugin has it."""

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return {"drawn": float(len(evaluation.samples))}


def test_a_class_of_metrics_needs_no_settings(tmp_path: Path) -> None:
    found = experiment(with_metric(), tmp_path, metrics={"mine": Drawn}).run()
    assert found.outcomes[3].results["drawn"] == 64


class Counted(Metric):
    """A metric that remembers how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        self.asked.append(len(evaluation.samples))
        return {"asked": float(len(self.asked))}


def test_each_experiment_has_a_metric_of_its_own_of_one_that_was_passed(tmp_path: Path) -> None:
    passed = Counted()
    found = [experiment(with_metric(), tmp_path / name, metrics={"mine": passed}).run() for name in ("a", "b")]
    assert found[0].outcomes[3].results["asked"] == found[1].outcomes[3].results["asked"] > 0
    assert passed.asked == []


def test_a_metric_object_takes_no_options(tmp_path: Path) -> None:
    with pytest.raises(ContractError) as error:
        experiment(with_metric(options={"times": 4}), tmp_path, metrics={"mine": Counted()}).run()
    assert describe(error.value) == (
        "build of metric python:mine (your object Counted): is a metric object, which takes no options: give its class"
    )
    assert not list(tmp_path.iterdir())


GENERATOR, JUDGE = {**SPEC, "generator": {"kind": "python:mine"}}, {**SPEC, "discriminator": {"kind": "python:mine"}}
LOSS = {**SPEC, "losses": [*SPEC["losses"], {"kind": "python:mine"}]}
PASS = "which no file holds: pass {} or make it a kind: allmodes new-plugin NAME --from FILE.py"
NETWORK = PASS.format("networks={'mine': ...} to Experiment.from_recipe, Experiment.resume or load_run,")


@pytest.mark.parametrize(
    ("spec", "objects", "message"),
    [
        (GENERATOR, {}, f"spec: generator.kind: network 'python:mine' is an object of Python, {NETWORK}"),
        (
            GENERATOR,
            {"networks": {"mien": Plain}},
            "spec: generator.kind: network 'python:mine' (did you mean 'python:mien'?) is an object of Python, "
            f"{NETWORK}",
        ),
        (
            LOSS,
            {},
            "spec: losses.2.kind: loss 'python:mine' is an object of Python, "
            + PASS.format("losses={'mine': ...} to Experiment.from_recipe or Experiment.resume,"),
        ),
        (
            with_metric(),
            {},
            "spec: evaluation.metrics.0.kind: metric 'python:mine' is an object of Python, "
            + PASS.format("metrics={'mine': ...} to Experiment.from_recipe or Experiment.resume,"),
        ),
        (
            {**SPEC, "prior": {"kind": "python:mine"}},
            {},
            "spec: prior.kind: prior 'python:mine': an object of Python may be a network, a loss or a metric: make "
            "yours a kind of a plugin: allmodes new-plugin NAME",
        ),
        (
            {**SPEC, "generator": {"kind": "python:my net"}},
            {},
            "spec: generator.kind: network 'python:my net' names no object of Python: write python: and a name of "
            "letters, digits and _",
        ),
        (
            GENERATOR,
            {"networks": {"mine": 3}},
            "networks: 'mine' is 3: give a torch.nn.Module, or a class or function that makes one",
        ),
        (
            GENERATOR,
            {"networks": [Plain()]},
            "networks: is a list: pass objects by name, such as networks={'mine': ...}",
        ),
        (
            GENERATOR,
            {"networks": {"my net": Plain}},
            "networks: 'my net' is no name: use letters, digits and _, a letter first",
        ),
        (
            LOSS,
            {"losses": {"mine": {"generator": pull}}},
            "losses: 'mine' is a dict: give a function of the step, {'discriminator': ..., "
            "'generator': ...} for a game, or an allmodes.LossTerm",
        ),
        (
            with_metric(),
            {"metrics": {"mine": "fid"}},
            "metrics: 'mine' is 'fid': give a function of samples and real items, or an allmodes.Metric",
        ),
        (
            {**SPEC, "losses": [*SPEC["losses"], {"kind": "python:mine", "game": True}]},
            {"losses": {"mine": pull}},
            "spec: losses.2: python:mine is a second game beside non_saturating: a spec has exactly one\n"
            "spec: losses.2.game: function pull is no game: leave game out",
        ),
        (
            {**SPEC, "losses": [{"kind": "python:mine", "player": "discriminator"}]},
            {"losses": {"mine": {"discriminator": pull, "generator": pull}}},
            "spec: losses.0.player: is a game, of both players: leave player out",
        ),
    ],
)
def test_what_cannot_be_understood_is_refused_before_anything_is_built(
    spec: Mapping[str, Any], objects: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SpecError) as error:
        experiment(spec, tmp_path, **objects)
    assert str(error.value) == message


MADE = Plain()


@pytest.mark.parametrize(
    ("spec", "network", "message"),
    [
        (
            GENERATOR,
            lambda: nn.Linear(3, 2),
            "generator python:mine (your function <lambda>): Linear fails in a trial pass: RuntimeError: mat1 and mat2 "
            "shapes cannot be multiplied (2x2 and 3x2): it has to take (B, 2) and give (B, 2)",
        ),
        (
            GENERATOR,
            lambda: nn.Linear(2, 3),
            "generator python:mine (your function <lambda>): Linear gives (B, 3) in a trial pass, where (B, 2) is "
            "needed: change its last layer",
        ),
        (
            GENERATOR,
            Pair(),
            "generator python:mine (your module Pair): Pair gives (B) and (B, 5) in a trial pass, where (B, 2) is "
            "needed: change its last layer",
        ),
        (
            JUDGE,
            Plain,
            "discriminator python:mine (your class Plain): Plain gives (B, 2) in a trial pass, where (B, 1) is needed: "
            "for a discriminator scores (B,) or (B, 1), or a pair of scores and features (B, F): change its last layer",
        ),
        (
            GENERATOR,
            lambda: 3,
            "generator python:mine (your function <lambda>): returns 3, which is no torch.nn.Module",
        ),
        (
            GENERATOR,
            nn.Linear,
            "generator python:mine (your class Linear): cannot be called with the options {}: missing a required "
            "argument: 'in_features': set its arguments under options, give them a default, or pass lambda: Net(...)",
        ),
        (
            {**SPEC, "generator": {"kind": "python:mine", "options": {"width": 3}}},
            MADE,
            "generator python:mine (your module Plain): is a module, which takes no options: give its class, or a "
            "function that makes it",
        ),
    ],
)
def test_a_network_of_other_shapes_is_refused_before_a_folder_is_made(
    spec: Mapping[str, Any], network: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(CompositionError) as error:
        experiment(spec, tmp_path, networks={"mine": network}).run()
    assert str(error.value) == f"build of {message}"
    assert not list(tmp_path.iterdir())


def test_a_function_that_returns_one_module_for_all_is_refused(tmp_path: Path) -> None:
    module = Plain()
    with pytest.warns(UserWarning, match="returned before"):
        results = experiment(GENERATOR, tmp_path, networks={"mine": lambda: module}).run()
    assert results.outcomes[3].error == (
        "build of generator python:mine (your function <lambda>): returns a module that it has returned before, and "
        "weights would be shared: make a new one"
    )


def test_an_error_of_a_function_names_the_function(tmp_path: Path) -> None:
    def broken(step: Step) -> Tensor:
        raise ZeroDivisionError("no scale")

    with pytest.warns(UserWarning, match="no scale"):
        results = experiment(LOSS, tmp_path, losses={"mine": broken}).run()
    where = "loss mine of player 'generator' (python:mine, your function broken)"
    assert results.outcomes[3].error == f"{where}: ZeroDivisionError: no scale"


def test_an_object_that_the_spec_does_not_name_is_said(tmp_path: Path) -> None:
    message = "^losses: 'mine' was passed, but nothing in the spec is of kind python:mine$"
    with pytest.warns(UserWarning, match=message):
        experiment(SPEC, tmp_path, losses={"mine": pull}).prepare()


def test_dropout_of_torch_in_a_plain_module_draws_from_the_seed(tmp_path: Path) -> None:
    def dropping() -> nn.Module:
        return nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 2))

    drawn = []
    for seed in (0, 1):
        torch.manual_seed(seed)  # what other code does with the global generator changes nothing
        results = experiment(GENERATOR, tmp_path, networks={"mine": dropping}).run()
        drawn.append(load_run(results.folder, networks={"mine": dropping}).sample(8))
    assert torch.equal(*drawn)
    network = PlainNetwork(dropping(), ((2,),), (2,))
    assert [type(inner) for inner in network.modules() if "Dropout" in type(inner).__name__] == [Dropout]


def test_editors_accept_objects_by_name_in_every_place_of_a_network_a_loss_or_a_metric() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(loading.schema(installed()))
    several = ["modes", "python:mine", {"kind": "python:mine", "better": "lower"}]
    spec = {**OWN, "discriminator": {"kind": "python:judge", "pack": 2}, "evaluation": {"metrics": several}}
    assert list(validator.iter_errors(spec)) == []
    for wrong in ({"generator": {"kind": "pyton:mine"}}, {"prior": {"kind": "python:mine"}}):
        assert list(validator.iter_errors({**spec, **wrong}))


def test_an_experiment_of_a_checked_spec_takes_objects(tmp_path: Path) -> None:
    spec = experiment(GENERATOR, tmp_path, networks={"mine": Plain}).spec
    other = Experiment(spec, folder=tmp_path, track=False, networks={"mine": Plain})
    assert loading.dump(other.spec) == loading.dump(spec)
    assert other.run().status == "finished"


def test_compare_refuses_to_train_what_needs_objects_and_tabulates_what_is_finished(
    trained: Results, tmp_path: Path
) -> None:
    comparison = compare([str(trained.folder)], folder=tmp_path / "finished", track=False, figures=False, jobs=1)
    (row,) = comparison.groups[0].rows
    assert {seed: outcome.results["spread"] for seed, outcome in row.finished.items()} == {
        seed: outcome.results["spread"] for seed, outcome in trained.outcomes.items()
    }
    begun = experiment({**with_training(OWN, iterations=10), "seeds": [0]}, tmp_path, **OBJECTS).run()
    with pytest.raises(SpecError) as error:
        compare([str(begun.folder)], overrides=["training.iterations=12"], folder=tmp_path / "study", track=False)
    assert str(error.value) == (
        f"{begun.folder}: is not finished, and names objects of Python, which no file holds: pass {ALL} to "
        "allmodes.compare, which then trains in its own process"
    )


def test_compare_trains_what_needs_objects_in_its_own_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(pool, "Worker", no_process)
    monkeypatch.chdir(tmp_path)
    Path("own.json").write_text(json.dumps(with_training({**OWN, "seeds": [0, 1]}, iterations=12)))
    settings: dict[str, Any] = {"vary": {"training.batch_size": [8, 16]}, "folder": "study", "track": False}
    comparison = compare(["own.json"], jobs=1, **settings, **OBJECTS)
    assert comparison.status == "finished"
    assert [row.method for row in comparison.groups[0].rows] == ["batch_size=8", "batch_size=16"]
    assert (tmp_path / "study" / "figure.png").is_file()  # which reads the models with their networks
    for row, size in zip(comparison.groups[0].rows, (8, 16), strict=True):
        one = {**with_training(OWN, iterations=12, batch_size=size), "seeds": [0, 1]}
        alone = experiment(one, tmp_path / str(size), **OBJECTS).run()
        assert row.finished.keys() == {0, 1}
        for seed, outcome in row.finished.items():
            assert outcome.results == pytest.approx(alone.outcomes[seed].results, rel=1e-4, nan_ok=True)

    settings["figures"] = False
    again = compare(["own.json"], overrides=["training.iterations=14"], **settings, **OBJECTS)
    assert {one.iteration for row in again.groups[0].rows for one in row.finished.values()} == {14}


def test_an_object_that_fails_in_compare_ends_its_runs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(step: Step) -> Tensor:
        raise ZeroDivisionError("nothing to divide")

    monkeypatch.chdir(tmp_path)
    for name, kind in (("good", "python:pull"), ("bad", "python:broken")):
        spec = {**SPEC, "name": name, "losses": [*SPEC["losses"], {"kind": kind}]}
        Path(f"{name}.json").write_text(json.dumps(spec))
    passed = {"losses": {"pull": pull, "broken": broken, "other": pull}}
    unused = "^losses: 'other' was passed, but nothing in the specs is of kind python:other$"
    with pytest.warns(UserWarning, match=unused):
        comparison = compare(["good.json", "bad.json"], folder="study", track=False, figures=False, **passed)
    good, bad = comparison.groups[0].rows
    assert (set(good.states.values()), set(bad.states.values())) == ({"finished"}, {"failed"})
    assert "nothing to divide" in comparison.unfinished[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"jobs": 2},
            "jobs=2: objects of Python do not reach processes of their own: with jobs=1 (the default for them) this "
            "process trains",
        ),
        (
            {"on": "join"},
            "on='join': objects of Python do not reach other processes: leave it out, with jobs=1",
        ),
        ({"losses": {"my loss": pull}}, "losses: 'my loss' is no name: use letters, digits and _, a letter first"),
    ],
)
def test_compare_refuses_other_processes_for_objects(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as error:
        compare(["gan/ring"], **{"losses": {"pull": pull}, **options})
    assert str(error.value) == message


def test_compare_refuses_a_block_of_other_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.yaml").write_text(json.dumps({**SPEC, "executor": {"kind": "join"}}))
    with pytest.raises(SpecError) as error:
        compare(["own.yaml"], losses={"pull": pull})
    assert str(error.value).endswith(
        ": executor.kind: objects of Python do not reach other processes: say local, or on='local' in Python"
    )


@pytest.mark.parametrize("command", ["run", "validate"])
def test_the_command_line_says_what_to_pass(command: str, trained: Results, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_main.execute([command, str(trained.folder / "spec.yaml")]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "network 'python:mine' is an object of Python, which no file holds: pass networks={'mine': ...}" in error


ALL = "networks={'mine': ..., 'judge': ...}, losses={'pull': ...}, metrics={'spread': ...}"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("export {} out", "{}: its model has networks of Python, {}load('{}', networks={'mine': ...}).save('out')"),
        (
            "export {} out --checkpoint last",
            "{}: its model has networks of Python, {}load('{}', checkpoint='last', networks={'mine': ...}).save('out')",
        ),
        ("sample {} -n 5", "{}: its model has networks of Python, {}load('{}', networks={'mine': ...}).sample(5, 0)"),
        (
            "interpolate {}",
            "{}: its model has networks of Python, {}load('{}', networks={'mine': ...}).interpolate(a, b, 9)",
        ),
        (
            "evaluate {} --samples 90",
            "{} names objects of Python, {}load('{}', networks={'mine': ..., 'judge': ...}).sample(90) gives samples "
            "to measure",
        ),
        (
            "resume {} --set training.iterations=50",
            "{} names objects of Python, {}Experiment.resume('{}', ['training.iterations=50'], " + ALL + ").run()",
        ),
    ],
)
def test_a_command_on_a_run_with_objects_of_python_says_the_call_that_does_it(
    command: str, message: str, trained: Results, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.folder.parent)
    name, how = trained.folder.name, "which no command line can pass: in Python: allmodes."
    assert cli_main.execute(command.replace("{}", name).split()) == 2
    parts = message.split("{}")
    expected = f"{parts[0]}{name}{parts[1]}{how}{parts[2]}{name}{parts[3]}"
    assert capsys.readouterr().err == f"error: {expected}\n"
    assert not Path("out").exists()


def test_what_needs_no_objects_reads_a_run_without_them(trained: Results, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_main.execute(["show", str(trained.folder)]) == 0
    assert capsys.readouterr().out.startswith(f"# Not enough to run again: pass {ALL} to Experiment.from_recipe.\n")
    assert cli_main.execute(["report", str(trained.folder), "--no-figures"]) == 0
    assert "spread" in capsys.readouterr().out
