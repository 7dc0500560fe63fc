"""Sweeps: members against itertools, ranges against numpy, names, errors with their places, going on."""

import csv
import itertools
import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from allmodes import Experiment, Key, Outcome, SpecError, Step, compare, installed
from allmodes.cli import main as cli_main
from allmodes.specs import loading
from allmodes.specs.axis_reader import parse_axes, to_axes
from allmodes.specs.member_names import labels, shorten, tokens
from allmodes.specs.members import Member, axes_of, members
from allmodes.specs.source import to_path
from allmodes.studies.comparison import Comparison, Group, Row
from allmodes.studies.load import load_study
from allmodes.studies.monitor import StudyMonitor
from allmodes.studies.report import write_report
from allmodes.studies.study import OWN_FILES, Study
from allmodes.studies.varied_figure import draw_varied, find_rows
from allmodes_schemas import Range, check_folder_name
from one_process import in_one_process
from tiny import SPEC

REGISTRY = installed()
Capture = pytest.CaptureFixture[str]


def of(vary: Mapping[str, Any], **changes: Any) -> list[Member]:
    source = loading.SpecSource({**SPEC, **changes, "vary": vary}, "spec")
    return members(source, axes_of(source), REGISTRY)


def error(vary: Mapping[str, Any], **changes: Any) -> str:
    with pytest.raises(SpecError) as caught:
        of(vary, **changes)
    return str(caught.value)


def sweep_file(vary: str, folder: Path, search: str = "") -> str:
    path = folder / "sweep.yaml"
    with path.open("w") as file:
        file.write(f"vary:\n{vary}{search}")  # first, so that tests know its lines
        YAML().dump(json.loads(json.dumps(SPEC)), file)
    return str(path)


# Members


def test_the_members_of_a_grid_are_the_product_of_its_values() -> None:
    vary = {"losses.1.weight": [0.5, 1, 2], "generator.hidden": [[8], [4, 4]], "training.batch_size": [8, 16]}
    found = of(vary)
    assert [tuple(member.settings.values()) for member in found] == list(itertools.product(*vary.values()))
    for member in found:
        weight, hidden, size = member.settings.values()
        spec = member.spec
        assert (spec.losses[1].weight, spec.generator.hidden, spec.training.batch_size) == (  # type: ignore[attr-defined]
            weight,
            tuple(hidden),
            size,
        )
        assert spec.seeds == (3,)


def test_settings_that_belong_together_are_zipped_and_cross_the_others() -> None:
    together = {"generator.hidden": [[8], [16], [16]], "discriminator.hidden": [[8], [8], [16]]}
    found = of({"training.batch_size": [8, 16], "zip": together})
    rows = list(zip(*together.values(), strict=True))
    want = [(size, *row) for size, row in itertools.product([8, 16], rows)]
    assert [tuple(member.settings.values()) for member in found] == want
    assert len({member.name for member in found}) == 6
    assert of({"zip": [together]}) == of({"zip": together})


@pytest.mark.parametrize(("start", "to", "steps"), [(1e-4, 1e-2, 5), (0.1, 0.5, 5), (2, 32, 5), (0, 1, 2), (3, 11, 3)])
def test_ranges_are_those_of_numpy(start: float, to: float, steps: int) -> None:
    linear = Range.model_validate({"from": start, "to": to, "steps": steps}).numbers()
    assert linear == pytest.approx(np.linspace(start, to, steps))
    assert (linear[0], linear[-1]) == (start, to)
    if start > 0:
        log = Range.model_validate({"from": start, "to": to, "steps": steps, "scale": "log"}).numbers()
        assert log == pytest.approx(np.geomspace(start, to, steps))


def test_a_range_of_a_whole_setting_has_whole_numbers_and_one_of_a_real_setting_has_not() -> None:
    log = {"from": 8, "to": 100, "steps": 4, "scale": "log"}
    assert [one.settings["training.batch_size"] for one in of({"training.batch_size": log})] == [8, 19, 43, 100]
    linear = {"from": 0, "to": 1, "steps": 5}
    assert [one.settings["losses.1.weight"] for one in of({"losses.1.weight": linear})][1:-1] == [0.25, 0.5, 0.75]
    assert error({"training.batch_size": {"from": 1, "to": 3, "steps": 5}}) == (
        "spec: training.batch_size: the range gives 2 twice: take fewer steps"
    )


WHOLE = "a range of seeds has whole numbers, from and to, and nothing else: {from: 0, to: 4}"


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        (
            {"from": 0, "to": 1_000_000_000},
            "these are 1,000,000,001 runs, and one command trains at most 10,000",
        ),
        ({"from": 0, "to": 8, "steps": 3}, WHOLE),
        ({"from": 1, "to": 8, "scale": "log"}, WHOLE),
        ({"from": 0.5, "to": 3}, WHOLE),
    ],
)
def test_a_range_of_seeds_is_short_and_of_whole_numbers(seeds: dict[str, Any], message: str) -> None:
    assert error({"seeds": seeds}) == f"spec: vary.seeds: {message}"


def test_seeds_are_one_more_dimension_but_no_member() -> None:
    for seeds in ("0-2", [0, 1, 2], {"from": 0, "to": 2}):
        assert [one.spec.seeds for one in of({"losses.1.weight": [1, 2], "seeds": seeds})] == [(0, 1, 2)] * 2


def test_whole_blocks_vary_and_settings_within_them() -> None:
    blocks = [{"kind": "mlp", "hidden": [4]}, {"kind": "mlp", "hidden": [8], "activation": "tanh"}]
    found = of({"generator.hidden": [[5], [6]], "generator": blocks})
    assert [(one.spec.generator.hidden, one.spec.generator.activation) for one in found] == [  # type: ignore[attr-defined]
        ((size,), activation) for size in (5, 6) for activation in ("relu", "tanh")
    ]


def test_a_setting_below_a_default_optimiser_varies_without_its_kind() -> None:
    rates = [1e-3, 1e-2]
    found = of({"training.optimizer.lr": rates}, training={"iterations": 20, "batch_size": 8})
    assert [one.spec.training.optimizer.lr for one in found] == rates  # type: ignore[attr-defined]


# Names


def test_members_are_named_by_what_differs() -> None:
    assert [one.name for one in of({"training.optimizer.lr": [1e-3, 1e-2], "losses.1.weight": [2, 0.5]})] == [
        "lr=0.001,weight=2",
        "lr=0.001,weight=0.5",
        "lr=0.01,weight=2",
        "lr=0.01,weight=0.5",
    ]


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["training.optimizer.lr"], ["lr"]),
        (["training.optimizer.lr", "training.optimizers.generator.lr"], ["optimizer.lr", "generator.lr"]),
        (["losses.0.weight", "losses.1.weight"], ["losses.0.weight", "losses.1.weight"]),
        (["generator", "generator.hidden"], ["generator", "hidden"]),
    ],
)
def test_labels_are_the_shortest_ends_that_differ(paths: Sequence[str], words: Sequence[str]) -> None:
    assert list(labels([tuple(to_path(path)) for path in paths]).values()) == words


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.001, 1e-05, 1e6, -2], ["0.001", "1e-05", "1e6", "-2"]),
        ([True, False, None], ["true", "false", "none"]),
        ([0.12345678, 0.12345679], ["0.12345678", "0.12345679"]),
        ([[8], [4, 4]], ["8", "4-4"]),
        ([{"kind": "mlp"}, {"kind": "dcgan"}], ["mlp", "dcgan"]),
        ([{"kind": "mlp", "hidden": [8]}, {"kind": "mlp", "hidden": [16]}], ["mlp-8", "mlp-16"]),
        (["relu", "ReLU"], ["relu.0", "ReLU.1"]),
        (["a/b", "../c"], ["a-b", "c"]),
        ([1, 1.0], ["1", "1.0"]),
        (["x" * 40, "y"], ["xxxxxxxxxxxxxxxx.0", "y.1"]),
    ],
)
def test_values_are_short_words_that_differ(values: Sequence[Any], words: Sequence[str]) -> None:
    assert tokens(values) == words
    assert all(check_folder_name(f"a={word}") for word in words)


def test_long_names_are_cut_and_stay_apart() -> None:
    names = [shorten(f"{'setting=value,' * 20}last={i}") for i in range(3)]
    assert len(set(names)) == 3
    assert all(check_folder_name(name) and len(name) <= 80 for name in names)


# Errors


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        (
            "  losses.1.weight: [1, x]\n",
            "{file}:2:24: losses.1.weight: should be a number or a mapping with the keys start, end, over, begin, "
            "shape, got 'x' (in weight=x)",
        ),
        ("  losses.9.weight: [1]\n", "{file}:2:21: there is no losses.9.weight to vary (in weight=1)"),
        (
            "  training.optimzer.lr: [1, 2]\n",
            "{file}:2:26: training.optimzer: unknown key (did you mean 'optimizer'?) (in lr=1)\n"
            "{file}:2:29: training.optimzer: unknown key (did you mean 'optimizer'?) (in lr=2)",
        ),
        ("  losses.1.weight: [1, 1]\n", "{file}:2:24: vary.losses.1.weight.1: 1 is listed twice"),
        ("  name: [a, b]\n", "{file}:2:3: vary.name: members are named by what varies"),
        (
            "  generator: {{kind: mlp}}\n",
            "{file}:2:3: vary.generator: should be a list of values such as [1, 2], or a range such as "
            "{{from: 1e-4, to: 1e-2, steps: 5, scale: log}}; nested keys are one path with dots",
        ),
        (
            "  zip:\n    generator.hidden: [[8], [9]]\n    training.batch_size: [1]\n",
            "{file}:2:3: vary.zip: settings that belong together have as many values each, but "
            "generator.hidden has 2, training.batch_size has 1",
        ),
        (
            "  losses.1.weight: {{from: 2, to: 1, steps: 3}}\n",
            "{file}:2:3: vary.losses.1.weight: should go up, but from is 2 and to is 1",
        ),
        (
            "  losses.1.weight: {{from: 1, to: 2}}\n",
            "{file}:2:3: losses.1.weight: a range without steps is for a search: set steps to a number of values",
        ),
        (
            "  seeds: [0, 0]\n",
            "{file}:2:3: vary.seeds: should be seeds such as 0-4 or [0, 2, 5], each once, got [0, 0]",
        ),
    ],
)
def test_an_error_names_the_place_and_the_member(vary: str, message: str, tmp_path: Path) -> None:
    file = sweep_file(vary.format(), tmp_path)
    with pytest.raises(SpecError) as caught:
        load_study([file], REGISTRY, tmp_path / "out")
    assert str(caught.value) == message.format(file=file)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("override", "vary", "message"),
    [
        (
            "training.itertions=10",
            "training.batch_size={from: 64, to: 128, steps: 4}",
            "--set: training.itertions: unknown key (did you mean 'iterations'?) (in every member)",
        ),
        (
            "training.itertions=10",
            "training.optimizer.lr={from: 1e-4, to: 1e-2, steps: 4}",
            "--set: training.itertions: unknown key (did you mean 'iterations'?) (in every member)",
        ),
        (
            "generator=mlp",
            "generator.hidden=[8],[16]",
            "--set: generator: should be a mapping with the kind of network, such as {kind: dcgan}, got 'mlp' "
            "(in every member)",
        ),
        ("losses=[]", "losses.0.weight=1,2", "--set: losses: has 0 entries, but needs at least 1 (in every member)"),
    ],
)
def test_a_wrong_override_is_told_alone(override: str, vary: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_study(["gan/ring"], REGISTRY, tmp_path, overrides=[override], vary=parse_axes([vary]))
    assert str(caught.value) == f"gan/ring: {message}"


def test_beside_a_wrong_override_a_wrong_axis_is_still_told(tmp_path: Path) -> None:
    axes = parse_axes(["training.batch_size={from: 1, to: 2, steps: 3}"])  # 1.5 is 2, twice
    with pytest.raises(SpecError) as caught:
        load_study(["gan/ring"], REGISTRY, tmp_path, overrides=["training.itertions=10"], vary=axes)
    assert str(caught.value) == "gan/ring: --vary: training.batch_size: the range gives 2 twice: take fewer steps"


def test_a_problem_of_every_member_is_told_once() -> None:
    said = error({"losses.1.weight": [1, 2]}, prior={"kind": "gaussian", "dim": 0})
    assert said == "spec: prior.dim: should be greater than or equal to 1, got 0 (in every member)"


def test_too_many_members_are_refused_before_they_are_made() -> None:
    tens = {path: list(range(1, 41)) for path in ("training.batch_size", "training.log_every", "evaluation.every")}
    assert error(tens) == (
        "spec: vary: 40 x 40 x 40 = 64,000 members, and a sweep has at most 1,000: take fewer values, or "
        "search: {trials: 100, by: METRIC}"
    )


def test_what_varies_is_not_set_besides(tmp_path: Path) -> None:
    file = sweep_file("  generator: [{kind: mlp}]\n", tmp_path)
    with pytest.raises(SpecError, match=r": --set generator\.hidden: generator varies: leave one of the two out$"):
        load_study([file], REGISTRY, tmp_path / "out", overrides=["generator.hidden=[3]"])


def test_a_sweep_where_one_spec_is_asked_for_says_what_to_do(tmp_path: Path) -> None:
    file = sweep_file("  losses.1.weight: [1, 2]\n", tmp_path)
    with pytest.raises(SpecError) as caught:
        loading.load(file, REGISTRY)
    how = f"`allmodes compare {file}` trains and tabulates them (in Python: allmodes.compare)"
    assert str(caught.value) == f"{file}:1:1: vary: this file stands for several specs: {how}"


# The command line, and Python


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("training.batch_size=8,16", [8, 16]),
        ("training.batch_size=[8, 16]", [8, 16]),
        ("training.batch_size={from: 8, to: 32, steps: 3, scale: log}", [8, 16, 32]),
        ("generator.hidden=[8],[4, 4]", [[8], [4, 4]]),
        ("generator={kind: mlp},{kind: mlp, hidden: [3]}", [{"kind": "mlp"}, {"kind": "mlp", "hidden": [3]}]),
        ("training.optimizer.lr=1e-4,1e-3", [1e-4, 1e-3]),
    ],
)
def test_values_on_the_command_line(text: str, values: Sequence[Any]) -> None:
    (axis,) = parse_axes([text]).axes
    assert [point[0].value for point in axis.points] == values
    assert parse_axes(["seeds=0-2,5"]).seeds == (0, 1, 2, 5)


@pytest.mark.parametrize("text", ["training.batch_size", "=1", "training.batch_size= "])
def test_text_that_varies_nothing_is_refused(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_axes([text])
    assert str(caught.value) == f"--vary {text}: write it as key.subkey=value,value"


def test_the_command_line_takes_the_place_of_the_files_values(tmp_path: Path, capsys: Capture) -> None:
    file = sweep_file("  losses.1.weight: [1, 2]\n  seeds: 0-1\n", tmp_path)
    assert cli_main.execute(["validate", file, "--vary", "losses.1.weight=3", "--vary", "training.batch_size=8,9"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{file} is valid: 2 members, 4 runs (`allmodes compare` trains them)",
        "  weight=3,batch_size=8",
        "  weight=3,batch_size=9",
    ]
    assert cli_main.execute(["show", file]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith("# This is the first of 2 members, 4 runs:\n#   weight=1\n#   weight=2\n")
    assert loading.parse(YAML().load(shown), REGISTRY).losses[1].weight == 1


def test_the_members_of_several_sweeps_have_their_names_in_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        Path(f"{name}.json").write_text(json.dumps({**SPEC, "name": name}))
    vary = to_axes({"losses.1.weight": [1, 2]})
    study = load_study(["one.json", "two.json"], REGISTRY, vary=vary)
    assert [entry.name for entry in study.entries] == ["one,weight=1", "one,weight=2", "two,weight=1", "two,weight=2"]
    assert study.folder == tmp_path / "runs" / "comparison"
    assert load_study(["one.json"], REGISTRY, vary=vary).folder == tmp_path / "runs" / "one"


def test_the_folder_of_an_experiment_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "spec.yaml").write_text("")
    file = sweep_file("  losses.1.weight: [1, 2]\n", tmp_path)
    with pytest.raises(SpecError, match="holds the runs of one spec: give the comparison a folder of its own"):
        load_study([file], REGISTRY, tmp_path / "out")


def test_an_experiment_varies_with_objects_of_python(tmp_path: Path) -> None:
    def square(step: Step) -> torch.Tensor:
        return step.fake.square().mean()

    losses = [*SPEC["losses"], {"kind": "python:square", "weight": 1.0}]
    given = {"losses": {"square": square}, "track": False, "folder": tmp_path}
    experiment = Experiment.from_spec({**SPEC, "losses": losses}, **given)
    small, large = experiment.vary({"losses.2.weight": [0.1, 0.2], "seeds": [0]})
    assert [one.spec.name for one in (small, large)] == ["tiny,weight=0.1", "tiny,weight=0.2"]
    assert (small.spec.losses[2].weight, small.spec.seeds) == (0.1, (0,))
    folders = [str(one.run().folder) for one in (small, large)]
    study = compare(folders, folder=tmp_path / "out", track=False, figures=False, jobs=1)
    assert (study.status, len(study.study.runs)) == ("finished", 2)
    with pytest.raises(SpecError, match=r"vary: training\.batch_size: should be a whole number, got 'x'"):
        experiment.vary({"training.batch_size": [8, "x"]})


# The figure


def row(value: Any, *numbers: float) -> Row:
    outcomes = {seed: Outcome("finished", 20, 1.0, {"w1": number}) for seed, number in enumerate(numbers)}
    return Row(f"n={value}", outcomes, dict.fromkeys(outcomes, "finished"), {"n": value})


def test_what_one_number_does_is_drawn_and_else_nothing(tmp_path: Path) -> None:
    numbers = {"w1": Key(better="lower")}
    rows = (row(10.0, 1.0, 2.0), row(0.1, 3.0), row(1, 0.5))
    assert [value for value, _ in find_rows(Group("ring", rows, numbers))] == [0.1, 1, 10]
    assert find_rows(Group("ring", (*rows, row("x", 1.0)), numbers)) == []
    both = replace(rows[0], varied={"n": 1, "m": 2})
    assert find_rows(Group("ring", (*rows, both), numbers)) == []
    study = Study("s", tmp_path, ())
    comparison = Comparison(study)
    comparison.__dict__["groups"] = [Group("ring", rows, numbers)]
    (file,) = draw_varied(comparison)
    assert file == tmp_path / "varied.png"
    assert file.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("one_process")
def test_the_folder_of_a_sweep_along_one_number_has_its_figure(tmp_path: Path) -> None:
    file = sweep_file("  losses.1.weight: [1, 2]\n", tmp_path)
    comparison = compare([file], folder=tmp_path / "out", track=False)
    drawn = tmp_path / "out" / "varied.png"
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert drawn.name in OWN_FILES
    drawn.unlink()
    assert drawn in write_report(comparison, None, pytest.fail)


# Training


TWELVE = (
    "  training.optimizer.lr: {from: 1e-4, to: 1e-2, steps: 3, scale: log}\n"
    "  zip: {generator.hidden: [[4], [8]], discriminator.hidden: [[4], [8]]}\n  losses.1.weight: [1, 2]\n"
)
TIMES = ("seconds", "cpu_seconds")


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "table.csv").open(newline="") as file:
        return [line for line in csv.DictReader(file) if line["metric"] not in TIMES]


def test_a_sweep_that_is_interrupted_goes_on_and_trains_each_member_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file, handle, ended = sweep_file(TWELVE, tmp_path), StudyMonitor.handle, []

    def interrupting(self: StudyMonitor, run: Any, message: Any) -> None:
        handle(self, run, message)
        ended.extend([run.name] if message["event"] == "done" and message["status"] == "finished" else [])
        if len(ended) == 4 and message["event"] == "done":
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(StudyMonitor, "handle", interrupting)
    command = ["compare", file, "--no-tracking", "--quiet", "--no-figures", "--jobs", "1"]
    assert cli_main.execute(command) == 130
    folder = tmp_path / "runs" / "tiny"
    done = {path: path.stat().st_mtime_ns for path in folder.glob("*/seed-3/results.json")}
    finished = [path for path in done if json.loads(path.read_text())["status"] == "finished"]
    assert 4 <= len(finished) < 12
    assert cli_main.execute(command) == 0
    assert all(path.stat().st_mtime_ns == done[path] for path in finished)
    assert len(ended) == len(set(ended)) == 12

    with in_one_process():
        whole = compare([file], folder="whole", track=False, figures=False)
    assert whole.status == "finished"
    assert table(folder) == table(whole.folder)
    assert list(whole.to_frame()["losses.1.weight"]) == [1, 2] * 6
    lines = [line for line in table(folder) if line["metric"] == "modes" and line["seed"]]
    assert sorted({float(line["training.optimizer.lr"]) for line in lines}) == [1e-4, 1e-3, 1e-2]
    assert len(lines) == 12
