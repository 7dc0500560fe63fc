"""Acceptance of Slurm, by a real one that the tests start: whatever happens to jobs, each run ends as if unbroken."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from allmodes import compare
from allmodes.registry.registry import installed
from allmodes.runs.run import RunError
from allmodes.runs.run_folder import RunFolder
from allmodes.studies.slurm import SlurmArray
from allmodes.studies.stored import load_written
from allmodes.studies.study import Study, read_page
from allmodes.testing.interrupted import equal_runs
from allmodes_schemas import SlurmConfig
from tiny_study import LONG, write_specs

HERE = Path(__file__).parent
needs_slurm = pytest.mark.skipif(shutil.which("slurmctld") is None, reason="Slurm is not installed (README.md here)")


def test_a_script_holds_nothing_that_a_folder_could_bring_in(tmp_path: Path) -> None:
    study = Study("x", tmp_path / "my 100%j study", (), "x\ntouch pwned #")
    text = SlurmArray(study, SlurmConfig(), []).script()
    assert "\ntouch" not in text
    assert f'#SBATCH --output="{tmp_path}/my 100%%j study/.slurm/%A_%a.log"' in text
    with pytest.raises(RunError, match=r"Slurm cannot write its logs there: take a folder of plainer letters$"):
        SlurmArray(Study("x", tmp_path / "a\nb", (), "x"), SlurmConfig(), []).script()


def test_the_id_of_a_study_is_checked(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(json.dumps({"name": "x", "id": "x\ntouch pwned #"}))
    with pytest.warns(UserWarning, match="is damaged"):
        assert read_page(tmp_path).id == ""


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict[str, str]]:
    """The environment of a Slurm of one machine, in a folder that all users may pass: munge asks for that."""
    folder = Path(tempfile.mkdtemp(prefix="allmodes-slurm-"))
    folder.chmod(0o755)
    subprocess.run(["bash", str(HERE / "slurm_up.sh"), str(folder)], check=True, stdout=subprocess.DEVNULL)
    yield {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "ALLMODES_REFERENCES": "off"}
    subprocess.run(["bash", str(HERE / "slurm_down.sh"), str(folder)], check=False, stdout=subprocess.DEVNULL)
    shutil.rmtree(folder, ignore_errors=True)


class Case:
    """A study of two specs and two seeds on Slurm; `unbroken` is a folder for the same study without a break."""

    def __init__(self, folder: Path, cluster: dict[str, str], iterations: int, unbroken: Path) -> None:
        self.folder, self.cluster, self.files = folder / "study", cluster, write_specs(folder, iterations)
        self.unbroken = unbroken

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start the command that arranges the jobs."""
        words = ["compare", *self.files, "--folder", str(self.folder), "--on", "slurm", "--ask", "workers=2"]
        words += ["--no-tracking", "--no-figures", "--quiet", *(word for one in options for word in ("--ask", one))]
        return subprocess.Popen([sys.executable, "-m", "allmodes", *words], env=self.cluster)

    def call(self, *words: str) -> str:
        """Call a command of Slurm."""
        return subprocess.run(words, env=self.cluster, check=True, capture_output=True, text=True).stdout

    def array(self) -> str:
        """The number of the array."""
        return (self.folder / ".slurm" / "array").read_text()

    def jobs(self) -> list[str]:
        """The jobs that are left, as 1_0: scancel knows no other numbers of jobs of an array."""
        return self.call("squeue", "--noheader", "--array", "--format=%i").split()

    def await_checkpoints(self) -> None:
        """Wait until two runs have saved something."""
        await_("two checkpoints", lambda: sum(_is_saved(run) for run in self.folder.glob("*/seed-*")) >= 2)

    def pythons(self) -> list[psutil.Process]:
        """The processes that train."""
        found = [p for p in psutil.process_iter(["cmdline"]) if str(self.folder) in (p.info["cmdline"] or [])]
        return [p for p in found if "work" in p.info["cmdline"]]

    def check(self, resumed: bool) -> None:
        """Check that every run ended once, as it does without a break."""
        study = load_written(self.folder, installed())
        assert [run.state for run in study.runs] == ["finished"] * 4
        compare(self.files, folder=self.unbroken, jobs=2, track=False, figures=False)
        for run in study.runs:
            assert equal_runs(run.folder, self.unbroken / run.name)
            assert RunFolder(run.folder).outcome() is not None
        begins = [_starts(run.folder) for run in study.runs]
        assert all(each == sorted(each) and each[0] == 0 and 0 not in each[1:] for each in begins), begins
        assert any(len(each) > 1 for each in begins) == resumed


def _is_saved(run: Path) -> bool:
    return any((run / "checkpoints").glob("[0-9]*"))


def _starts(run: Path) -> list[int]:
    lines = [json.loads(line) for line in RunFolder(run).metrics.read_text().splitlines()]
    return [line["iteration"] for line in lines if line.get("event") == "start"]


def await_(what: str, happens: Callable[[], object], seconds: float = 1800) -> None:
    """Wait until something happens."""
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, f"{what} did not happen"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the long study without a break, which the first test that asks for it trains."""
    return tmp_path_factory.mktemp("once") / "unbroken"


@pytest.fixture
def case(tmp_path: Path, cluster: dict[str, str], unbroken: Path) -> Iterator[Case]:
    """A study that takes a while."""
    made = Case(tmp_path, cluster, LONG, unbroken)
    yield made
    subprocess.run(["scancel", "--user=root", "--signal=KILL"], env=cluster, check=False)
    subprocess.run(["scancel", "--user=root"], env=cluster, check=False)


@pytest.mark.slow
@needs_slurm
def test_it_ends_like_the_local_pool(tmp_path: Path, cluster: dict[str, str]) -> None:
    case = Case(tmp_path, cluster, 300, tmp_path / "unbroken")
    assert case.start().wait(3600) == 0
    case.check(resumed=False)
    table, other = ((folder / "table.csv").read_text().splitlines() for folder in (case.folder, case.unbroken))
    assert [line for line in table if "seconds" not in line] == [line for line in other if "seconds" not in line]


@pytest.mark.slow
@needs_slurm
@pytest.mark.parametrize(
    "what", ["requeue", "usr1", "usr2", "kill python", "kill the arranger", "scancel a job", "preempt"]
)
def test_whatever_happens_it_goes_on(what: str, case: Case) -> None:
    arranger = case.start()
    case.await_checkpoints()
    array, jobs = case.array(), case.jobs()
    match what:
        case "requeue":
            case.call("scontrol", "requeue", jobs[0])
        case "usr1" | "usr2":
            case.call("scancel", "--batch", f"--signal={what.upper()}", jobs[0])
        case "kill python":
            case.pythons()[0].kill()
        case "kill the arranger":
            arranger.kill()
            arranger.wait()
            arranger = case.start()
        case "scancel a job":
            case.call("scancel", jobs[0])
        case "preempt":
            case.call("sbatch", "--partition=high", "--cpus-per-task=2", "--wrap=sleep 5")
    assert arranger.wait(3600) == 0
    assert what == "scancel a job" or case.array() == array  # nothing was submitted twice
    case.check(resumed=what != "kill the arranger")


@pytest.mark.slow
@needs_slurm
def test_ctrl_c_saves_all_and_leaves_nothing_in_the_queue(case: Case) -> None:
    arranger = case.start()
    case.await_checkpoints()
    arranger.send_signal(signal.SIGINT)
    assert arranger.wait(900) == 130
    assert case.jobs() == []
    assert case.start().wait(3600) == 0
    case.check(resumed=True)


@pytest.mark.slow
@needs_slurm
def test_restarts_at_the_time_limit_are_bounded(case: Case) -> None:
    arranger = case.start("restarts=1")
    for _ in range(2):
        case.await_checkpoints()
        for job in case.jobs():
            case.call("scancel", "--batch", "--signal=USR1", job)
        await_("an end of the jobs", lambda: not case.pythons())
        await_("another start", lambda: case.pythons() or arranger.poll() is not None)
    assert arranger.wait(3600) == 0  # jobs that were not queued again are submitted again by the arranger
    case.check(resumed=True)


@pytest.mark.slow
@needs_slurm
def test_runs_go_on_after_a_time_limit_that_is_hit_twice(tmp_path: Path, cluster: dict[str, str]) -> None:
    case = Case(tmp_path, cluster, 8 * LONG, tmp_path / "unbroken")
    # Slurm may send the signal a minute early, so jobs train for half a minute to a minute and a half
    assert case.start("time=3", "notice=90").wait(7200) == 0
    restarts = re.findall(r"Restarts=(\d+)", case.call("scontrol", "show", "job", case.array()))
    assert max(map(int, restarts)) >= 2, restarts
    case.check(resumed=True)
