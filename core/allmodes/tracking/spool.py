"""What a run has to tell the store: a file of JSON lines beside the run, where it waits until it has arrived."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, NonNegativeInt, PositiveInt, TypeAdapter

from allmodes.runs.journal import left_out
from allmodes.runs.run_folder import TRACKING
from allmodes.system import json_pages

NAME = TRACKING
CHUNK = 1 << 18  # bytes that are taken at once
ROOM = 64 << 20  # bytes that wait in memory at most, while the disk refuses them

FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)

Event = Mapping[str, Any]


class _Told(BaseModel, strict=True):
    """What every event must say; whatever else it says is left as it is."""

    time: NonNegativeInt


class _Start(_Told):
    what: Literal["start"]
    store: str
    mlflow_experiment: str
    name: str
    experiment: str
    seed: int
    seeds: PositiveInt
    about: str
    tags: dict[str, str]
    params: dict[str, str]
    data: dict[str, str]
    requirements: list[str]


class _Metrics(_Told):
    what: Literal["metrics"]
    step: NonNegativeInt
    values: dict[str, float]


class _Figure(_Told):
    what: Literal["figure"]
    step: NonNegativeInt
    key: str
    path: str


class _End(_Told):
    what: Literal["end"]
    step: NonNegativeInt
    seeds: PositiveInt
    requirements: list[str]
    status: Literal["FINISHED", "FAILED", "KILLED"]
    results: dict[str, float]
    floors: dict[str, float]
    error: str | None


_FORM: TypeAdapter[Any] = TypeAdapter(Annotated[_Start | _Metrics | _Figure | _End, Discriminator("what")])


class Spool:
    """The events of one run, first in, first out.

    Training appends; another thread takes what waits and says how much of it arrived. What the disk refuses stays in
    memory, in the same order, until the disk takes it. One process at a time holds the file; no method raises.

    Args:
        folder: The run's folder.
        sent: Says how many bytes of the file have arrived already; asked when the file is opened.
        warn: Told once when the disk refuses, and once when memory is full.
    """

    def __init__(self, folder: Path, sent: Callable[[], int], warn: Callable[[str], None]) -> None:
        self.path = folder / NAME
        self.ended = False
        self._sent, self._size, self._memory = 0, 0, bytearray()
        self._arrived_before = sent
        self._known: dict[str, int] = {}
        self._warn, self._warned = warn, set[str]()
        self._lock = threading.RLock()
        self._file: int | None = None
        self.held = self.closed = False
        self._open()

    @property
    def kept(self) -> int:
        """Bytes of the file that have arrived, for the receipt."""
        return min(self._sent, self._size)

    def append(self, event: Event) -> None:
        """Note an event; of a run that goes on from a checkpoint, what was noted before is not noted again."""
        with self._lock:
            if (new := _unknown(event, self._known)) is not None:
                self.ended = _over(new, self.ended)
                self._memory += json.dumps(new).encode() + b"\n"
                self._flush()
                self._make_room()

    def waiting(self) -> list[bytes]:
        """The next lines that have not arrived, at most about `CHUNK` bytes."""
        with self._lock:
            self._flush()
            if self.held or self.closed:
                return []
            chunk = self._read() if self._sent < self._size else bytes(self._memory[self._sent - self._size :])
            return chunk[: chunk.rfind(b"\n") + 1].splitlines(keepends=True)

    def arrived(self, size: int) -> None:
        """Count the next `size` bytes as arrived."""
        with self._lock:
            self._sent += size

    def rewind(self) -> None:
        """Count nothing as arrived."""
        with self._lock:
            self._sent = 0

    def count(self) -> int:
        """Number of events that have not arrived."""
        with self._lock:
            on_disk = self._stored(self._size - self._sent).count(b"\n")
            return on_disk + self._memory[max(0, self._sent - self._size) :].count(b"\n")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self.closed = True
            self._let_go()

    def _read(self) -> bytes:
        """From disk; a line longer than a chunk is taken whole."""
        size = CHUNK
        while b"\n" not in (chunk := self._stored(size)) and len(chunk) == size:
            size *= 2
        return chunk

    def _stored(self, size: int) -> bytes:
        """The next bytes on disk; none of a file that somebody removed."""
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            file.seek(self._sent)
            return file.read(max(0, size))
        return b""

    def _flush(self) -> None:
        """Move what waits in memory to disk, whole lines only."""
        try:
            if self._memory and (self._file is not None or self._open()):
                assert self._file is not None
                self._write(self._file)
        except OSError as error:
            self._refused(error)

    def _write(self, file: int) -> None:
        written = os.write(file, self._memory)
        if full := written < len(self._memory):
            written = self._memory.rfind(b"\n", 0, written) + 1
            os.ftruncate(file, self._size + written)
        self._size += written
        del self._memory[:written]
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open(self) -> bool:
        """Open the file behind its last whole line, unless another process holds it."""
        if self.closed:
            return False
        try:
            self._file = os.open(self.path, FLAGS, 0o644)
            _hold(self._file)
            self._look_back(self._file)
            self.held = False
        except OSError as error:
            self._let_go()
            self.held = isinstance(error, BlockingIOError)
            if not self.held:
                self._refused(error)
        return self._file is not None

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _look_back(self, file: int) -> None:
        """Learn from the file what was noted before."""
        whole = self.path.read_bytes()
        found = [(number, parse(line)) for number, line in enumerate(whole.split(b"\n"), 1) if line.strip()]
        if damaged := [number for number, event in found if event is None]:
            self._say_once("damaged", left_out(self.path, damaged))
        self._size = whole.rfind(b"\n") + 1
        os.ftruncate(file, self._size)  # a process that was killed may have left half a line
        del self._memory[: self._sent]  # what arrived before the file could be opened
        arrived = min(self._arrived_before(), self._size)
        self._sent = arrived if whole[:arrived].endswith(b"\n") else 0
        for event in (event for _, event in found if event is not None):
            self.ended = self.ended if self._memory else _over(event, self.ended)
            for key in _keys(event):
                self._known[key] = max(event["step"], self._known.get(key, -1))

    def _make_room(self) -> None:
        """Forget what has arrived when memory is full; if nothing has, the newest event."""
        if len(self._memory) <= ROOM:
            return
        arrived = max(0, self._sent - self._size)
        del self._memory[:arrived]
        self._sent -= arrived
        if len(self._memory) > ROOM and not self.ended:
            del self._memory[self._memory.rfind(b"\n", 0, -1) + 1 :]
            self._say_once(
                "full", f"no room is left for what MLflow should get of {self.path.parent}; see metrics.jsonl"
            )

    def _refused(self, error: OSError) -> None:
        self._say_once(
            "disk",
            f"cannot write {self.path} ({error.strerror}). Training goes on; what waits for MLflow waits in memory "
            "until there is room, and would be lost if the process died.",
        )

    def _say_once(self, what: str, message: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            self._warn(message)


def events(path: Path) -> Iterator[Event]:
    """The sound events of a spool, without holding it."""
    with path.open("rb") as file:
        yield from filter(None, map(parse, file))


def start_and_last(folder: Path) -> tuple[Event | None, Event]:
    """Of what a run's spool tells: the last start, and the last event."""
    start: Event | None = None
    last: Event = {}
    for last in events(folder / NAME):
        start = last if last["what"] == "start" else start
    return start, last


def parse(line: bytes) -> Event | None:
    """The event of a line; None for one that is damaged: no JSON, or JSON of another form."""
    try:
        event = json_pages.decoded(line)
        _FORM.validate_python(event)
    except ValueError:
        return None
    known: Event = event
    return known


def _keys(event: Event) -> list[str]:
    """Names under which an event's values will be found in MLflow at its step."""
    keys = {"metrics": event.get("values", ()), "end": event.get("results", ()), "figure": [event.get("key")]}
    return [f"{event['what']}/{name}" for name in keys.get(event["what"], ())]


def _over(event: Event, before: bool) -> bool:
    """Whether a run has ended, after an event; measuring it again does not begin it anew."""
    return event["what"] == "end" or (before and event.get("again", False))


def _unknown(event: Event, known: Mapping[str, int]) -> Event | None:
    """The event without values that were noted for this step or a later one; None if nothing is left of it."""
    old = [key for key in _keys(event) if event["step"] <= known.get(key, -1)] if known else []
    if not old or event.get("again"):
        return event
    if event["what"] == "figure":
        return None
    values = "values" if event["what"] == "metrics" else "results"
    left = {name: value for name, value in event[values].items() if f"{event['what']}/{name}" not in old}
    return {**event, values: left} if left or event["what"] == "end" else None


def _hold(file: int) -> None:
    """Lock an open file until it is closed or the process ends; BlockingIOError if another process has it."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except (ImportError, OSError):  # Windows, some network file systems: whoever syncs must wait for training to end
        return
