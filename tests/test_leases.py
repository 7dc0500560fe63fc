"""Claims: of several processes one has a thing at a time, and nothing is lost when one dies or stands still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from allmodes.runs import claims
from allmodes.runs.claims import LOST, Watch, holding
from allmodes.system.variables import VariableError

HOLD = """
import sys, time
from pathlib import Path
from allmodes.runs.claims import Watch, confirm, holding

claim = Watch(Path(sys.argv[1])).take("a/seed-0")
with holding([claim]):
    print("held", flush=True)
    while True:
        time.sleep(0.02)
        confirm()
        Path(sys.argv[2]).write_text("still here")
"""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> float:
    """A lease that a test can wait for."""
    monkeypatch.setenv("ALLMODES_LEASE", "1.2")
    return 1.2


@pytest.fixture
def other(tmp_path: Path, short: float) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the claim of a/seed-0, and writes a file as long as it may."""
    words = [sys.executable, "-c", HOLD, str(tmp_path), str(tmp_path / "written")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def _await(what: str, happens: object, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not happens():  # type: ignore[operator]
        assert time.monotonic() < until, f"{what} did not happen"
        time.sleep(0.05)


def test_one_of_two_takes_a_claim(tmp_path: Path) -> None:
    first, second = Watch(tmp_path), Watch(tmp_path)
    assert first.take("a/seed-0") is not None
    assert second.take("a/seed-0") is None
    assert second.take("a/seed-1") is not None
    holder = second.holder("a/seed-0")
    assert holder is not None
    assert holder.pid == os.getpid()


def test_a_claim_that_was_let_go_of_is_free_at_once(tmp_path: Path) -> None:
    claim = Watch(tmp_path).take("a/seed-0")
    assert claim is not None
    with holding([claim]):
        assert Watch(tmp_path).holder("a/seed-0") is not None
    assert Watch(tmp_path).holder("a/seed-0") is None
    assert Watch(tmp_path).take("a/seed-0") is not None
    assert Watch(tmp_path).attempts("a/seed-0") == 2


def test_many_takers_of_one_dead_claim_are_one(tmp_path: Path) -> None:
    claim = Watch(tmp_path).take("a/seed-0")
    assert claim is not None
    claim.release()
    takers = [Watch(tmp_path) for _ in range(5)]
    assert sum(watch.take("a/seed-0") is not None for watch in takers) == 1


def test_the_claim_of_a_dead_process_of_this_machine_is_free_at_once(
    other: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_LEASE", "3600")
    watch = Watch(tmp_path)
    assert watch.take("a/seed-0") is None
    other.kill()
    other.wait()
    assert watch.take("a/seed-0") is not None


def test_the_claim_of_another_machine_is_free_when_it_has_stood_still(tmp_path: Path, short: float) -> None:
    page = '{"host": "far", "machine": "far", "pid": 1, "born": 0, "beats": 3}'
    (tmp_path / "a.seed-0.0").write_text(page)
    watch = Watch(tmp_path)
    began = time.monotonic()
    assert watch.take("a/seed-0") is None
    _await("the end of the lease", lambda: watch.take("a/seed-0") is not None)
    assert time.monotonic() - began >= short


def test_a_claim_that_shows_signs_of_life_stays(tmp_path: Path, short: float) -> None:
    page = '{"host": "far", "machine": "far", "pid": 1, "born": 0, "beats": %d}'
    watch, began, beats = Watch(tmp_path), time.monotonic(), 0
    while time.monotonic() - began < 2 * short:
        (tmp_path / "a.seed-0.0").write_text(page % beats)
        assert watch.holder("a/seed-0") is not None
        beats += 1
        time.sleep(short / 10)


def test_a_stopped_process_loses_its_claim_and_writes_nothing_afterwards(
    other: subprocess.Popen[str], tmp_path: Path
) -> None:
    watch = Watch(tmp_path)
    _await("the first sign of life", (tmp_path / "written").exists)
    os.kill(other.pid, signal.SIGSTOP)
    _await("the end of the lease", lambda: watch.take("a/seed-0") is not None)
    (tmp_path / "written").unlink()
    os.kill(other.pid, signal.SIGCONT)
    assert other.wait(60) == LOST
    assert not (tmp_path / "written").exists()
    assert other.stderr is not None
    said = other.stderr.read()
    assert said == f"{tmp_path / 'a.seed-0.0'}: this process was still for too long and has lost its run: it ends\n"


def test_failures_count_in_a_row_and_without_progress(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    for progress, failed in ((0, True), (0, True), (100, True), (100, False), (100, True), (100, True)):
        claim = watch.take("a/seed-0", progress)
        assert claim is not None
        claim.release(failed)
    assert watch.failures("a/seed-0", 100) == 2
    assert watch.failures("a/seed-0", 100, since=5) == 1
    assert watch.failures("a/seed-0", 200) == 0  # a checkpoint further


def test_a_damaged_claim_is_taken_over_after_a_lease(tmp_path: Path, short: float) -> None:
    (tmp_path / "a.seed-0.0").write_text("{")
    watch = Watch(tmp_path)
    assert watch.holder("a/seed-0") is not None  # its holder may be about to write it
    assert watch.take("a/seed-0") is None
    _await("the end of the lease", lambda: watch.take("a/seed-0") is not None)


@pytest.mark.parametrize("given", ["soon", "0", "-1", "inf", "nan"])
def test_a_lease_is_a_positive_number(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLMODES_LEASE", given)
    with pytest.raises(VariableError, match=f"^ALLMODES_LEASE={given}: give a positive number of seconds, such as 60$"):
        claims.lease()


TURN = """
import sys
from pathlib import Path
from allmodes.runs.lock import take_turns

file = Path(sys.argv[1]) / "count"
for _ in range(5):
    with take_turns(file.parent, "turn"):
        file.write_text(str(int(file.read_text()) + 1))
"""


def test_a_process_lives_whatever_its_clock_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = Watch(tmp_path).take("a/seed-0")
    assert claim is not None
    assert not claim.holder.is_over
    monkeypatch.setattr(claims.psutil, "boot_time", lambda: 0.0)
    assert not claim.holder.is_over
    claim.holder.born += 1  # its number was given to another process since
    assert claim.holder.is_over


def test_a_claim_that_was_let_go_of_shows_no_more_life(tmp_path: Path) -> None:
    claim = Watch(tmp_path).take("a/seed-0")
    assert claim is not None
    claim.release(failed=True)
    assert Watch(tmp_path).take("a/seed-0") is not None
    claim.beat()  # it would end the process if it still held the claim
    assert '"state": "failed"' in claim.file.read_text()


def test_processes_take_turns_without_locks(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    words = [sys.executable, "-c", TURN, str(tmp_path)]
    processes = [subprocess.Popen(words, env={**os.environ, "ALLMODES_LOCKS": "off"}) for _ in range(4)]
    assert [process.wait(120) for process in processes] == [0, 0, 0, 0]
    assert (tmp_path / "count").read_text() == "20"
    assert len(list((tmp_path / ".turns" / "turn").iterdir())) <= 4  # files of earlier holders are removed


def test_a_late_taker_of_a_turn_sees_that_others_had_it_since(tmp_path: Path) -> None:
    watch = Watch(tmp_path, is_swept=True)
    for number in (0, 1, 2):
        claim = watch.take("turn")
        assert claim is not None
        assert claim.file.name == f"turn.{number}"
        claim.release()
    (tmp_path / "turn.1").unlink()
    (tmp_path / "turn.0").unlink()
    newest = watch.take("turn")
    assert newest is not None
    late = Watch(tmp_path, is_swept=True)
    with pytest.MonkeyPatch.context() as patch:
        looks = iter([tmp_path / "turn.0", newest.file])  # it looked before the others
        patch.setattr(Watch, "newest", lambda self, name: next(looks))
        patch.setattr(Watch, "_lives", lambda self, file, holder: False)
        assert late.take("turn") is None
    assert not (tmp_path / "turn.1").exists()
