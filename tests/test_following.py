"""Following jobs of Slurm, whose commands are scripts here: what is submitted again, and what is said of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from allmodes import compare
from allmodes.studies import following
from allmodes.studies.following import Follower
from allmodes.studies.slurm import SlurmArray
from allmodes.studies.study import Study
from allmodes.system.signals import Stop
from allmodes_schemas import SlurmConfig
from one_process import in_one_process
from tiny_study import write_specs


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of two runs that have ended."""
    folder = tmp_path_factory.mktemp("trained")
    files = write_specs(folder, 2)[:1]
    with in_one_process():
        return compare(files, folder=folder / "study", track=False, figures=False).study


@pytest.fixture
def aside(trained: Study, tmp_path: Path) -> Iterator[str]:
    """The shell's words that end the second run of the study, as a job would; it has not ended before."""
    run = trained.runs[1].folder
    run.rename(tmp_path / "aside")
    yield f"mv '{tmp_path / 'aside'}' '{run}'"
    if not run.exists():
        (tmp_path / "aside").rename(run)


@pytest.fixture
def array(trained: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SlurmArray]:
    """Makes an array that was submitted to a Slurm of these commands, each a line of the shell."""
    monkeypatch.setattr(following, "POLL", 0.0)
    shutil.rmtree(trained.folder / ".slurm", ignore_errors=True)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    def make(squeue: str, sbatch: str = "") -> SlurmArray:
        (tmp_path / "bin").mkdir()
        counted = f"echo x >> {tmp_path}/submitted; wc -l < {tmp_path}/submitted"
        for name, line in (("squeue", squeue), ("sbatch", f"{counted}; {sbatch}")):
            (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
            (tmp_path / "bin" / name).chmod(0o755)
        made = SlurmArray(trained, SlurmConfig(), [])
        assert made.submit()
        return made

    return make


def _follow(array: SlurmArray) -> list[tuple[str, str]]:
    ends: list[tuple[str, str]] = []
    Follower(array, lambda run, state: ends.append((run.name, state))).follow(Stop())
    return ends


@pytest.mark.usefixtures("aside")
def test_jobs_that_end_nothing_are_submitted_twice_again(
    array: Callable[..., SlurmArray], trained: Study, caplog: pytest.LogCaptureFixture
) -> None:
    made = array(squeue="true")
    with caplog.at_level("INFO", "allmodes"):
        assert _follow(made) == [("plain/seed-1", "missing")]
    logs = trained.folder / ".slurm"
    tail = f"of 2 times without a run that ends; their logs: {logs})"
    assert caplog.messages == [
        f"the jobs 1 of Slurm have ended, but plain/seed-1 is open: submitted again as 2 (1 {tail}",
        f"the jobs 2 of Slurm have ended, but plain/seed-1 is open: submitted again as 3 (2 {tail}",
        "no job of Slurm is left, and plain/seed-1 is open: the array was submitted 2 times again without a run that "
        f"ended. What the jobs said is in {logs}; the same command tries again",
    ]
    assert made.number == "3"


def test_jobs_that_end_the_study_are_not_submitted_again(
    array: Callable[..., SlurmArray], aside: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = array(squeue=aside)  # the last job ends its run after the look at the folder, and before that at the jobs
    with caplog.at_level("INFO", "allmodes"):
        assert _follow(made) == [("plain/seed-1", "finished")]
    assert (caplog.messages, made.number) == ([], "1")


def test_a_controller_that_does_not_answer_is_asked_again(
    array: Callable[..., SlurmArray], aside: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dead = "echo 'Unable to contact slurm controller (connect failure)' >&2; exit 1"
    made = array(squeue=f"echo x >> {tmp_path}/asked; [ $(wc -l < {tmp_path}/asked) -gt 2 ] || {{ {dead}; }}; {aside}")
    with caplog.at_level("INFO", "allmodes"):
        assert _follow(made) == [("plain/seed-1", "finished")]
    assert caplog.messages == [
        "squeue failed: Unable to contact slurm controller (connect failure): the jobs 1 may run on: Slurm is asked "
        "again"
    ]


def test_several_open_runs_are_counted(
    array: Callable[..., SlurmArray], trained: Study, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    both = [run.folder for run in trained.runs]
    for folder in both:
        folder.rename(tmp_path / folder.name)
    made = array(squeue="true")
    (tmp_path / "bin" / "sbatch").write_text(
        f"#!/bin/sh\necho 9\nmv {tmp_path}/seed-0 {tmp_path}/seed-1 {both[0].parent}/\n"
    )
    with caplog.at_level("INFO", "allmodes"):
        assert _follow(made) == [("plain/seed-0", "finished"), ("plain/seed-1", "finished")]
    (said,) = caplog.messages
    assert said.startswith(
        "the jobs 1 of Slurm have ended, but 2 runs are open, plain/seed-0 among them: submitted again as 9 (1 of 2 "
    )
