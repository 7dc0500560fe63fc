"""Functions in several processes that meet as torchrun's do: forked, since loading torch anew takes longer than all."""

import multiprocessing
import os
import socket
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch

PATIENCE = 300


def in_ranks(*functions: Callable[[], Any]) -> list[Any]:
    """What each of the functions returns, the first as rank 0; None of one that is killed."""
    context, port = multiprocessing.get_context("fork"), _free_port()
    pipes = [context.Pipe(duplex=False) for _ in functions]
    jobs = [
        context.Process(target=_run, args=(function, sender, number, len(functions), port))
        for number, (function, (_, sender)) in enumerate(zip(functions, pipes, strict=True))
    ]
    for job in jobs:
        job.start()
    try:
        return [_receive(receiver, job) for (receiver, _), job in zip(pipes, jobs, strict=True)]
    finally:
        for job in jobs:
            job.join(5)
            job.kill()


def _receive(receiver: Connection, job: Any) -> Any:
    """What a process returned; None where it was killed."""
    end = time.monotonic() + PATIENCE
    while not receiver.poll(0.1):
        assert time.monotonic() < end, "a process does not end"
        if not job.is_alive() and not receiver.poll(0):
            return None
    is_done, found = receiver.recv()
    assert is_done, found
    return found


def _run(function: Callable[[], Any], sender: Connection, number: int, processes: int, port: int) -> None:
    names = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": processes, "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in names.items()} | {"MASTER_ADDR": "127.0.0.1"}
    torch.set_num_threads(1)  # a forked process has none of the threads that OpenMP waits for
    try:
        sender.send((True, function()))
    except BaseException:
        sender.send((False, traceback.format_exc()))


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
