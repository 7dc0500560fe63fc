"""Rewinds: a run goes back to its last good checkpoint with lower rates, is counted, and resumes as if unbroken."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from allmodes import Experiment, Registry, Results, SpecError
from allmodes.engine.optimizers import scale_rate
from allmodes.experiments.rewinding import RewindError, Rewinding
from allmodes.models import checkpoints
from allmodes.runs import journal
from allmodes.runs.run import Rewind
from allmodes.runs.run_folder import RunFolder
from allmodes.testing.interrupted import InterruptingObserver, equal_runs, first_seed, read_numbers, read_tensors
from allmodes.tracking.events import Numbers, parse
from allmodes.tracking.selection import Selection
from allmodes_schemas import AdamConfig, Ramp, SgdConfig
from faulty import registry_of
from lanes import assert_same_end
from test_lockstep import DivergingConfig
from tiny import SPEC

OFTEN = {**SPEC["evaluation"], "every": 5, "metrics": ["modes", "wasserstein"]}
FALL = {"metric": "w1", "limit": 1.2, "times": 1}
"""The tiny run is below the limit up to iteration 20, and above it at 25."""
FAST = {"iterations": 40, "log_every": 1, "optimizer": {"kind": "adam", "lr": 0.01}, "checkpoints": {"every": 4}}
BURSTING = {"kind": "sgd", "lr": 10.0}
"""A rate at which losses are infinite after 5 iterations; a tenth of it trains."""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def tiny(
    folder: Path, changes: Mapping[str, Any] = {}, registry: Registry | None = None, **training: Any
) -> Experiment:
    spec = {**SPEC, "evaluation": OFTEN, **changes, "training": {**SPEC["training"], **FAST, **training}}
    options = {"registry": registry} if registry else {}
    experiment = Experiment.from_spec(spec, folder=folder, track=False, warn=(warned := []).append, **options)
    vars(experiment)["warned"] = warned
    return experiment


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The tiny run that goes back once."""
    return tiny(tmp_path_factory.mktemp("unbroken"), rewind=FALL).run()


def rates(run: Path) -> dict[str, float]:
    state = checkpoints.read(RunFolder(run).checkpoints[0]).state["loop"]["engine"]
    return {player: optimizer["param_groups"][0]["lr"] for player, optimizer in state.items()}


def events(run: Path) -> list[Any]:
    lines = [json.loads(line) for line in RunFolder(run).metrics.read_text().splitlines()]
    return [line for line in lines if line.get("event") == "rewind"]


# What happens


def test_a_run_whose_metric_falls_goes_back_with_lower_rates_and_is_counted(tmp_path: Path) -> None:
    results = (experiment := tiny(tmp_path, rewind=FALL)).run()
    outcome, run = results.outcomes[3], first_seed(results)
    sign = "w1 is 1.299 at iteration 25, worse than 1.2"
    assert list(outcome.rewinds) == [Rewind(at=25, to=20, sign=sign, factor=0.5)]
    assert (outcome.status, outcome.iteration) == ("finished", 40)
    assert rates(run) == {"discriminator": 0.005, "generator": 0.005}
    assert [(event["iteration"], event["at"], event["sign"]) for event in events(run)] == [(20, 25, sign)]
    assert json.loads(RunFolder(run).page.read_text())["rewinds"] == [dict(one) for one in outcome.rewinds]
    stored = RunFolder(run).outcome()
    assert stored is not None
    assert list(stored.rewinds) == list(outcome.rewinds)
    line = f"tiny/seed-3 goes back from iteration 25 to 20 ({sign}) with learning rates times 0.5: rewind 1 of 1"
    assert line in vars(experiment)["warned"]


def test_up_to_the_checkpoint_the_run_is_that_without_a_rewind_and_then_another(
    tmp_path: Path, unbroken: Results
) -> None:
    plain = tiny(tmp_path / "plain").run()
    one, other = (json.loads(read_numbers(first_seed(results))) for results in (plain, unbroken))
    until = [[line for line in lines if line["iteration"] <= 20] for lines in (one, other)]
    assert until[0] == until[1]
    assert [line["iteration"] for line in other] == [line["iteration"] for line in one]
    assert one[-1] != other[-1]


def test_from_the_checkpoint_on_it_is_a_run_of_the_lower_rate_on_the_same_batches_and_noise(
    tmp_path: Path, unbroken: Results
) -> None:
    back = first_seed(unbroken)
    plain = tiny(tmp_path / "plain").run(observers=[InterruptingObserver(20)])
    by_hand = RunFolder(first_seed(plain))
    lower = torch.load(by_hand.checkpoints[0] / "state.pt", weights_only=True)
    for optimizer in lower["loop"]["engine"].values():
        optimizer["param_groups"][0]["lr"] = 0.005
    checkpoint = checkpoints.read(by_hand.checkpoints[0])
    state = {**checkpoint.state, **lower}
    page = json.loads((by_hand.checkpoints[0] / "model.json").read_text())
    torch.save(state, by_hand.checkpoints[0] / "state.pt")
    del page["files"], page["digest"]
    (by_hand.checkpoints[0] / "model.json").write_text(json.dumps(page))
    gone_on = Experiment.resume(plain.folder, track=False).run()
    first, second = read_tensors(back), read_tensors(first_seed(gone_on))
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)


def test_a_collapse_is_a_sign_as_often_as_rewinds_are_left_and_only_where_it_is_asked_for(tmp_path: Path) -> None:
    def rewinding(**options: Any) -> Rewinding:
        return Rewinding(tiny(tmp_path, rewind=options).run_of(3, tmp_path))

    collapse, history = "3 of 8 modes are left at iteration 20", [(10, {"modes": 8.0}), (20, {"modes": 3.0})]
    once = rewinding(times=1)
    with pytest.raises(RewindError, match=f"^{collapse}$"):
        once.check(collapse, history)
    once.check("", history)
    once.done = [Rewind(at=20, to=10, sign=collapse, factor=0.5)]
    once.check(collapse, history)
    rewinding(signs=["divergence"]).check(collapse, history)
    assert once.good(history, 20) == 10
    assert once.good(history, 23) == 20
    assert once.good(history[:1], 10) == 0


def test_a_run_that_diverges_before_it_was_measured_goes_back_to_its_beginning(tmp_path: Path) -> None:
    outcome = tiny(tmp_path, optimizer=BURSTING, rewind={"rate": 0.1}).run().outcomes[3]
    assert outcome.status == "finished"
    (rewind,) = outcome.rewinds
    assert (rewind["at"], rewind["to"], rewind["factor"]) == (5, 0, 0.1)
    assert rewind["sign"].endswith("are no longer finite at iteration 5")


def test_rates_of_named_players_alone_are_lowered(tmp_path: Path) -> None:
    results = tiny(tmp_path, rewind={**FALL, "players": ["generator"], "rate": 0.1}).run()
    assert rates(first_seed(results)) == {"discriminator": 0.01, "generator": 0.001}


def test_a_rate_on_a_ramp_is_lowered_as_a_whole() -> None:
    ramp = Ramp(start=0.1, end=0.02, over=10, shape="cosine")
    scaled = scale_rate(AdamConfig(lr=ramp), 0.5).lr
    assert isinstance(scaled, Ramp)
    assert [scaled.at(i) for i in (0, 3, 99)] == pytest.approx([ramp.at(i) / 2 for i in (0, 3, 99)])
    assert scale_rate(SgdConfig(lr=0.3, momentum=0.5), 0.1) == SgdConfig(lr=0.03, momentum=0.5)


def test_after_the_last_rewind_a_run_ends_as_it_would_have(tmp_path: Path) -> None:
    losses = [*SPEC["losses"], {"kind": "acme.diverging", "at": 7}]
    rewind = {"times": 2}
    registry = registry_of(DivergingConfig)
    seeds = {"seeds": [2, 3], "losses": losses}
    plain = tiny(tmp_path, seeds, registry, iterations=12).run()
    outcomes = tiny(tmp_path, seeds, registry, iterations=12, rewind=rewind).run().outcomes
    diverged = [seed for seed, outcome in plain.outcomes.items() if outcome.status == "failed"]
    assert diverged == [3]
    for seed, outcome in outcomes.items():
        went_back = [(one["at"], one["to"]) for one in outcome.rewinds]
        assert (outcome.status, outcome.error) == (plain.outcomes[seed].status, plain.outcomes[seed].error)
        assert went_back == ([(8, 4), (8, 4)] if seed in diverged else [])


def test_a_good_checkpoint_is_kept_however_many_follow_it(tmp_path: Path) -> None:
    kept = {"every": 1, "keep": 1}
    results = tiny(tmp_path, checkpoints=kept, rewind=FALL).run()
    assert [one["to"] for one in results.outcomes[3].rewinds] == [20]


# Resuming


@pytest.mark.parametrize("cuts", [(25,), (3, 24, 31)], ids=str)
def test_a_rewound_run_that_was_interrupted_equals_an_unbroken_one(
    cuts: tuple[int, ...], tmp_path: Path, unbroken: Results
) -> None:
    cut = InterruptingObserver(*cuts)
    broken = tiny(tmp_path / "broken", rewind=FALL).run(observers=[cut])
    while broken.status == "killed":
        broken = Experiment.resume(broken.folder, track=False, observers=[cut], warn=[].append).run()
    assert not cut.cuts
    assert equal_runs(first_seed(broken), first_seed(unbroken))
    assert broken.outcomes[3].rewinds == unbroken.outcomes[3].rewinds
    assert rates(first_seed(broken)) == rates(first_seed(unbroken))


def test_a_rewound_run_that_was_interrupted_after_it_went_back_equals_an_unbroken_one(
    tmp_path: Path, unbroken: Results
) -> None:
    class Later:
        """Interrupts once, when the run has gone back."""

        def __init__(self) -> None:
            self.cut, self.highest = InterruptingObserver(22), 0

        def allmodes_metrics_logged(self, iteration: int, metrics: Mapping[str, float]) -> None:
            self.highest = max(self.highest, iteration)
            if iteration < self.highest:
                self.cut.allmodes_metrics_logged(iteration, metrics)

    broken = tiny(tmp_path / "broken", rewind=FALL).run(observers=[Later()])
    assert (broken.outcomes[3].iteration, len(broken.outcomes[3].rewinds)) == (22, 1)
    assert json.loads(RunFolder(first_seed(broken)).page.read_text())["rewinds"]
    resumed = Experiment.resume(broken.folder, track=False, warn=[].append).run()
    assert equal_runs(first_seed(resumed), first_seed(unbroken))
    assert resumed.outcomes[3].rewinds == unbroken.outcomes[3].rewinds


# Beside other runs


def test_in_a_stack_each_run_goes_back_by_itself_and_the_others_are_what_they_would_have_been(tmp_path: Path) -> None:
    seeds, short = {"seeds": [3, 4]}, {"iterations": 28, "optimizer": {**FAST["optimizer"], "eps": 1e-2}}
    stacked = tiny(tmp_path / "stacked", seeds, engine="stacked", rewind=FALL, **short).run()
    eager = tiny(tmp_path / "eager", seeds, rewind=FALL, **short).run()
    for seed in (3, 4):
        one, other = (results.outcomes[seed] for results in (stacked, eager))
        assert [(r["at"], r["to"]) for r in one.rewinds] == [(r["at"], r["to"]) for r in other.rewinds]
    assert [len(outcome.rewinds) for outcome in eager.outcomes.values()] == [0, 1]
    runs = [[run.path for run in RunFolder(results.folder).runs] for results in (stacked, eager)]
    assert_same_end(*runs)


# Reading


def test_numbers_of_the_way_that_was_left_count_no_longer(tmp_path: Path) -> None:
    log = journal.Journal(tmp_path / "metrics.jsonl", pytest.fail)
    log.start(0)
    for iteration in (1, 2, 3):
        log.write(iteration, {"a": float(iteration)})
    log.rewind(1, at=3, sign="s", factor=0.5)
    log.write(2, {"a": 7.0})
    assert journal.read(log.path) == [{"iteration": 1, "a": 1.0}, {"iteration": 2, "a": 7.0}]


def test_mlflow_gets_the_numbers_of_the_new_way_even_after_an_interruption() -> None:
    def number(iteration: int, value: float) -> bytes:
        return json.dumps({"iteration": iteration, "a": value, "time": 1}).encode()

    def event(name: str, iteration: int) -> bytes:
        return json.dumps({"event": name, "iteration": iteration, "time": 1}).encode()

    selection, sent = Selection(description=None, tracked=True), []
    first = [number(2, 1.0), number(4, 2.0), event("rewind", 2), number(3, 3.0)]
    again = [event("start", 2), number(3, 3.0), number(4, 4.0)]
    for line in [*first, *again]:
        found = selection.take(parse(line))
        selection.tracked = True
        sent += [(found.iteration, found.values["a"])] if isinstance(found, Numbers) else []
    assert sent == [(2, 1.0), (4, 2.0), (3, 3.0), (4, 4.0)]


@pytest.mark.parametrize(
    ("rewind", "message"),
    [
        ({"metric": "w1"}, "training.rewind: metric and limit belong together: set both, or none of them"),
        (
            {"metric": "w2", "limit": 1},
            "training.rewind.metric: 'w2' is not a number of this spec's evaluation.metrics",
        ),
        (
            {"players": ["generatr"]},
            "training.rewind.players.0: there is no player 'generatr' (did you mean 'generator'?): the players are "
            "discriminator, generator",
        ),
        ({"rate": 1}, "training.rewind.rate: should be less than 1, got 1"),
        ({"signs": []}, "training.rewind.signs: nothing sends the run back: name a sign, or metric and limit"),
    ],
)
def test_mistakes_are_named(rewind: Mapping[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        tiny(tmp_path, rewind=rewind)
    assert message in str(error.value)


def test_a_collapse_that_no_metric_shows_is_warned_of(tmp_path: Path) -> None:
    with pytest.warns(
        UserWarning, match=r"no metric of this spec counts modes or classes, so a collapse is never seen"
    ):
        tiny(tmp_path, {"evaluation": {**OFTEN, "metrics": ["wasserstein"]}}, rewind={})


def test_results_of_older_versions_have_no_rewinds(tmp_path: Path) -> None:
    results: Results = tiny(tmp_path, iterations=5).run()
    page = RunFolder(first_seed(results)).results
    values = {
        key: value for key, value in json.loads(page.read_text()).items() if key in ("status", "iteration", "seconds")
    }
    page.write_text(json.dumps(values))
    outcome = RunFolder(first_seed(results)).outcome()
    assert outcome is not None
    assert (list(outcome.rewinds), outcome.stopped, outcome.kept) == ([], None, None)
