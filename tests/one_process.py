"""Studies in the process of a test that is not about processes: to start one takes longer than to train a tiny run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from allmodes.studies import reports, worker
from allmodes.studies.pool import POLL, Message, Pool, Tasks
from allmodes.system.torch_settings import plain_torch


@contextmanager
def in_one_process() -> Iterator[None]:
    """Train here within the block what workers would train, one task after another; their logs stay empty."""
    with patch.object(Pool, "run", _run), patch.object(reports, "_redirect_output", Path.touch):
        yield


def _run(pool: Pool, tasks: Tasks) -> Iterator[Message]:
    """Messages of each task after it has ended."""
    while not (pool.stop.asked or tasks.are_over):
        if (task := tasks.take()) is None:
            time.sleep(POLL)
            continue
        sent: list[Message] = []
        with plain_torch():
            worker.train_task(task, lambda sent=sent, **message: sent.append(message), pool.stop)
        yield from sent
