"""Searches: what is suggested, going on, ends of trials, the best one's spec, pruning. Training is a parabola here."""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import optuna
import pytest

from allmodes import Experiment, Outcome, Run, SpecError, compare, hookimpl, installed
from allmodes.cli import main as cli_main
from allmodes.runs.lock import lock_folder
from allmodes.runs.run import RunError
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading
from allmodes.studies import search_report
from allmodes.studies.executors import Local
from allmodes.studies.load import load_study
from allmodes.studies.pruning import Pruner, make_thresholds, mean_course, read_course
from allmodes.studies.search import SearchTrainer, load_search, make_study
from allmodes.studies.study import StudyRun
from allmodes.studies.trials import Trials, distributions, make_sampler
from allmodes.system.durable import write_json
from tiny import SPEC

REGISTRY = installed()
Capture = pytest.CaptureFixture[str]
VARY = {
    "training.optimizer.lr": {"from": 1e-4, "to": 1e-1, "scale": "log"},
    "training.batch_size": {"from": 4, "to": 32},
    "generator.hidden": [[4], [8], [4, 4]],
}
SEARCH = {"trials": 12, "by": "w1", "batch": 4}


def search_file(folder: Path, vary: Mapping[str, Any] = VARY, **search: Any) -> str:
    evaluation = {**SPEC["evaluation"], "metrics": ["wasserstein", "modes"]}
    values = {**SPEC, "name": "hunt", "evaluation": evaluation, "vary": vary, "search": {**SEARCH, **search}}
    (folder / "hunt.json").write_text(json.dumps(values))
    return str(folder / "hunt.json")


def trials_of(file: str, folder: Path, **options: Any) -> Trials:
    found = load_search([file], REGISTRY, folder, **options)
    assert found is not None
    return found


def parabola(run: StudyRun) -> float:
    """Least at a rate of 0.01 and a batch of 16; the same for each seed but for a little."""
    spec = run.entry.spec
    rate: Any = spec.training.optimizer.lr  # type: ignore[attr-defined]
    return float((math.log10(rate) + 2) ** 2 + (spec.training.batch_size / 16 - 1) ** 2 + run.seed / 100)


def end(run: StudyRun, value: float, **changes: Any) -> None:
    run.folder.mkdir(parents=True, exist_ok=True)
    outcome = Outcome("finished", run.iterations, 1.0, {"w1": value, "modes": -value})
    write_json(RunFolder(run.folder).results, vars(outcome) | changes)


Train = Callable[[SearchTrainer, Sequence[StudyRun]], None]


def train_all(trainer: SearchTrainer, runs: Sequence[StudyRun]) -> None:
    for run in runs:
        end(run, parabola(run))


def search(file: str, folder: Path, train: Train = train_all, **options: Any) -> SearchTrainer:
    trials = trials_of(file, folder, **options)
    trainer = SearchTrainer(make_study(trials), Local(1), False, lambda text: pytest.fail(text), trials=trials)
    trainer._train_runs = lambda runs, forwarder: train(trainer, runs)  # type: ignore[method-assign]
    trainer.run()
    return trainer


def told(trainer: SearchTrainer) -> list[tuple[Any, ...]]:
    return [(dict(one.values), one.end, one.value) for one in trainer.trials.all()]


# Suggestions


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_what_is_suggested_is_what_optuna_suggests(sampler: str, tmp_path: Path) -> None:
    trainer = search(search_file(tmp_path, sampler=sampler, seed=5), tmp_path / "out")
    plan = trainer.trials.plan
    study = optuna.create_study(direction="minimize")
    space = {axis.title: one for axis, one in zip(plan.axes, distributions(plan), strict=True)}
    for first in range(0, 12, 4):
        for number in range(first, first + 4):
            study.sampler = make_sampler(plan, number)
            study.ask(space)
        for number in range(first, first + 4):
            study.tell(number, trainer.trials.all()[number].value)
    assert [one.params for one in study.trials] == [one.values for one in trainer.trials.all()]


def test_trials_stay_in_their_space_and_a_good_one_is_found(tmp_path: Path) -> None:
    trainer = search(search_file(tmp_path, trials=24), tmp_path / "out")
    for entry in trainer.study.entries:
        rate, size, hidden = entry.varied.values()
        assert (1e-4 <= rate <= 1e-1, 4 <= size <= 32, isinstance(size, int)) == (True, True, True)
        assert hidden in VARY["generator.hidden"]
        assert entry.spec.training.batch_size == size
    values = [trial.value or math.inf for trial in trainer.trials.all()]
    assert min(values) == pytest.approx(min(parabola(run) for run in trainer.study.runs))
    assert min(values[12:]) < sorted(values[:12])[3]


def test_a_search_with_a_better_direction_upwards_looks_there(tmp_path: Path) -> None:
    trainer = search(search_file(tmp_path, by="modes"), tmp_path / "out")
    best = search_report.find_best(trainer.trials)
    assert best is not None
    assert best.value == max(trial.value or -math.inf for trial in trainer.trials.all())


def test_settings_that_belong_together_are_suggested_together(tmp_path: Path) -> None:
    together = {"generator.hidden": [[4], [8]], "discriminator.hidden": [[5], [9]]}
    trainer = search(search_file(tmp_path, {"zip": together}, trials=4), tmp_path / "out")
    pairs = [tuple(entry.varied.values()) for entry in trainer.study.entries]
    assert all(pair in zip(*together.values(), strict=True) for pair in pairs)


# Going on


@pytest.mark.parametrize("at", [1, 4, 6])
def test_a_search_that_goes_on_equals_one_without_a_break(at: int, tmp_path: Path) -> None:
    file, trained = search_file(tmp_path), []

    def interrupted(trainer: SearchTrainer, runs: Sequence[StudyRun]) -> None:
        for run in runs:
            if len(trained) == at:
                trainer.stop.asked = True
                return
            trained.append(run.name)
            end(run, parabola(run))

    first = search(file, tmp_path / "out", interrupted)
    assert first.trials.left == 12 - at // 4 * 4
    second = search(
        file,
        tmp_path / "out",
        lambda trainer, runs: [trained.append(run.name) or end(run, parabola(run)) for run in runs],
    )  # type: ignore[func-returns-value, arg-type, return-value]
    assert sorted(trained) == sorted({run.name for run in second.study.runs})
    assert told(second) == told(search(file, tmp_path / "whole"))
    assert search(file, tmp_path / "out", lambda trainer, runs: pytest.fail("nothing is left")).trials.left == 0


def test_a_search_that_was_killed_while_it_wrote_goes_on(tmp_path: Path) -> None:
    before = told(search(search_file(tmp_path, trials=4), tmp_path / "out"))
    with (tmp_path / "out" / "search.jsonl").open("a") as journal:
        journal.write('{"op_code": 5, "wor')
    after = told(search(search_file(tmp_path, trials=8), tmp_path / "out"))
    assert (after[:4], len(after)) == (before, 8)


def test_a_command_that_waits_for_the_lock_changes_nothing_of_the_journal(tmp_path: Path) -> None:
    file, journal = search_file(tmp_path, trials=4), tmp_path / "out" / "search.jsonl"
    before = told(search(file, tmp_path / "out"))
    with journal.open("a") as other:  # the command that has the lock is just writing a line
        other.write('{"op_code": 5, "wor')
    text = journal.read_bytes()
    trials = trials_of(file, tmp_path / "out")
    assert [(dict(one.values), one.end, one.value) for one in trials.all()] == before
    trainer = SearchTrainer(make_study(trials), Local(1), False, lambda text: pytest.fail(text), trials=trials)
    with lock_folder(tmp_path / "out"), pytest.raises(RunError, match=r"out is being trained by another process"):
        trainer.run()
    assert journal.read_bytes() == text


def test_a_journal_without_a_study_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "search.jsonl").write_text('{"op_code": 0, "wor')
    assert trials_of(file := search_file(tmp_path, trials=4), tmp_path / "out").all() == []
    assert len(told(search(file, tmp_path / "out"))) == 4


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    file, journal = search_file(tmp_path, trials=4), tmp_path / "out" / "search.jsonl"
    search(file, tmp_path / "out")
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*lines[:3], "{\n", *lines[3:]]))
    with pytest.raises(SpecError) as caught:
        trials_of(file, tmp_path / "out")
    assert str(caught.value) == (
        f"{journal}: a line of the search's journal cannot be read (Expecting property name enclosed in double quotes: "
        "line 2 column 1 (char 2)): mend or remove that line, or search into another folder"
    )


def test_another_search_in_the_folder_is_refused(tmp_path: Path) -> None:
    search(search_file(tmp_path), tmp_path / "out")
    with pytest.raises(SpecError) as caught:
        trials_of(search_file(tmp_path, seed=1), tmp_path / "out")
    file = tmp_path / "hunt.json"
    assert str(caught.value).startswith(f"{file}:1:")
    assert str(caught.value).endswith(
        f": search.seed is 0 in {tmp_path / 'out'} and would be 1: search into another folder"
    )


def test_a_setting_that_does_not_vary_cannot_change(tmp_path: Path) -> None:
    file = search_file(tmp_path)
    search(file, tmp_path / "out")
    with pytest.raises(SpecError, match=r"losses\.1\.weight\.start is 1\.0 in .* and would be 2\.0: "):
        trials_of(file, tmp_path / "out", overrides=["losses.1.weight.start=2"])


# Ends


def test_a_trial_that_fails_is_failed_and_not_lost(tmp_path: Path) -> None:
    def failing(trainer: SearchTrainer, runs: Sequence[StudyRun]) -> None:
        for run in runs:
            broken = run.entry.name == "trial-001"
            end(run, parabola(run), **({"status": "failed", "error": "DivergenceError: no"} if broken else {}))

    trainer = search(search_file(tmp_path, trials=8), tmp_path / "out", failing)
    assert [trial.end for trial in trainer.trials.all()] == ["complete", "failed", *["complete"] * 6]
    page = (tmp_path / "out" / "search.md").read_text()
    assert "8 of 8 trials: 7 complete, 1 failed." in page
    assert page.endswith("\nFailed:\n\n- trial-001: DivergenceError: no\n")


def test_a_trial_whose_process_died_goes_on_with_the_next_command(tmp_path: Path) -> None:
    def dying(trainer: SearchTrainer, runs: Sequence[StudyRun]) -> None:
        for run in runs:
            if run.entry.name == "trial-001":
                RunFolder(run.folder).checkpoint(5).mkdir(parents=True)  # and no results
            else:
                end(run, parabola(run))

    file = search_file(tmp_path, trials=6, batch=2)
    trainer = search(file, tmp_path / "out", dying)
    assert [trial.end for trial in trainer.trials.all()] == ["complete", None]
    trainer = search(file, tmp_path / "out")
    assert [trial.end for trial in trainer.trials.all()] == ["complete"] * 6
    unbroken = search(file, tmp_path / "unbroken")
    assert told(trainer) == told(unbroken)


def test_the_value_is_the_mean_over_the_seeds(tmp_path: Path) -> None:
    trainer = search(search_file(tmp_path, trials=1, batch=1), tmp_path / "out", seeds=[1, 3])
    (entry,), (trial,) = trainer.study.entries, trainer.trials.all()
    assert trial.value == pytest.approx(sum(map(parabola, entry.runs)) / 2)


def test_a_trial_whose_number_was_withheld_in_one_seed_is_failed(tmp_path: Path) -> None:
    def withholding(trainer: SearchTrainer, runs: Sequence[StudyRun]) -> None:
        for run in runs:
            end(run, math.nan if (run.entry.name, run.seed) == ("trial-000", 1) else parabola(run))

    trainer = search(search_file(tmp_path, trials=2), tmp_path / "out", withholding, seeds=[0, 1])
    assert [trial.end for trial in trainer.trials.all()] == ["failed", "complete"]
    assert "- trial-000: w1 was withheld in 1 of 2 seeds" in (tmp_path / "out" / "search.md").read_text()


def test_the_best_trial_is_a_spec_and_said_to_be_selected(tmp_path: Path) -> None:
    trainer = search(search_file(tmp_path), tmp_path / "out")
    best = search_report.find_best(trainer.trials)
    assert best is not None
    spec = loading.load(str(tmp_path / "out" / "best.yaml"), REGISTRY)
    entry = next(entry for entry in trainer.study.entries if entry.name == best.name)
    assert spec.name == "hunt-best"
    assert spec == entry.spec.model_copy(update={"name": "hunt-best"})
    said = (tmp_path / "out" / "search.md").read_text()
    assert f"The best, {best.name}, is the best of 12 by w1 {best.value:.4g}: a selected number is too good." in said
    assert f"allmodes run {tmp_path / 'out' / 'best.yaml'} --seeds 4-8" in said
    rows = [line.split(" | ")[0].strip("| ") for line in said.splitlines() if line.startswith("| trial-")]
    values = {trial.name: trial.value or 0 for trial in trainer.trials.all()}
    assert rows == sorted(values, key=lambda name: values[name])


# Pruning


def test_trials_that_tie_are_said_to(tmp_path: Path) -> None:
    def equal(trainer: SearchTrainer, runs: Sequence[StudyRun]) -> None:
        for run in runs:
            end(run, 0.0)

    search(search_file(tmp_path, trials=3), tmp_path / "out", equal)
    said = "3 trials have this number: trial-000 is named as the first of them, not as better."
    assert said in (tmp_path / "out" / "search.md").read_text()


def test_thresholds_are_medians_of_finished_trials() -> None:
    courses = [{10: float(i), 20: float(i * i), 30: 0.0} for i in range(7)]
    found = make_thresholds(courses, "w1", "lower", 30)
    assert found == {"key": "w1", "better": "lower", "medians": {"10": 3.0, "20": median(i * i for i in range(7))}}
    assert make_thresholds(courses[:4], "w1", "lower", 30) is None
    assert mean_course([{10: 1.0, 20: 2.0}, {10: 3.0}]) == {10: 2.0}


class Course:
    """Remembers what was measured."""

    def __init__(self) -> None:
        self.values: dict[int, float] = {}

    @hookimpl
    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        if "eval/high_quality" in metrics:
            self.values[iteration] = metrics["eval/high_quality"]


@pytest.mark.parametrize(("middle", "is_pruned"), [(2.0, True), (-1.0, False)])
def test_a_run_below_the_median_stops_there(middle: float, is_pruned: bool, tmp_path: Path) -> None:
    pruner, course = Pruner({"key": "high_quality", "better": "higher", "medians": {"10": middle}}), Course()
    observers = {"pruner": pruner, "course": course}
    outcome = Experiment.from_spec(SPEC, folder=tmp_path, track=False, observers=observers).run([3]).outcomes[3]
    assert (outcome.status, outcome.iteration) == ("finished", 10 if is_pruned else 20)
    (run,) = tmp_path.glob("*/seed-3")
    assert read_course(run, "high_quality") == course.values
    if is_pruned:
        assert outcome.stopped == "pruned: high_quality 0 at iteration 10 is worse than the median 2"


def test_pruned_trials_are_said_as_such(tmp_path: Path) -> None:
    def pruning(trainer: SearchTrainer, runs: Sequence[StudyRun]) -> None:
        for run in runs:
            end(
                run,
                parabola(run),
                **({"stopped": "pruned: late", "stopped_by": "observer"} if trainer.thresholds else {}),
            )
            (run.folder / "metrics.jsonl").write_text('{"iteration": 10, "eval/w1": 0.5}\n')

    trainer = search(search_file(tmp_path, prune=True), tmp_path / "out", pruning)
    assert [trial.end for trial in trainer.trials.all()] == ["complete"] * 8 + ["pruned"] * 4
    assert trainer.thresholds == {"key": "w1", "better": "lower", "medians": {"10": 0.5}}
    assert "| trial-008 | pruned |" in (tmp_path / "out" / "search.md").read_text()
    assert trainer.comparison().row("trial-008").varied["trial"] == "pruned"
    study = optuna.load_study(
        study_name="search",
        storage=optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(tmp_path / "out" / "search.jsonl"))
        ),
    )
    assert study.trials[8].intermediate_values == {10: 0.5}
    assert study.trials[8].state == optuna.trial.TrialState.PRUNED


# Wrong input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"by": "fid"}, "search.by: no metric of the spec gives fid: they give w1,"),
        ({"by": "mods"}, "search.by: no metric of the spec gives mods (did you mean 'modes'?): they give w1,"),
        ({"by": "high_quality_points", "trials": 0}, "search.trials: should be greater than or equal to 1, got 0"),
        ({"vary": {}}, "search: nothing varies: add vary: {training.optimizer.lr: {from: 1e-4, to: 1e-2, scale: log}}"),
        (
            {"space": {"training.batch_size": [8, 16]}},
            "search.space: vary says what is searched, too: keep one of the two",
        ),
        ({"sampler": "grid"}, "search.sampler: should be 'tpe' or 'random', got 'grid'"),
        ({"tirals": 3}, "search.tirals: unknown key (did you mean 'trials'?)"),
        (
            {"vary": {"training.batch_size": {"from": -3, "to": 8}}},
            "training.batch_size: should be greater than or equal to 1, got -3 (in the first values)",
        ),
    ],
)
def test_a_wrong_search_is_refused_with_its_place(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    vary = changes.pop("vary", VARY)
    file = search_file(tmp_path, vary, **changes)
    with pytest.raises(SpecError) as caught:
        trials_of(file, tmp_path / "out")
    assert str(caught.value).startswith(f"{file}:1:")
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_search_is_compared_with_nothing(tmp_path: Path) -> None:
    file = search_file(tmp_path)
    with pytest.raises(SpecError, match="search: a search is compared with nothing: give `compare` it alone"):
        load_study([file, "gan/ring"], REGISTRY, tmp_path / "out")


def test_without_optuna_a_search_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SpecError) as caught:
        compare([search_file(tmp_path)], folder=tmp_path / "out", track=False)
    assert str(caught.value) == 'search: Optuna is not installed here: pip install "allmodes[search]"'


# The command line


def test_the_command_line_searches_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    file = search_file(tmp_path, batch=2)
    monkeypatch.setattr(SearchTrainer, "_train_runs", lambda self, runs, forwarder: train_all(self, runs))
    assert cli_main.execute(["validate", file]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{file} is valid: 12 trials of a search by w1 (lower is better), 12 runs (`allmodes compare` trains them)",
        "  training.optimizer.lr: 0.0001 to 0.1, log",
        "  training.batch_size: 4 to 32, whole numbers",
        "  generator.hidden: 4, 8, 4-4",
    ]
    assert cli_main.execute(["run", file, "--no-tracking", "--quiet", "--set", "search.trials=3"]) == 0
    assert "3 of 3 trials: 3 complete.\n" in capsys.readouterr().out
    assert cli_main.execute(["compare", file, "--no-tracking", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "12 of 12 trials: 12 complete.\n" in out
    assert "2 more in runs/hunt/search.md" in out
    assert (tmp_path / "runs" / "hunt" / "table.csv").is_file()
