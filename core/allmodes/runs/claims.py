"""Claims: of several processes, on one host or on many that share a folder, one has a thing at a time.

A claim is a lease. The n-th holder makes the n-th file by exclusive creation, which works where locks do not, and
counts up a number in it as long as it lives; nobody else writes that file. Others may make the next file when the
number has stood still for a lease by their own clocks, or at once where the holder has let go or its process has ended
on the same machine. So clocks need not agree, and of two that take over from a dead holder one comes too late.

A process that could not count for half a lease, as it was stopped or its disk hung, has lost its claims: it ends at
once, by the first `confirm` before it writes anything.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn

import psutil
from pydantic import BaseModel

from allmodes.system import json_pages
from allmodes.system.variables import seconds_of

LEASE = 60.0
"""Seconds without a sign of life after which a claim may be taken over; the environment's ALLMODES_LEASE."""
BEATS = 12
"""Signs of life in a lease."""
CLAIMS = ".claims"
"""The folder of a study that holds the claims of its runs."""
TURNS = ".turns"
"""The folder that holds claims for turns."""
PAUSE = 0.1
"""Seconds between two looks of a process that waits for its turn."""
LOST = 75
"""Exit code of a process whose claim was lost: EX_TEMPFAIL, try again."""


class Holder(BaseModel):
    """What a claim's file holds: the process, its signs of life, if it has let go, and how far things were before."""

    host: str
    machine: str
    pid: int
    born: int = 0
    beats: int = 0
    state: Literal["held", "released", "failed"] = "held"
    progress: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the holder has let go, or was a process of this machine that has ended."""
        return self.state != "held" or (self.machine == machine() and not _lives(self.pid, self.born))

    def describe(self) -> str:
        """Such as `process 12 on node7`."""
        return f"process {self.pid} on {self.host}"


UNKNOWN = Holder(host="an unknown host", machine="", pid=0)


def lease() -> float:
    """The length of a lease in seconds. Raises VariableError where the environment's is no positive number."""
    return seconds_of("ALLMODES_LEASE", LEASE)


def machine() -> str:
    """Names this host since it was started, and the space of its process numbers: containers have their own."""
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{platform.node()} {booted} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # no Linux
        return f"{platform.node()} {psutil.boot_time():.0f}"


class Claim:
    """A claim of this process, from `take`."""

    def __init__(self, file: Path, holder: Holder) -> None:
        self.file, self.holder, self.seen = file, holder, time.monotonic()
        self._lock = threading.Lock()  # of two threads, one shows signs of life and one lets go

    def beat(self) -> None:
        """Show a sign of life; a full disk costs one. Ends the process where the claim is lost."""
        with self._lock:
            if self.holder.state == "held":
                self.confirm()
                self.holder.beats += 1
                with suppress(OSError):
                    _replace(self.file, self.holder)
                    self.seen = time.monotonic()

    def confirm(self) -> None:
        """End the process where it showed no sign of life for half a lease, or somebody has taken the claim over."""
        if time.monotonic() - self.seen > lease() / 2 or _next(self.file).exists():
            _give_up(self.file)

    def release(self, failed: bool = False) -> None:
        """Let go: others may take it at once."""
        with self._lock:
            self.holder.state = "failed" if failed else "released"
            with suppress(OSError):  # they take it after a lease
                _replace(self.file, self.holder)


@dataclass
class Watch:
    """Looks at the claims in a folder; remembers since when the number in each has stood still.

    Attributes:
        folder: Holds the claims of each name as `<name>.<n>`, n from 0.
        is_swept: Whether files of earlier holders are removed, so that the folder is listed for the newest.
    """

    folder: Path
    is_swept: bool = False
    _seen: dict[Path, tuple[int, float]] = field(default_factory=dict)

    def holder(self, name: str) -> Holder | None:
        """Who has a claim, somebody unknown where its file is not written yet; None where it is free to be taken."""
        last = self.newest(name)
        if last is None:
            return None
        holder = _read(last)
        return (holder or UNKNOWN) if self._lives(last, holder) else None

    def attempts(self, name: str) -> int:
        """How often a claim was taken."""
        last = self.newest(name)
        return 0 if last is None else _number(last) + 1

    def was_lost(self, name: str) -> bool:
        """Whether the holder before the newest one did not let go."""
        number = self.attempts(name) - 2
        before = _read(_file(self.folder, name, number)) if number >= 0 else None
        return number >= 0 and (before is None or before.state == "held")

    def failures(self, name: str, progress: int, since: int = 0) -> int:
        """How often in a row, from an attempt on, holders failed or died that began with no less progress than this."""
        holders = [_read(_file(self.folder, name, number)) for number in range(since, self.attempts(name))]
        bad = [one is not None and one.progress >= progress and one.state != "released" for one in holders]
        return [*bad[::-1], False].index(False)

    def take(self, name: str, progress: int = 0, after: int = -1) -> Claim | None:
        """Take a claim; None where somebody has it.

        `after` is the number of a holder of whom it is known that its lease is over, as another process has watched it.
        """
        last = self.newest(name)
        if last is not None and _number(last) != after and self._lives(last, _read(last)):
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        file = _next(last) if last is not None else _file(self.folder, name, 0)
        pid = os.getpid()
        holder = Holder(host=platform.node(), machine=machine(), pid=pid, born=_born(pid), progress=progress)
        if not _create(file, holder):
            return None
        if self.is_swept and self.newest(name) != file:  # it was one of an earlier holder, and had been removed
            file.unlink(missing_ok=True)
            return None
        return Claim(file, holder)

    def newest(self, name: str) -> Path | None:
        """The file of the newest holder: where none is removed, numbers have no gap, so few are looked at."""
        if self.is_swept:
            return max(self.folder.glob(f"{name}.*"), key=_number, default=None)
        number = 0
        while _file(self.folder, name, number).exists():
            number += 1
        return _file(self.folder, name, number - 1) if number else None

    def _lives(self, file: Path, holder: Holder | None) -> bool:
        """Whether a holder may live; one whose file is not written yet, or damaged, does for a lease."""
        if holder is not None and holder.is_over:
            return False
        beats = -1 if holder is None else holder.beats
        before, since = self._seen.get(file, (None, 0.0))
        if beats != before:
            self._seen[file] = beats, time.monotonic()
            return True
        return time.monotonic() - since < lease()


def host_of(folder: Path, name: str) -> str:
    """The host whose process has a claim, and showed a sign of life within a lease by this host's clock; else nothing.

    One look cannot tell more. It is for people to read: whoever wants to take a claim watches it for a lease.
    """
    file = Watch(folder).newest(name)
    holder = None if file is None else _read(file)
    if file is None or holder is None or holder.is_over:
        return ""
    try:
        return holder.host if time.time() - file.stat().st_mtime < lease() else ""
    except OSError:
        return ""


_HELD: set[Claim] = set()
"""The claims of this process."""


@contextmanager
def holding(claims: Sequence[Claim]) -> Iterator[Callable[[Claim, bool], None]]:
    """Show signs of life of claims within the block; yields what lets go of one, and says if it failed.

    At the end of the block all are let go of.
    """
    left = set(claims)

    def release(claim: Claim, failed: bool) -> None:
        if claim in left:
            left.remove(claim)
            _HELD.discard(claim)
            claim.release(failed)

    _HELD.update(claims)
    ended = threading.Event()
    threading.Thread(target=_beat, args=(left, ended), daemon=True).start()
    try:
        yield release
    finally:
        ended.set()
        for claim in claims:
            release(claim, False)


@contextmanager
def turn(folder: Path, name: str) -> Iterator[None]:
    """Wait until no other process is in a block of this name in the folder, by claims: where locks do not work."""
    watch = Watch(folder / TURNS / name, is_swept=True)
    while (claim := watch.take("turn")) is None:
        time.sleep(PAUSE)
    try:
        with holding([claim]):
            yield
    finally:
        for file in watch.folder.glob("turn.*"):
            if _number(file) < _number(claim.file):
                file.unlink(missing_ok=True)


def confirm() -> None:
    """End the process, before it writes anything, where it has lost a claim. To be called before writing."""
    for claim in tuple(_HELD):
        if claim.holder.state == "held":
            claim.confirm()


def _beat(claims: set[Claim], ended: threading.Event) -> None:
    while not ended.wait(lease() / BEATS):
        for claim in tuple(claims):
            claim.beat()


def _give_up(file: Path) -> NoReturn:
    print(f"{file}: this process was still for too long and has lost its run: it ends", file=sys.stderr, flush=True)
    os._exit(LOST)  # nothing more is written, not even by what runs at a normal end


def _lives(pid: int, born: int) -> bool:
    """Whether a process of this machine may live; what cannot be told counts as life."""
    if not psutil.pid_exists(pid):
        return False
    now = _born(pid)
    return not (born and now) or now == born


def _born(pid: int) -> int:
    """When a process began, in ticks since the machine did, which no step of a clock moves; 0 where nobody tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return 0 if fields[0] == "Z" else int(fields[19])
    except (OSError, ValueError, IndexError):
        return 0


def _file(folder: Path, name: str, number: int) -> Path:
    return folder / f"{name.replace('/', '.')}.{number}"


def _number(file: Path) -> int:
    return int(file.suffix[1:])


def _next(file: Path) -> Path:
    return file.with_suffix(f".{_number(file) + 1}")


def _read(file: Path) -> Holder | None:
    try:
        return json_pages.read(file, Holder)
    except (FileNotFoundError, json_pages.PageError):
        return None


def _create(file: Path, holder: Holder) -> bool:
    """Make a file by exclusive creation; False where there is one."""
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(holder.model_dump_json())
    except FileExistsError:
        return False
    return True


def _replace(file: Path, holder: Holder) -> None:
    """Replace a claim's own page. It need not survive a loss of power, so nothing waits for the disk."""
    beside = file.with_name(f".{file.name}")
    beside.write_text(json.dumps(holder.model_dump()), encoding="utf-8")
    beside.replace(file)
