"""The processes that train one run together: what they agree on, average and hand to each other.

Each exchange begins with an **agreement**: three numbers of each process, of which all get the largest. A process that
fails says so in its next one, whatever the others want in theirs; so all end, with its words. Agreements go through the
host's memory (gloo), and so wait for no card. A process that dies breaks its connections, which the others notice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from enum import IntEnum
from io import BytesIO
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from allmodes.registry.faults import describe
from allmodes.runs.run import Status
from allmodes.system.ranks import Rank, patience
from allmodes.text import redact

T = TypeVar("T")

LETTERS = 2000
"""Bytes of an error's words."""


class PeerError(RuntimeError):
    """Another process of the run failed, ended, or does not do the same."""


class Command(IntEnum):
    """What rank 0 has all do; the others say `NOTHING`."""

    NOTHING = 0
    ITERATE = 1
    SAVE = 2
    TAKE = 3
    FINISHED = 4
    KILLED = 5
    FAILED = 6


class Word(NamedTuple):
    """What a process says in an agreement.

    Attributes:
        failed: Whether it cannot go on.
        command: What all are to do.
        signal: That of a stop, plus one; 0 where nobody asked for one.
    """

    failed: int = 0
    command: int = Command.NOTHING
    signal: int = 0


SILENCE = Word()


class Peers:
    """This process among those of its run, from `open` on.

    Attributes:
        rank: Which one it is.
        is_lost: Whether one of them cannot be reached any more: nothing can be exchanged.
        failure: Why they end, once one has said that it failed.
        ended: How the run has ended, for rank 0 to tell.
    """

    def __init__(self, rank: Rank) -> None:
        self.rank, self.is_lost, self.failure = rank, False, ""
        self.ended: Status = "failed"

    def open(self, device: str) -> None:
        """Meet the others. Raises PeerError where they do not come, or torch.distributed is in use."""
        if dist.is_initialized():
            raise PeerError("torch.distributed is in use in this process: allmodes begins it itself")
        is_cuda = torch.device(device).type == "cuda"
        if is_cuda:
            torch.cuda.set_device(torch.device(device))
        backend, wait = "cpu:gloo,cuda:nccl" if is_cuda else "gloo", timedelta(seconds=patience())
        self._attempt(lambda: dist.init_process_group(backend, timeout=wait))

    def close(self) -> None:
        """Leave the others."""
        if dist.is_initialized() and not self.is_lost:
            dist.destroy_process_group()

    def agree(self, word: Word = SILENCE) -> Word:
        """Say a word and get what all say. Raises PeerError where one has failed, or cannot be reached."""
        if self.failure:
            raise PeerError(self.failure)
        heard = self._exchange(word)
        if heard.failed:
            self._hear_failure("")
        return heard

    def fail(self, error: BaseException) -> None:
        """Tell the others, in their next agreement, that this process cannot go on.

        After an interrupt nothing is exchanged: it may have come in the middle of an exchange.
        """
        if not isinstance(error, Exception):
            self.is_lost = True
        if self.failure or self.is_lost:
            return
        with suppress(PeerError):
            self._exchange(Word(failed=1))
            self._hear_failure(redact.text(describe(error)))

    def end(self, command: Command) -> Command:
        """Say (rank 0) or hear how the run has ended, also after a failure; all else is done by then."""
        if self.is_lost:
            return Command.FAILED
        with suppress(PeerError):
            return Command(self._exchange(Word(command=command)).command)
        return Command.FAILED

    def hand_out(self, state: Any) -> Any:
        """Give all the plain state that rank 0 has, on the CPU."""
        data = _pack(state) if self.rank.leads else torch.empty(0, dtype=torch.uint8)
        size = torch.tensor([len(data)])
        self._attempt(lambda: dist.broadcast(size, 0))
        data = data if self.rank.leads else torch.empty(int(size), dtype=torch.uint8)
        self._attempt(lambda: dist.broadcast(data, 0))
        return state if self.rank.leads else _unpack(data)

    def gather(self, state: Any) -> list[Any]:
        """The plain states of all processes, on the CPU, by their ranks."""
        return [_unpack(data) for data in self._gather(_pack(state))]

    def check_same(self, digests: Mapping[str, str], remedy: str) -> None:
        """Raise PeerError, in all processes, where what a name stands for is not the same in all of them."""
        found = self.gather(dict(digests))
        for name, own in found[0].items():
            others = [number for number, other in enumerate(found) if other[name] != own]
            if others:
                self.failure = f"rank {others[0]} has not the same {name} as rank 0: {remedy}"
                raise PeerError(self.failure)

    def mean(self, tensors: list[Tensor]) -> list[Tensor]:
        """The means of tensors over all processes, by one reduction."""
        flat = torch.cat([tensor.flatten() for tensor in tensors]) if tensors else torch.empty(0)
        if tensors:
            self._attempt(lambda: dist.all_reduce(flat))
        parts = torch.split(flat.div_(self.rank.processes), [tensor.numel() for tensor in tensors])
        return [part.view(t.shape).to(t.dtype) for part, t in zip(parts, tensors, strict=True)]

    def _exchange(self, word: Word) -> Word:
        said = torch.tensor(list(map(int, word)))
        self._attempt(lambda: dist.all_reduce(said, dist.ReduceOp.MAX))
        return Word(*said.tolist())

    def _hear_failure(self, words: str) -> None:
        """Exchange the words of those that failed, and raise them."""
        found = self._gather(torch.tensor(list(words.encode()[:LETTERS]), dtype=torch.uint8))
        said = {number: bytes(data.tolist()).decode(errors="ignore") for number, data in enumerate(found) if len(data)}
        self.failure = "; ".join(f"rank {number} failed: {text}" for number, text in said.items())
        raise PeerError(self.failure)

    def _gather(self, data: Tensor) -> list[Tensor]:
        """Bytes (n,) of all processes."""
        number = self.rank.processes
        sizes = [torch.zeros(1, dtype=torch.long) for _ in range(number)]
        self._attempt(lambda: dist.all_gather(sizes, torch.tensor([len(data)])))
        longest = max(map(int, sizes))
        padded, rooms = data.new_zeros(longest), list(data.new_zeros(number, longest).unbind())
        padded[: len(data)] = data
        if longest:
            self._attempt(lambda: dist.all_gather(rooms, padded))
        return [room[: int(size)] for room, size in zip(rooms, sizes, strict=True)]

    def _attempt(self, action: Callable[[], T]) -> T:
        """Do what needs all processes; raises PeerError where one cannot be reached."""
        if self.is_lost:
            raise PeerError("this process has left the others of its run")
        try:
            return action()
        except RuntimeError as error:
            self.is_lost = True
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            lost = "another process of this run has ended, or cannot be reached"
            raise PeerError(f"{lost} ({reason}): what was saved stays: go on with `allmodes resume`") from None


def _pack(state: Any) -> Tensor:
    buffer = BytesIO()
    torch.save(state, buffer)
    return torch.frombuffer(bytearray(buffer.getbuffer()), dtype=torch.uint8)


def _unpack(data: Tensor) -> Any:
    return torch.load(BytesIO(data.numpy().tobytes()), map_location="cpu", weights_only=True)
