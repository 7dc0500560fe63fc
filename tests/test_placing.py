"""Where a study is trained: what specs say in their blocks `executor`, and the command line over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from allmodes import Experiment, compare
from allmodes.cli.main import execute
from allmodes.registry.registry import installed
from allmodes.specs import loading
from allmodes.specs.executor_block import ExecutorBlock, read_executor
from allmodes.specs.source import SpecError
from allmodes.studies.executors import Joined, Local, Ray, Slurm, cores
from allmodes.studies.load import load_study
from allmodes.studies.placing import Asked, choose_executor, choose_for_search, parse_ask
from allmodes_schemas import RayConfig, SlurmConfig
from tiny_study import write_specs

SLURM = "executor: {kind: slurm, partition: gpu, time: 60, workers: 20, gpus: 1}"
WORD = "a word of letters, digits and . , : @ + / = * & | [ ] - _"
Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a spec that ends with a block in its line 16; returns the file, which lies in the working folder."""
    monkeypatch.chdir(tmp_path)
    plain = Path(write_specs(tmp_path, 100)[0]).read_text()

    def make(own: str, block: str) -> str:
        Path(f"{own}.yaml").write_text(f"{plain.replace('name: plain', f'name: {own}').strip()}\n{block}\n")
        return f"{own}.yaml"

    return make


def _blocks(*files: str) -> tuple[ExecutorBlock, ...]:
    return load_study(files, installed(), Path("study")).blocks


def test_a_block_chooses_the_executor(write: Write) -> None:
    blocks = _blocks(write("a", SLURM))
    assert choose_executor(Asked(), blocks) == Slurm(SlurmConfig(partition="gpu", time="60", workers=20, gpus="1"))
    assert choose_executor(Asked(), _blocks(write("b", ""))) == Local(cores())
    join = "executor: {kind: join, jobs: 2, pack: 4}"
    assert choose_executor(Asked(), _blocks(write("c", join))) == Joined(2, 4)


def test_the_command_line_wins(write: Write) -> None:
    blocks = _blocks(write("a", "executor: {kind: slurm, partition: gpu, jobs: 4, pack: 2, time: 4:00:00}"))
    asked = Asked(jobs=3, pack=5, ask=parse_ask(["partition=cpu", "cpus=8"]))
    found = choose_executor(asked, blocks)
    assert found == Slurm(SlurmConfig(partition="cpu", jobs=3, pack=5, cpus=8, time="4:00:00"))
    assert choose_executor(Asked(on="local", jobs=1), blocks) == Local(1)
    assert choose_executor(Asked(on="ray", ask={"gpus": 0.5}), blocks) == Ray(RayConfig(gpus=0.5))


def test_a_spec_that_varies_has_a_block_for_all_members(write: Write) -> None:
    (block,) = _blocks(write("a", f"vary: {{training.batch_size: [8, 16]}}\n{SLURM}"))
    assert block.config.kind == "slurm"


def test_specs_that_say_nothing_have_no_say_and_others_add_up(write: Write) -> None:
    files = [
        write("a", "executor: {kind: slurm, partition: gpu}"),
        write("b", ""),
        write("c", "executor: {kind: slurm, workers: 8, partition: gpu}"),
    ]
    assert choose_executor(Asked(), _blocks(*files)) == Slurm(SlurmConfig(partition="gpu", workers=8))


def test_specs_that_disagree_are_refused_unless_the_command_line_says_it(write: Write) -> None:
    files = [
        write("a", "executor: {kind: slurm, partition: gpu, pack: 2}"),
        write("b", "executor:\n  kind: slurm\n  partition: cpu\n  pack: 3"),
    ]
    blocks = _blocks(*files)
    with pytest.raises(SpecError) as caught:
        choose_executor(Asked(), blocks)
    tail = "one command trains all specs in one place: let them agree, or say"
    assert str(caught.value).splitlines() == [
        f"b.yaml:19:3: executor.pack: 3 is asked for here, and 2 in a.yaml:16:41: {tail} --pack",
        f"b.yaml:18:3: executor.partition: cpu is asked for here, and gpu in a.yaml:16:25: {tail} --ask partition=",
    ]
    assert choose_executor(Asked(pack=1, ask={"partition": "new"}), blocks) == Slurm(SlurmConfig(partition="new"))
    assert choose_executor(Asked(on="local", jobs=1), blocks) == Local(1)


def test_specs_of_other_executors_are_refused(write: Write) -> None:
    blocks = _blocks(write("a", SLURM), write("b", "executor: {kind: ray}"))
    with pytest.raises(SpecError) as caught:
        choose_executor(Asked(), blocks)
    assert str(caught.value) == (
        "b.yaml:16:12: executor.kind: ray is asked for here, and slurm in a.yaml:16:12: one command trains all specs "
        "in one place: let them agree, or say --on"
    )


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (
            "executor: {kind: slurn}",
            "a.yaml:16:12: executor.kind: should be 'local', 'join', 'slurm', 'ray', got 'slurn' "
            "(did you mean 'slurm'?)",
        ),
        (
            "executor: {kind: slurm, patition: gpu}",
            "a.yaml:16:25: executor.patition: unknown key (did you mean 'partition'?)",
        ),
        ("executor: {partition: gpu}", "a.yaml:16:1: executor: kind is missing"),
        (
            "executor: {kind: slurm, workers: 0}",
            "a.yaml:16:25: executor.workers: should be greater than or equal to 1, got 0",
        ),
        (
            "executor: {kind: slurm, time: soon}",
            "a.yaml:16:25: executor.time: should be minutes, or a time such as 4:00:00 or 1-12:00:00, got 'soon'",
        ),
        ('executor: {kind: slurm, qos: "a b"}', f"a.yaml:16:25: executor.qos: should be {WORD}, got 'a b'"),
        ("executor: {kind: slurm, gpus: true}", "a.yaml:16:25: executor.gpus: should be text, got True"),
        (
            "executor: {kind: slurm}\nvary: {executor.workers: [1, 2]}",
            "a.yaml:17:8: vary.executor.workers: all members are trained in one place",
        ),
    ],
)
def test_a_wrong_block_is_refused_where_it_is_written(block: str, message: str, write: Write) -> None:
    with pytest.raises(SpecError) as caught:
        load_study([write("a", block)], installed(), Path("study"))
    assert str(caught.value) == message


def test_what_is_asked_is_checked() -> None:
    asked = Asked(on="slurm", ask=parse_ask(["workers=8", "partition=gpu", "time=4:00:00", "cpus=2"]))
    assert choose_executor(asked) == Slurm(SlurmConfig(workers=8, partition="gpu", time="4:00:00", cpus=2))
    with pytest.raises(SpecError, match=r"^--ask gpu: give a name and a value, such as workers=8$"):
        parse_ask(["gpu"])
    refused: list[tuple[Asked, str]] = [
        (Asked("slurm", ask={"partitions": "gpu"}), "--ask: partitions: unknown key (did you mean 'partition'?)"),
        (
            Asked("slurm", ask={"partition": "gpu\n#SBATCH --wrap=ls"}),
            f"--ask: partition: should be {WORD}, got 'gpu\\n#SBATCH --wrap=ls'",
        ),
        (Asked("slurm", ask={"jobs": "3"}), "--ask jobs: say --jobs"),
        (Asked("join", pack=10**9), "--pack: pack: should be less than or equal to 10000, got 1000000000"),
        (Asked("local", ask={"workers": "8"}), "--ask is for --on slurm and --on ray, not for local"),
        (Asked("join", pack=0), "--pack 0: at least one run is claimed at a time"),
        (Asked(jobs=0), "--jobs 0: at least one run is trained at a time"),
        (Asked(jobs=9999), f"--jobs 9999: there are {cores()} cores here: take at most {8 * cores()}"),
        (Asked("here"), "--on here: there are local, join, slurm and ray"),  # type: ignore[arg-type]
    ]
    for asked, message in refused:
        with pytest.raises(SpecError) as caught:
            choose_executor(asked)
        assert str(caught.value) == message


def test_more_processes_than_make_sense_are_refused_where_they_are_written(write: Write) -> None:
    blocks = _blocks(write("a", "executor: {kind: local, jobs: 9999}"))
    with pytest.raises(SpecError) as caught:
        choose_executor(Asked(), blocks)
    known = f"there are {cores()} cores here: take at most {8 * cores()}"
    assert str(caught.value) == f"a.yaml:16:25: executor.jobs: {known}"
    assert choose_executor(Asked(jobs=2), blocks) == Local(2)


def test_a_search_is_trained_by_one_command(write: Write) -> None:
    block = read_executor(loading.read_source(write("a", SLURM), installed()))
    with pytest.raises(SpecError) as caught:
        choose_for_search(Asked(), block)
    assert str(caught.value) == (
        "a.yaml:16:12: executor.kind: a search is trained by one command: say local, or --on local; its best.yaml is "
        "trained by any"
    )
    assert choose_for_search(Asked(on="local", jobs=1), block) == Local(1)
    with pytest.raises(SpecError, match=r"^--on join: a search is trained by one command here: leave out --on join; "):
        choose_for_search(Asked(on="join"), None)


def test_a_block_is_no_part_of_a_run(write: Write, tmp_path: Path) -> None:
    file, folder = write("a", "executor: {kind: join, jobs: 1}"), tmp_path / "study"
    assert compare([file], folder=folder, seeds=[0], track=False, figures=False).status == "finished"
    assert (folder / ".claims").is_dir()  # it was joined, as the block says
    assert "executor" not in (folder / "a" / "spec.yaml").read_text()
    write("a", "executor: {kind: local, jobs: 1}")
    went_on = compare([file], folder=folder, seeds=[0], track=False, figures=False)
    assert [(run.name, run.state) for run in went_on.study.runs] == [("a/seed-0", "finished")]


def test_run_says_that_it_trains_here(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    file = write("a", SLURM)
    assert execute(["run", file, "--set", "training.iterations=2", "--seeds", "0", "--no-tracking", "--quiet"]) == 0
    said = " ".join(capfd.readouterr().err.split())
    assert "a.yaml:16:1: executor: is for `allmodes compare`: `run` trains a single spec here" in said
    assert Experiment.from_recipe(file).spec.name == "a"


def test_an_option_takes_the_place_of_a_value_in_the_file(write: Write) -> None:
    source = loading.read_source(write("a", SLURM), installed(), ["executor.partition=new", "executor.workers=x"])
    with pytest.raises(SpecError) as caught:
        read_executor(source)
    assert str(caught.value) == "--set: executor.workers: should be a whole number, got 'x'"
