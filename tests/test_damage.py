"""What a disk, a crash or a stranger does to the files of a run: one line names the file, and nothing else is lost."""

import json
import math
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from allmodes import Experiment, ModelError, SpecError, load_run
from allmodes.cli import main as cli_main
from allmodes.experiments.floors import share_floors
from allmodes.experiments.settings import Setup
from allmodes.metrics import build_metrics
from allmodes.registry.registry import installed
from allmodes.runs import journal
from allmodes.runs.journal import Journal
from allmodes.runs.results import load_results
from allmodes.runs.run import Outcome, RunError
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import recorded
from allmodes.studies.compare import compare
from allmodes.system import durable, json_pages
from allmodes.testing.interrupted import InterruptingObserver, read_numbers, read_tensors
from allmodes.tracking import recalling, sync
from one_process import in_one_process
from tiny import SPEC
from tracked import Recorder

Capture = pytest.CaptureFixture[str]
Damage = Callable[[Path], Any]

TRAINING = {**SPEC["training"], "log_every": 1, "ema": {"decay": 0.9}, "checkpoints": {"every": 5, "keep": 3}}
RUN = {**SPEC, "training": TRAINING, "evaluation": {**SPEC["evaluation"], "figure": False}}


def folderise(path: Path) -> None:
    path.unlink()
    path.mkdir()


def flip(path: Path) -> None:
    """One bit, far from the header."""
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


DAMAGES: Mapping[str, Damage] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "nulls": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "random bytes": lambda path: path.write_bytes(bytes(range(255, 0, -1))),
    "a list": lambda path: path.write_bytes(b"[]"),
    "a mapping without keys": lambda path: path.write_bytes(b"{}"),
    "null": lambda path: path.write_bytes(b"null"),
    "deep nesting": lambda path: path.write_bytes(b"[" * 100_000),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, with what it would tell MLflow."""
    folder = tmp_path_factory.mktemp("runs")
    return Experiment.from_spec({**RUN, "name": "made"}, folder=folder, setup=Setup(sends=False)).run().folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "runs" / made.name))


def complaint(error: type[Exception], action: Callable[[], object]) -> str:
    with pytest.raises(error) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def resumed(folder: Path, *changes: str, said: list[str] | None = None) -> Any:
    said = [] if said is None else said
    return Experiment.resume(folder, ["training.iterations=22", *changes], track=False, warn=said.append).run()


# Pages


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_page_is_named_with_the_reason(how: str, tmp_path: Path) -> None:
    page = tmp_path / "results.json"
    page.write_text(json.dumps(vars(Outcome("finished", 1, 2.0))))
    DAMAGES[how](page)
    said = complaint(json_pages.PageError, lambda: json_pages.read(page, Outcome))
    assert said.startswith(f"{page} is damaged (")


def test_a_page_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_pages, "LARGEST", 10)
    (tmp_path / "page.json").write_text("[1, 2, 3, 4]")
    said = complaint(json_pages.PageError, lambda: json_pages.read(tmp_path / "page.json", dict))
    assert said == f"{tmp_path}/page.json is damaged (12 bytes are too many for a page)"


@pytest.mark.parametrize("how", ["nulls", "a mapping without keys", "a folder"])
@pytest.mark.parametrize("page", ["seed-3/run.json", "seed-3/results.json", "results.json", "spec.yaml"])
@pytest.mark.filterwarnings("ignore")
def test_a_sound_checkpoint_resumes_whatever_has_happened_to_the_pages(page: str, how: str, folder: Path) -> None:
    if page == "spec.yaml" and how == "a folder":
        pytest.skip("the experiment's spec is not written again")
    ({**DAMAGES, "a folder": folderise}[how])(folder / page)
    if how == "a folder" and page == "seed-3/run.json":
        wrong = "is a folder where a file should be: move it away"
        assert complaint(RunError, lambda: resumed(folder)) == f"{folder / page}: {wrong}"
        return
    results = resumed(folder)
    assert (results.status, results.outcomes[3].iteration) == ("finished", 22)
    lines = journal.read(folder / "seed-3" / "metrics.jsonl", pytest.fail)
    assert [line["iteration"] for line in lines if "train/generator/non_saturating" in line] == list(range(1, 23))


@pytest.mark.parametrize(
    ("page", "otherwise"),
    [
        ("seed-3/run.json", "what the run began with cannot be compared; the next resume writes it anew"),
        ("seed-3/results.json", "the run counts as interrupted; the next resume writes it anew"),
        ("seed-3/spec.yaml", "the spec is taken from {run.json}"),
    ],
)
def test_the_warning_of_a_damaged_page_names_the_consequence(page: str, otherwise: str, folder: Path) -> None:
    (folder / page).write_text("")
    told: list[str] = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        resumed(folder / "seed-3", said=told)
    words = {*told, *(str(one.message) for one in said)}
    (line,) = [one for one in words if str(folder / page) in one]
    assert line.endswith(otherwise.replace("{run.json}", str(folder / "seed-3" / "run.json")))


def test_results_that_are_damaged_are_taken_from_the_folders_of_the_seeds(folder: Path) -> None:
    before = load_results(folder)
    (folder / "results.json").write_text("null")
    with pytest.warns(UserWarning, match="the numbers are taken from the folders of its seeds"):
        assert load_results(folder) == before
    assert before[3].iteration == 20


def test_results_and_model_are_made_again_from_the_last_checkpoint_without_training(folder: Path) -> None:
    before, model = load_results(folder)[3], load_run(folder).sample(5)
    (folder / "seed-3" / "results.json").write_text("")
    shutil.rmtree(folder / "seed-3" / "model")
    kept = read_tensors(folder / "seed-3")
    with pytest.warns(UserWarning, match="the run counts as interrupted"):
        results = Experiment.resume(folder, track=False).run()
    assert str(results.outcomes[3].results) == str(before.results)  # which may hold NaN
    assert torch.equal(load_run(folder).sample(5), model)
    assert all(torch.equal(value, kept[name]) for name, value in read_tensors(folder / "seed-3").items())


def test_a_spec_that_is_damaged_is_what_the_runs_began_with(folder: Path) -> None:
    text = (folder / "spec.yaml").read_text()
    (folder / "spec.yaml").write_text(text[: len(text) // 2] + "\n  - [")
    with pytest.warns(UserWarning, match="the spec is taken from") as said:
        assert recorded.load(folder, installed()).training.batch_size == 8
    assert str(said[0].message).startswith(f"{folder / 'spec.yaml'}:")
    assert str(said[0].message).endswith(f"the spec is taken from {folder / 'seed-3' / 'run.json'}")


# Specs that were edited


def edited(file: Path) -> None:
    file.write_text(file.read_text().replace("batch_size: 8", "batch_size: 16"))


@pytest.mark.parametrize("files", [["spec.yaml"], ["seed-3/spec.yaml"], ["spec.yaml", "seed-3/spec.yaml"]])
def test_a_spec_that_was_edited_under_a_run_is_refused_with_the_difference(files: list[str], folder: Path) -> None:
    record = folder / "seed-3" / "run.json"
    before = record.read_bytes()
    for file in files:
        edited(folder / file)
    place = folder if "spec.yaml" in files else folder / "seed-3"
    rest = "it decides what is trained: set it back, or start a new run for another value"
    what = f"training.batch_size is 8 in {record}, as the run began, and 16 in {place / 'spec.yaml'}"
    expected = f"{what}: {rest}"
    assert complaint(SpecError, lambda: resumed(place)) == expected
    assert record.read_bytes() == before
    if "seed-3/spec.yaml" in files:
        assert "batch_size is 8 in" in complaint(SpecError, lambda: load_run(folder))


def test_what_does_not_decide_what_is_trained_may_be_edited(folder: Path) -> None:
    file = folder / "spec.yaml"
    file.write_text(file.read_text().replace("iterations: 20", "iterations: 25"))
    assert Experiment.resume(folder, track=False).run().outcomes[3].iteration == 25


def test_a_run_of_an_older_version_is_compared_with_the_spec_in_its_folder(folder: Path) -> None:
    page = folder / "seed-3" / "run.json"
    page.write_text(json.dumps({key: value for key, value in json.loads(page.read_text()).items() if key != "spec"}))
    edited(folder / "spec.yaml")
    expected = f"training.batch_size is 8 in {folder / 'seed-3' / 'spec.yaml'}, as the run began, and 16 in "
    assert complaint(SpecError, lambda: resumed(folder)).startswith(expected)


def test_what_another_run_began_with_is_not_taken_for_the_record(folder: Path) -> None:
    page = folder / "seed-3" / "run.json"
    facts = json.loads(page.read_text())
    page.write_text(json.dumps({**facts, "seed": 7, "spec": {**facts["spec"], "name": "other"}}))
    said: list[str] = []
    assert resumed(folder, said=said).status == "finished"
    otherwise = "what the run began with cannot be compared; the next resume writes it anew"
    assert said == [f"{page} is of another run (of seed 7): {otherwise}"]
    assert json.loads(page.read_text())["seed"] == 3


# Weights and states


FILES = ["state.pt", "generator.safetensors", "average.generator.safetensors", "discriminator.safetensors"]


@pytest.mark.parametrize("file", FILES)
def test_one_flipped_bit_is_refused_and_a_resumed_run_takes_the_checkpoint_before(file: str, folder: Path) -> None:
    before = read_numbers(folder / "seed-3")
    damaged = folder / "seed-3" / "checkpoints" / "00000020" / file
    flip(damaged)
    said: list[str] = []
    resumed(folder, said=said)
    assert len(said) == 1
    assert said[0].startswith(f"checkpoint 00000020 is passed over: {damaged} is damaged")
    again = read_numbers(folder / "seed-3")
    assert again[: len(before) - 1] == before[:-1]


@pytest.mark.parametrize("file", ["generator.safetensors", "model.json"])
def test_one_flipped_bit_of_a_model_is_not_sampled(file: str, folder: Path) -> None:
    damaged = folder / "seed-3" / "model" / file
    damaged.write_bytes(damaged.read_bytes().replace(b'"iteration": 20', b'"iteration": 21'))
    if file != "model.json":
        flip(damaged)
    what = f"{damaged} is damaged: it is not what was written (another sha256)"
    remedy = (
        f"take another with --checkpoint (10, 15, 20), or `allmodes resume {folder / 'seed-3'}` makes the model again"
    )
    assert complaint(ModelError, lambda: load_run(folder)) == f"{what}: {remedy}"
    with pytest.warns(UserWarning, match="the model is made again from the last checkpoint"):
        Experiment.resume(folder, track=False).run()
    assert load_run(folder).iteration == 20


def test_one_flipped_bit_of_an_exported_model_is_not_sampled(folder: Path, tmp_path: Path) -> None:
    exported = load_run(folder).export(tmp_path / "away")
    flip(exported / "generator.safetensors")
    said = complaint(ModelError, lambda: load_run(exported))
    what = "is damaged: it is not what was written (another sha256)"
    assert said == f"{exported}/generator.safetensors {what}: get the model again from where it came from"


@pytest.mark.parametrize("file", [*FILES, "model.json"])
def test_a_checkpoint_that_lacks_a_file_is_refused_with_its_name(file: str, folder: Path, capsys: Capture) -> None:
    missing = folder / "seed-3" / "checkpoints" / "00000020" / file
    missing.unlink()
    expected = f"{missing} is missing: take another with --checkpoint (10, 15)"
    assert complaint(ModelError, lambda: load_run(folder, checkpoint="last")) == expected
    for command in (["evaluate", str(folder), "--no-tracking"], ["export", str(folder), str(folder / "away")]):
        assert cli_main.execute([*command, "--checkpoint", "last"]) == 2
        assert capsys.readouterr().err == f"error: {expected}\n"
    said: list[str] = []
    resumed(folder, said=said)
    assert said == [f"checkpoint 00000020 is passed over: {missing} is missing"]


def without_digests(stored: Path) -> None:
    """As a version wrote it that knew none."""
    page = json.loads((stored / "model.json").read_text())
    (stored / "model.json").write_text(json.dumps({k: v for k, v in page.items() if k not in ("files", "digest")}))


def test_an_old_checkpoint_without_digests_is_read_but_not_without_its_moving_average(folder: Path) -> None:
    stored = folder / "seed-3" / "checkpoints" / "00000020"
    expected = load_run(folder, checkpoint="last").sample(4)
    without_digests(stored)
    assert torch.equal(load_run(folder, checkpoint="last").sample(4), expected)
    missing = stored / "average.generator.safetensors"
    missing.unlink()
    said = complaint(ModelError, lambda: load_run(folder, checkpoint="last"))
    assert said == f"{missing} is missing: take another with --checkpoint (10, 15)"
    warned: list[str] = []
    resumed(folder, said=warned)
    assert warned == [f"checkpoint 00000020 is passed over: {missing} is missing"]


def test_a_checkpoint_that_fits_only_in_part_leaves_nothing_behind(folder: Path) -> None:
    longer = {**RUN, "name": "made", "training": {**TRAINING, "iterations": 22}}
    fresh = Experiment.from_spec(longer, folder=folder.parent / "fresh", track=False).run()
    for one in RunFolder(folder / "seed-3").checkpoints:
        state = torch.load(one / "state.pt", weights_only=True)
        torch.save({**state, "evaluations": 7}, one / "state.pt")
        without_digests(one)
    said: list[str] = []
    resumed(folder, said=said)
    assert said[-1] == "made/seed-3 has no checkpoint that can be read: it starts from the beginning"
    assert "its state does not fit the spec: TypeError" in said[0]
    assert torch.equal(load_run(folder).sample(4), load_run(fresh.folder).sample(4))


def test_damaged_checkpoints_do_not_crowd_out_sound_ones(folder: Path) -> None:
    for one in RunFolder(folder / "seed-3").checkpoints:
        flip(one / "state.pt")
    observers = {"interrupting": InterruptingObserver(8)}
    Experiment.resume(folder, ["training.iterations=22"], track=False, warn=[].append, observers=observers).run()
    assert {"00000005", "00000008"} <= {one.name for one in RunFolder(folder / "seed-3").checkpoints}


def test_a_checkpoint_of_another_kind_of_device_is_not_passed_over(folder: Path) -> None:
    newest = RunFolder(folder / "seed-3").checkpoints[0]
    without_digests(newest)
    page = json.loads((newest / "model.json").read_text())
    (newest / "model.json").write_text(json.dumps({**page, "device": "cuda"}))
    expected = f"{newest} was written on cuda and cannot go on on cpu: set training.device=cuda"
    assert complaint(RunError, lambda: resumed(folder)) == expected


# Sizes


def test_a_page_that_claims_huge_sizes_takes_no_memory(folder: Path, tmp_path: Path) -> None:
    exported = load_run(folder).export(tmp_path / "away")
    without_digests(exported)
    page = json.loads((exported / "model.json").read_text())
    weights = exported / "generator.safetensors"
    for change, key, stored, wanted in [
        ({"priors": {"prior": {"dim": 10**12, "sizes": {"code": 2}}}}, "trunk.0.weight", (8, 2), (8, 10**12)),
        ({"shape": [10**12]}, "head.weight", (2, 8), (10**12, 8)),
    ]:
        (exported / "model.json").write_text(json.dumps({**page, **change}))
        what = f"{key} is {stored} in {weights} and would be {wanted}"
        said = complaint(ModelError, lambda: load_run(exported))
        assert said == f"the stored generator does not fit the spec: {what}"


def test_a_spec_that_claims_huge_layers_takes_no_memory(folder: Path, tmp_path: Path) -> None:
    exported = load_run(folder).export(tmp_path / "away")
    spec = exported / "spec.yaml"
    spec.write_text(spec.read_text().replace("hidden:\n  - 8", "hidden:\n  - 60000", 1))
    said = complaint(ModelError, lambda: load_run(exported))
    assert "the stored generator does not fit the spec: trunk.0.weight is (8, 2) in" in said


def test_a_header_that_claims_huge_tensors_takes_no_memory(folder: Path, tmp_path: Path) -> None:
    exported = load_run(folder).export(tmp_path / "away")
    without_digests(exported)
    content = (exported / "generator.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    name = next(key for key in header if key != "__metadata__")
    header[name] = {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}
    text = json.dumps(header).encode()
    (exported / "generator.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    assert complaint(ModelError, lambda: load_run(exported)).startswith(
        f"{exported}/generator.safetensors is damaged: "
    )


@pytest.mark.parametrize(
    "change",
    [
        {"shape": []}, {"shape": [0]}, {"shape": "2"}, {"priors": []}, {"iteration": -1}, {"units": {"mean": [1.0]}},
        {"units": {"mean": [1.0], "std": [1.0]}}, {"plugins": [1]},
    ],
)  # fmt: skip
def test_a_page_of_another_form_is_refused(change: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    exported = load_run(folder).export(tmp_path / "away")
    without_digests(exported)
    page = json.loads((exported / "model.json").read_text())
    (exported / "model.json").write_text(json.dumps({**page, **change}))
    assert complaint(ModelError, lambda: load_run(exported)).startswith(f"{exported}/model.json is damaged (")


# Journals


BROKEN = {
    "nulls": b"\0" * 20, "cut short": b'{"iteration": 3, "a', "no UTF-8": b'{"iteration": 3, "\xff": 1}',
    "words": b"no JSON",
    "a list": b"[3]", "no iteration": b'{"a": 1.0}', "a word for a number": b'{"iteration": 3, "a": "x"}',
    "an iteration in words": b'{"iteration": "3"}', "true": b'{"iteration": true}', "deep nesting": b"[" * 100_000,
    "too many digits": b'{"iteration": ' + b"9" * 5000 + b"}",
    "too large": b'{"iteration": 9223372036854775808}', "negative": b'{"iteration": -3}',
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
def test_a_damaged_line_of_a_journal_costs_that_line_with_a_warning(how: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"iteration": i, "a": float(i)}).encode() for i in range(1, 6)]
    lines[2] = BROKEN[how]
    path.write_bytes(b"\n".join(lines) + b"\n")
    said: list[str] = []
    Journal(path, said.append).start(4)
    assert [line["iteration"] for line in journal.read(path, said.append)] == [1, 2, 4]
    assert said == [f"{path}:3: the line is damaged and left out"]


def test_many_damaged_lines_are_one_warning(tmp_path: Path) -> None:
    path, said = tmp_path / "metrics.jsonl", list[str]()
    path.write_text('{"iteration": 1, "a": NaN}\n' + 7 * "x\n" + '\n{"iteration": 2, "a": Infinity}')
    first, last = journal.read(path, said.append)
    assert math.isnan(first["a"])
    assert last == {"iteration": 2, "a": math.inf}
    assert said == [f"{path}: lines 2, 3, 4, 5, 6 and 2 more are damaged and left out"]


def test_a_journal_that_is_a_folder_costs_warnings_and_not_the_run(folder: Path) -> None:
    path, said = folder / "seed-3" / "metrics.jsonl", list[str]()
    folderise(path)
    assert resumed(folder, said=said).status == "finished"
    assert said == [f"{path} cannot be written (Is a directory); the run goes on, the lines wait"]


# What is replaced


def test_what_is_replaced_is_on_disk_before_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    sync, rename = os.fsync, Path.replace

    def named(handle: int) -> None:
        happened.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name}")
        sync(handle)

    def renamed(self: Path, to: Path) -> Path:
        happened.append(f"rename to {to.name}")
        return rename(self, to)

    monkeypatch.setattr(os, "fsync", named)
    monkeypatch.setattr(Path, "replace", renamed)
    durable.replace_text(tmp_path / "page", "text")
    beside = f".page-{os.getpid()}"
    assert happened == [f"sync {beside}", "rename to page", f"sync {tmp_path.name}"]
    happened.clear()
    (tmp_path / "new" / "inner").mkdir(parents=True)
    (tmp_path / "new" / "inner" / "file").write_text("x")
    durable.replace_folder(tmp_path / "new", tmp_path / "model")
    assert happened == ["sync inner", "sync file", "sync new", "rename to model", f"sync {tmp_path.name}"]


def test_a_disk_that_refuses_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page").write_text("before")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*/page'"):
        durable.replace_text(tmp_path / "page", "after")
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    assert (tmp_path / "page").read_text() == "before"


def test_a_file_in_the_place_of_a_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("x")
    (tmp_path / "new").mkdir()
    durable.replace_folder(tmp_path / "new", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model").is_dir()


# What is kept for others


@pytest.mark.parametrize("how", DAMAGES)
def test_floors_that_are_damaged_are_computed_again(how: str, folder: Path, tmp_path: Path) -> None:
    experiment = Experiment.from_spec(RUN)
    metrics = build_metrics(experiment.spec.evaluation.metrics)
    measure = lambda missing: {title: {"modes": 8.0} for title in missing}  # noqa: E731
    floors = lambda: share_floors([tmp_path], experiment.spec, experiment.data, metrics, measure)  # noqa: E731
    floors()
    (page,) = tmp_path.glob("*/*.json")
    DAMAGES[how](page)
    if how == "a mapping without keys":
        assert floors() == {}  # which is what a metric without floors has
        return
    with pytest.warns(UserWarning, match=f"^{page} is damaged .*: the scores in it are computed again$"):
        assert floors() == {"modes": 8.0}
    assert floors() == {"modes": 8.0}


# What is told to MLflow


@pytest.fixture
def store(recorder: Recorder) -> Recorder:
    return recorder


def spoil(folder: Path, line: int, text: bytes = bytes(30)) -> Path:
    """Damage a line of a run's log, counted from 0."""
    log = folder / "seed-3" / "metrics.jsonl"
    lines = log.read_bytes().split(b"\n")[:-1]
    lines[line] = text
    log.write_bytes(b"\n".join(lines) + b"\n")
    return log


def sent(folder: Path) -> tuple[int, list[str], list[str]]:
    said, warned = list[str](), list[str]()
    return sync([folder], "sqlite:////store", said.append, said.append, warned.append), said, warned


def test_sync_sends_again_what_hanging_requests_were_still_writing(
    folder: Path, store: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ConflictError(Exception):
        error_code = "BAD_REQUEST"

    answers: list[Exception | None] = [ConflictError(), ConflictError(), None]
    end = store.end

    def conflicting(*arguments: Any) -> None:
        if (answer := answers.pop(0)) is not None:
            raise answer
        end(*arguments)

    monkeypatch.setattr(store, "end", conflicting)
    monkeypatch.setattr(sys.modules["allmodes.tracking.sync"], "PAUSE", 0.0)  # hidden by the function `sync`
    assert sent(folder)[0] == 0
    assert (answers, store.told.count(("end", "finished"))) == ([], 1)
    answers[:] = [ConflictError()] * 9
    (folder / "seed-3" / "mlflow.json").unlink()
    code, said, _ = sent(folder)
    assert (code, said[-1].endswith("1 events still wait here")) == (1, True)
    assert len(answers) == 4


def test_a_run_whose_end_was_damaged_ends_as_its_results_say(folder: Path, store: Recorder) -> None:
    log = spoil(folder, -1)
    last = len(log.read_bytes().splitlines())
    code, _, warned = sent(folder)
    assert (code, warned) == (0, [f"{log}:{last}: the line is damaged and left out"])
    assert store.told[-1] == ("end", "finished")
    assert [step for what, step in store.told if what == "step" and step > 19] == [20, 20]


def test_a_run_that_was_killed_after_it_went_on_does_not_end_as_it_did_before(folder: Path, store: Recorder) -> None:
    log = folder / "seed-3" / "metrics.jsonl"
    start, description, numbers = (json.loads(line) for line in log.read_bytes().splitlines()[:3])
    later = start["time"] + 10**9
    with log.open("a") as file:
        for line in ({**start, "time": later}, {**description, "time": later}, {**numbers, "iteration": 21}):
            file.write(json.dumps(line) + "\n")
    assert sent(folder)[0] == 0
    assert store.told[-1] == ("end", "killed")
    assert sent(folder)[1][-1].endswith("nothing is left to send")


@pytest.mark.parametrize("lines", [(1,), (0, 1)])
def test_a_run_whose_description_was_damaged_is_described_from_its_pages(
    lines: Sequence[int], folder: Path, store: Recorder
) -> None:
    whole = json.loads((folder / "seed-3" / "metrics.jsonl").read_bytes().splitlines()[1])
    for line in lines:
        log = spoil(folder, line)
    code, _, warned = sent(folder)
    assert (code, warned) == (0, [journal.left_out(log, [line + 1 for line in lines])])
    assert store.told[0] == ("start", 3)
    assert store.told[-1] == ("end", "finished")
    recalled = recalling.description(folder / "seed-3", "sqlite:////store")
    assert recalled is not None
    assert _of_pages(recalled.model_dump()) == _of_pages(whole)


def _of_pages(description: dict[str, Any]) -> dict[str, Any]:
    """What a run's pages can tell of its description: neither when, nor in which surroundings it was made."""
    around = ("mlflow.", "version.", "allmodes.folder", "allmodes.host", "allmodes.git.dirty", "allmodes.command")
    tags = {name: value for name, value in description["tags"].items() if not name.startswith(around)}
    return description | {"time": 0, "store": "", "tags": tags}


EVENTS = {
    **{how: text for how, text in BROKEN.items() if how != "cut short"},
    "an unknown event": b'{"event": "x", "time": 1}',
    "no iteration": b'{"time": 1, "a": 1.0}',
    "no time": b'{"event": "figure", "iteration": 1, "path": "b"}',
    "words": b'{"time": 1, "iteration": 1, "a": "x"}',
    "an empty description": b'{"event": "mlflow", "time": 1}',
    "an iteration of another form": b'{"event": "figure", "time": 1, "iteration": [1], "path": "b"}',
    "an unknown status": b'{"event": "end", "time": 1, "iteration": 1, "status": "x", "results": {}, "floors": {}, '
    b'"error": null}',
}


@pytest.mark.parametrize("how", EVENTS)
def test_a_damaged_line_of_tracking_events_costs_that_line_with_a_warning(
    how: str, folder: Path, store: Recorder
) -> None:
    log = spoil(folder, 4, EVENTS[how])
    code, said, warned = sent(folder)
    assert (code, warned) == (0, [f"{log}:5: the line is damaged and left out"])
    assert store.told[-1] == ("end", "finished")
    assert said[-1].endswith("events were sent to sqlite:////store")


def test_a_damaged_run_does_not_keep_the_others_from_being_sent(folder: Path, store: Recorder) -> None:
    for name in ("a", "b", "c"):
        shutil.copytree(folder / "seed-3", folder / name)
    folderise(folder / "a" / "metrics.jsonl")
    for name in ("run.json", "spec.yaml"):
        (folder / "b" / name).write_bytes(b"")
    log = folder / "b" / "metrics.jsonl"
    log.write_bytes(b"\n".join([b"x", b"x", *log.read_bytes().splitlines()[2:]]))
    code, said, _ = sent(folder)
    assert code == 1
    assert said[0] == f"{folder / 'a' / 'metrics.jsonl'} cannot be read (Is a directory): move it away"
    pages = "run.json and spec.yaml cannot be read in its place"
    assert said[1] == f"{log} lacks the description of the run, and {pages}"
    assert [status for what, status in store.told if what == "end"] == ["finished", "finished"]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_receipt_sends_all_again(how: str, folder: Path, store: Recorder) -> None:
    sent(folder)
    before, receipt = list(store.told), folder / "seed-3" / "mlflow.json"
    DAMAGES[how](receipt)
    store.told.clear()
    code, _, warned = sent(folder)
    assert (code, store.told) == (0, before)
    assert warned[0].startswith(f"{receipt} is damaged (")
    assert warned[0].endswith("): all is sent again, which changes nothing that has arrived")


def test_a_receipt_of_another_run_is_not_used(folder: Path, store: Recorder) -> None:
    sent(folder)
    before, receipt = list(store.told), folder / "seed-3" / "mlflow.json"
    receipt.write_text(json.dumps({**json.loads(receipt.read_text()), "run": "other/made/seed-3", "run_id": "other"}))
    store.told.clear()
    assert sent(folder)[2] == [f"{receipt} is of another run: all of this one is sent again"]
    assert store.told == before


# Studies


@pytest.fixture(scope="module")
def made_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("study")
    with in_one_process():
        compare([str(spec) for spec in specs_in(place)], folder=place / "study", track=False, figures=False)
    return place


@pytest.fixture
def study(made_study: Path, tmp_path: Path, one_process: None) -> Path:
    return Path(shutil.copytree(made_study / "study", tmp_path / "study"))


def specs_in(place: Path) -> list[Path]:
    for name in ("a", "b"):
        (place / f"{name}.json").write_text(json.dumps({**RUN, "name": name}))
    return [place / "a.json", place / "b.json"]


def again(study: Path, figures: bool = False) -> Any:
    return compare([str(spec) for spec in specs_in(study.parent)], folder=study, track=False, figures=figures)


@pytest.mark.parametrize("how", ["nulls", "a mapping without keys"])
def test_a_damaged_page_of_a_study_keeps_its_id(how: str, study: Path) -> None:
    before = json.loads((study / "study.json").read_text())
    DAMAGES[how](study / "study.json")
    with pytest.warns(UserWarning, match="its id is taken from its runs, its name from --name or the folder$"):
        assert again(study).status == "finished"
    assert json.loads((study / "study.json").read_text()) == before


@pytest.mark.parametrize("page", ["seed-3/results.json", "seed-3/run.json", "seed-3/spec.yaml", "spec.yaml"])
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_run_of_a_study_is_mended_and_the_others_count(page: str, study: Path) -> None:
    (study / "a" / page).write_text("")
    comparison = again(study)
    assert (comparison.status, [row.seeds for row in comparison.groups[0].rows]) == ("finished", ["1", "1"])


def test_a_run_of_a_study_that_cannot_go_on_does_not_stop_the_others(study: Path) -> None:
    (study / "a" / "seed-3" / "results.json").unlink()
    folderise(study / "a" / "seed-3" / "run.json")
    (study / "b" / "seed-3" / "results.json").write_text("")
    with pytest.warns(UserWarning, match="is damaged|cannot be read"):
        comparison = again(study)
    wrong = "is a folder where a file should be: move it away"
    page = study / "a/seed-3/run.json"
    assert comparison.unfinished == [f"a/seed-3: interrupted, saved at iteration 20 of 20: RunError: {page}: {wrong}"]
    assert comparison.row("b").seeds == "1"


def test_a_damaged_model_costs_its_panel_of_the_figure(study: Path) -> None:
    flip(study / "a" / "seed-3" / "model" / "generator.safetensors")
    with pytest.warns(UserWarning, match="^a is left out of the figure: .*generator.safetensors is damaged"):
        again(study, figures=True)
    assert (study / "figure.png").is_file()


@pytest.mark.parametrize("file", ["a/spec.yaml", "a/seed-3/run.json"])
def test_a_spec_that_was_edited_in_a_study_is_refused(file: str, study: Path) -> None:
    (study / file).write_text((study / file).read_text().replace("batch_size: 8", "batch_size: 16"))
    (study / file).write_text((study / file).read_text().replace('"batch_size": 8', '"batch_size": 16'))
    text = (study / file).read_bytes()
    assert "training.batch_size is 16 in" in complaint(SpecError, lambda: again(study))
    assert (study / file).read_bytes() == text
