"""An append-only file of lines, which a full disk does not stop and another thread can read."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 18
"""Bytes that are read or written at once."""
ROOM = 64 << 20
"""Bytes that wait in memory at most while the disk refuses them."""


class LineFile:
    """Appends lines to a file. What the disk refuses waits in memory, in the same order, until the disk takes it.

    Lines can be read behind the cursor `taken`, from disk and then from memory. The file is opened for each write, so
    that a folder that is moved or made meanwhile does no harm. No method raises.

    Args:
        path: The file.
        warn: Called once when the disk refuses, and once when memory is full.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self.path, self._warn = path, warn
        self.taken = 0
        self._memory = bytearray()
        self._warned = set[str]()
        self._lock = threading.RLock()
        self._size = self._measure_size()

    @property
    def kept(self) -> int:
        """Bytes of the file up to the cursor, without those that wait in memory."""
        return min(self.taken, self._size)

    def append(self, line: str, needed: bool = False) -> None:
        """Add a line. If memory is full, a line that is not `needed` is left out."""
        with self._lock:
            self._memory += line.encode() + b"\n"
            self._flush()
            self._make_room(needed)

    def next(self) -> list[bytes]:
        """Return the next whole lines behind the cursor, about `CHUNK` bytes at most."""
        with self._lock:
            self._flush()
            if self.taken >= self._size and not self._memory:
                self._size = max(self._size, self._measure_size())  # another process may have added lines
            return _whole_lines(self._read(CHUNK) or self._read_memory(CHUNK))

    def rest(self) -> list[bytes]:
        """Return all whole lines behind the cursor."""
        with self._lock:
            return _whole_lines(self._read(self._size) + self._read_memory(len(self._memory)))

    def take(self, size: int) -> None:
        """Move the cursor over the next `size` bytes."""
        with self._lock:
            self.taken += size

    def _read(self, size: int) -> bytes:
        """Return lines behind the cursor from disk, about `size` bytes; none of a file that somebody removed."""
        if self.taken < self._size:
            with suppress(OSError), self.path.open("rb") as file:
                file.seek(self.taken)
                return file.read(min(size, self._size - self.taken)) + file.readline()
        return b""

    def _read_memory(self, size: int) -> bytes:
        """Return lines behind the cursor from memory, about `size` bytes."""
        start = max(0, self.taken - self._size)
        return bytes(self._memory[start : _end_of_line(self._memory, start + size)])

    def _measure_size(self) -> int:
        with suppress(OSError):
            return self.path.stat().st_size if self.path.is_file() else 0
        return 0

    def _flush(self) -> None:
        """Move lines from memory to disk."""
        try:
            if self._memory:
                with self.path.open("a+b", buffering=0) as file:
                    self._find_end(file)
                    while self._memory:
                        self._write(file, bytes(self._memory[: _end_of_line(self._memory, CHUNK)]))
        except OSError as error:
            why = f"{self.path} cannot be written ({error.strerror or error}); the run goes on, the lines wait"
            self._warn_once("disk", why)
        else:
            self._warned.discard("disk")

    def _find_end(self, file: io.FileIO) -> None:
        """See where the file ends, which another process may have written to."""
        end = file.seek(0, os.SEEK_END)
        if end != self._size:
            self.taken = min(self.taken, self._size, end)
            self._size = end

    def _write(self, file: io.FileIO, text: bytes) -> None:
        """Write lines, each whole or not at all: half a line would spoil the one behind it."""
        mend = b"" if _ends_a_line(file, self._size) else b"\n"
        whole, written = mend + text, 0
        try:
            while written < len(whole):
                written += file.write(whole[written:])
        except OSError:
            file.truncate(self._size + (kept := whole.rfind(b"\n", 0, written) + 1))
            written = kept
            raise
        finally:
            self.taken += len(mend) if self.taken > self._size and written else 0
            self._size += written
            del self._memory[: max(0, written - len(mend))]

    def _make_room(self, needed: bool) -> None:
        """If memory is full, remove the lines in front of the cursor; if that is not enough, the newest line."""
        if len(self._memory) <= ROOM:
            return
        read = max(0, self.taken - self._size)
        del self._memory[:read]
        self.taken -= read
        if len(self._memory) > ROOM and not needed:
            del self._memory[self._memory.rfind(b"\n", 0, -1) + 1 :]
            self._warn_once("full", f"memory is full: new lines of {self.path} are left out until the disk has room")

    def _warn_once(self, what: str, message: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            self._warn(message)


def _whole_lines(chunk: bytes) -> list[bytes]:
    return io.BytesIO(chunk[: chunk.rfind(b"\n") + 1]).readlines()


def _end_of_line(text: bytearray, position: int) -> int:
    """Where the line ends that holds a position."""
    return text.find(b"\n", max(0, position - 1)) + 1 or len(text)


def _ends_a_line(file: BinaryIO | io.FileIO, end: int) -> bool:
    if end == 0:
        return True
    file.seek(end - 1)
    return file.read(1) == b"\n"
