"""Runs that end before their last iteration: an observer asks for it, or a metric does not improve any more."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from allmodes import Experiment, Plugin, Results, SpecError, hookimpl, installed, load_run
from allmodes.experiments.early_stopping import Best, find_best
from allmodes.models.page import read_page
from allmodes.runs import journal
from allmodes.runs.ends import is_complete
from allmodes.runs.run_folder import RunFolder
from allmodes.specs.source import SpecError as ReadError
from allmodes.testing.interrupted import InterruptingObserver, equal_runs, first_seed, read_tensors
from allmodes_schemas import EarlyStoppingConfig, Spec
from lanes import SEEDS, assert_same_end, go_on, spec_of, train
from tiny import SPEC

OFTEN = {**SPEC["evaluation"], "every": 5}
STOPPING = {"metric": "high_quality", "patience": 2}


class Stopping:
    """Asks the runs of some seeds to stop at an iteration."""

    def __init__(self, at: int, *seeds: int, reason: str = "good\nenough") -> None:
        self.at, self.seeds, self.reason = at, seeds, reason

    def allmodes_metrics_logged(self, run: Any, iteration: int) -> None:
        if iteration == self.at and run.seed in self.seeds:
            run.stop(self.reason)


def tiny(folder: Path, evaluation: Mapping[str, Any] = OFTEN, **training: Any) -> Experiment:
    spec = {**SPEC, "evaluation": evaluation, "training": {**SPEC["training"], **training}}
    return Experiment.from_spec(spec, folder=folder, track=False)


def page(results: Results) -> Any:
    return json.loads(RunFolder(first_seed(results)).page.read_text())


def equal_weights(one: Path, other: Path) -> bool:
    first, second = read_tensors(one), read_tensors(other)
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


# An observer asks


def test_a_run_that_is_asked_to_stop_is_measured_saved_and_finished_with_the_reason(tmp_path: Path) -> None:
    evaluation = {**OFTEN, "metrics": ["modes", {"kind": "wasserstein", "every": 20}]}
    results = tiny(tmp_path, evaluation, log_every=1).run(observers=[Stopping(7, 3)])
    outcome, run = results.outcomes[3], first_seed(results)
    assert (outcome.status, outcome.iteration) == ("finished", 7)
    assert (outcome.stopped, outcome.stopped_by) == ("good enough", "observer")
    assert {"modes", "w1"} <= outcome.results.keys() <= outcome.results.keys() | outcome.floors.keys()
    assert outcome.floors["w1"] > 0
    assert load_run(run).iteration == 7
    assert page(results)["stopped"] == "good enough"
    end = json.loads(RunFolder(run).metrics.read_text().splitlines()[-1])
    assert (end["event"], end["stopped"], end["stopped_by"]) == ("end", "good enough", "observer")


def test_the_last_measurement_of_a_stopped_run_is_that_of_a_run_of_this_length(tmp_path: Path) -> None:
    stopped = tiny(tmp_path, log_every=1).run(observers=[Stopping(7, 3)])
    whole = tiny(tmp_path, log_every=1, iterations=7).run()
    assert stopped.outcomes[3].results == pytest.approx(whole.outcomes[3].results, nan_ok=True, rel=0, abs=0)
    assert equal_weights(first_seed(stopped), first_seed(whole))


def test_a_stopped_run_that_goes_on_equals_one_that_nobody_stopped(tmp_path: Path) -> None:
    unbroken = tiny(tmp_path, log_every=1).run()
    stopped = tiny(tmp_path, log_every=1).run(observers=[Stopping(7, 3)])
    resumed = Experiment.resume(stopped.folder, track=False).run()
    assert (resumed.outcomes[3].iteration, resumed.outcomes[3].stopped) == (20, None)
    assert equal_weights(first_seed(resumed), first_seed(unbroken))
    assert resumed.outcomes[3].results == pytest.approx(unbroken.outcomes[3].results, nan_ok=True, rel=0, abs=0)
    assert "stopped" not in page(resumed)


def test_a_run_that_is_stopped_before_it_begins_is_saved_at_iteration_0(tmp_path: Path) -> None:
    class AtOnce:
        def allmodes_run_started(self, run: Any) -> None:
            run.stop("not wanted")

    outcome = tiny(tmp_path).run(observers=[AtOnce()]).outcomes[3]
    assert (outcome.status, outcome.iteration, outcome.stopped) == ("finished", 0, "not wanted")


def test_a_stop_at_the_last_iteration_stops_nothing(tmp_path: Path) -> None:
    outcome = tiny(tmp_path).run(observers=[Stopping(20, 3)]).outcomes[3]
    assert (outcome.iteration, outcome.stopped, outcome.stopped_by) == (20, None, None)


def test_a_stop_needs_a_reason_and_one_without_it_costs_a_warning(tmp_path: Path) -> None:
    warned: list[str] = []
    made = tiny(tmp_path)
    made.warn = warned.append
    assert made.run(observers=[Stopping(5, 3, reason=" ")]).outcomes[3].stopped is None
    assert "give the reason as a text, such as run.stop('quality is reached'), not ' '" in warned[0]


@pytest.mark.parametrize("engine", ["eager", "stacked"])
def test_one_seed_of_several_is_stopped_and_the_others_are_what_they_would_have_been(
    engine: str, tmp_path: Path
) -> None:
    spec = {**spec_of(), "seeds": [0, 1]}
    stopped = train(tmp_path / "stopped", spec, engine, observers=[Stopping(5, 0)])
    alone = train(tmp_path / "alone", {**spec, "seeds": [1]}, "eager")
    assert [outcome.iteration for outcome in stopped.results.outcomes.values()] == [5, 8]
    assert stopped.warned == []
    if engine == "eager":
        assert equal_runs(stopped.runs[1], alone.runs[0])
    else:
        assert_same_end([stopped.runs[1]], alone.runs)


def test_an_observer_of_a_plugin_stops_runs_and_a_study_leaves_them_alone(tmp_path: Path) -> None:
    made = tiny(tmp_path)
    module = SimpleNamespace(allmodes_run_started=hookimpl(lambda run: run.stop("not wanted")))
    made.registry = installed()
    made.registry.register(module, Plugin("acme", "allmodes-acme", "1.0"))
    (outcome,) = (results := made.run()).outcomes.values()
    assert outcome.stopped == "not wanted"
    run = RunFolder(first_seed(results))
    assert is_complete(run, made.spec, outcome)
    assert not is_complete(run, made.spec, replace(outcome, stopped=None, stopped_by=None))


def test_a_run_that_was_stopped_early_is_complete_until_its_patience_changes(tmp_path: Path) -> None:
    made = tiny(tmp_path, iterations=50, early_stopping=STOPPING)
    (outcome,) = (results := made.run()).outcomes.values()
    run, training = RunFolder(first_seed(results)), made.spec.training
    assert is_complete(run, made.spec, outcome)
    for early in (None, EarlyStoppingConfig(metric="high_quality", patience=3)):
        changed = training.model_copy(update={"early_stopping": early})
        assert not is_complete(run, made.spec.model_copy(update={"training": changed}), outcome)


# Early stopping


def history(*values: float) -> list[tuple[int, dict[str, float]]]:
    return [(5 * i, {"w1": value}) for i, value in enumerate(values, 1)]


def best_of(*values: float, **options: Any) -> Best | None:
    config = EarlyStoppingConfig(metric="w1", **options)
    spec = Experiment.from_spec({**SPEC, "evaluation": {**OFTEN, "metrics": ["wasserstein"]}}).spec
    spec = spec.model_copy(update={"training": spec.training.model_copy(update={"early_stopping": config})})
    return find_best(Spec.model_construct(**dict(spec)), config, history(*values))


NAN = float("nan")


def test_improvements_are_counted_by_hand() -> None:
    assert best_of(3, 2, 2.5, 2) == Best(2, 10, 2)
    assert best_of(3, 2, 1.95, 1.85, least=0.1) == Best(1.85, 20, 0)
    assert best_of(3, 2, 1.95, 1.92, least=0.1) == Best(2, 10, 2)
    assert best_of(1, 4, better="higher") == Best(4, 10, 0)
    assert best_of(NAN, NAN) is None
    assert best_of(NAN, 2, NAN, 3) == Best(2, 10, 2)
    assert best_of(1, 4, 5, start=10) == Best(4, 10, 1)


def test_a_run_ends_where_its_metric_does_not_improve_and_says_so(tmp_path: Path) -> None:
    outcome = tiny(tmp_path, iterations=50, early_stopping=STOPPING).run().outcomes[3]
    assert (outcome.status, outcome.iteration, outcome.stopped_by) == ("finished", 15, "early_stopping")
    assert outcome.stopped == "high_quality has not improved for 2 evaluations: 0 at iteration 5"
    assert outcome.kept is None


def test_an_interrupted_run_stops_early_where_an_unbroken_one_does_bit_for_bit(tmp_path: Path) -> None:
    options = {"iterations": 60, "log_every": 1, "checkpoints": {"every": 4}, "early_stopping": STOPPING}
    evaluation = {**OFTEN, "every": 4, "metrics": ["modes", {"kind": "wasserstein", "every": 16}]}
    unbroken = tiny(tmp_path, evaluation, **options).run()
    cut = InterruptingObserver(3, 6, 9)
    broken = tiny(tmp_path, evaluation, **options).run(observers=[cut])
    while broken.status == "killed":
        broken = Experiment.resume(broken.folder, track=False, observers=[cut]).run()
    assert not cut.cuts
    assert unbroken.outcomes[3].iteration == 12
    assert equal_runs(first_seed(broken), first_seed(unbroken))
    assert broken.outcomes[3].stopped == unbroken.outcomes[3].stopped
    assert broken.outcomes[3].results == pytest.approx(unbroken.outcomes[3].results, nan_ok=True, rel=0, abs=0)


def test_each_seed_of_a_stack_stops_by_itself(tmp_path: Path) -> None:
    early = {"metric": "w1", "patience": 1}
    spec = spec_of({"evaluation": {"every": 4, "metrics": ["wasserstein"]}}, iterations=24, early_stopping=early)
    stacked = train(tmp_path, spec)
    for seed, run in zip(SEEDS, stacked.runs, strict=True):
        values = [line["eval/w1"] for line in journal.read(RunFolder(run).metrics) if "eval/w1" in line]
        worse = next((i for i in range(1, len(values)) if values[i] >= min(values[:i])), None)
        expected = 24 if worse is None else 4 * (worse + 1)
        assert stacked.results.outcomes[seed].iteration == expected
    assert len({outcome.iteration for outcome in stacked.results.outcomes.values()}) > 1, "nothing is tested"


def test_the_best_model_is_kept_with_its_numbers(tmp_path: Path) -> None:
    evaluation = {**OFTEN, "metrics": ["modes", "wasserstein"]}
    early = {**STOPPING, "keep": "best"}
    outcome = (results := tiny(tmp_path, evaluation, iterations=50, early_stopping=early).run()).outcomes[3]
    assert (outcome.iteration, outcome.kept) == (15, 5)
    run = RunFolder(first_seed(results))
    assert load_run(run.path).iteration == read_page(run.model)["iteration"] == 5
    model, best = (load_run(run.path, checkpoint=which).sample(9) for which in (None, "best"))
    assert model.equal(best)
    logged = next(line for line in journal.read(run.metrics) if line["iteration"] == 5 and "eval/w1" in line)
    assert outcome.results["w1"] == logged["eval/w1"]
    assert page(results)["kept"] == 5


def test_a_run_that_stopped_early_is_done_until_its_setting_changes(tmp_path: Path) -> None:
    results = tiny(tmp_path, iterations=50, early_stopping=STOPPING).run()
    message = (
        "was stopped early at iteration 15 (high_quality has not improved for 2 evaluations: 0 at iteration 5): "
        "to train on, change that, such as --set training.early_stopping=null"
    )
    for overrides in [(), ("training.iterations=100",)]:
        with pytest.raises(SpecError) as error:
            Experiment.resume(results.folder, overrides, track=False)
        assert str(error.value).endswith(message)
    resumed = Experiment.resume(results.folder, ["training.early_stopping.patience=4"], track=False).run()
    assert resumed.outcomes[3].iteration == 25


def test_resumed_stacks_leave_stopped_runs_alone(tmp_path: Path) -> None:
    trained = train(tmp_path, spec_of(), observers=[Stopping(5, 0), InterruptingObserver(7)])
    assert {outcome.status for outcome in trained.results.outcomes.values()} == {"finished", "killed"}
    gone_on = go_on(trained, observers=[Stopping(6, 0)])
    assert [outcome.iteration for outcome in gone_on.results.outcomes.values()] == [6, 8, 8]


@pytest.mark.parametrize(
    ("early", "message"),
    [
        (
            {"metric": "mode"},
            "training.early_stopping.metric: 'mode' is not a number of this spec's evaluation.metrics (did you mean "
            "'modes'?): there are modes, high_quality, kl, variance_ratio, high_quality_points, high_quality_radius",
        ),
        (
            {"metric": "high_quality_radius"},
            "training.early_stopping.metric: high_quality_radius does not say which values are better: set better: "
            "higher or better: lower",
        ),
        (
            {"metric": "modes", "patience": 0},
            "training.early_stopping.patience: should be greater than or equal to 1, got 0",
        ),
    ],
)
def test_mistakes_of_early_stopping_are_named(early: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ReadError) as error:
        Experiment.from_spec({**SPEC, "training": {**SPEC["training"], "early_stopping": early}})
    assert message in str(error.value)


def test_two_best_checkpoints_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"keeps the checkpoint of the best high_quality, not of modes: leave that out"):
        tiny(tmp_path, checkpoints={"best": "high_quality"}, early_stopping={"metric": "modes", "keep": "best"})


def test_patience_beyond_the_evaluations_is_warned_of(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"4 evaluations measure modes, too few to stop the run at patience 5"):
        tiny(tmp_path, early_stopping={"metric": "modes"})
