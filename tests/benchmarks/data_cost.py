"""What data cost a run: a batch in blocks against one by itself, and orders of ten million rows against their shuffle.

    python tests/benchmarks/data_cost.py [--chunks 30]

Both sides of a row run in this process, alternating in chunks, so that a change of the machine's speed hits both. Times
are of this thread's processor; prints the lower quartile over chunks, and the ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import torch

from allmodes.builtin.config.mixtures import GridConfig, MixtureConfig, RingConfig
from allmodes.data import Data, TensorData
from allmodes.data.finite import choose_few
from allmodes.data.labelled import LabelledItems, StreamLoader
from allmodes.data.orders import KeyedOrder

Pair = tuple[Callable[[], object], Callable[[], object]]
"""The same, as it was and as it is."""

BATCH = 128


def drawn(data: Data) -> Pair:
    """Endless batches: a call of `draw` for each, against the loader's blocks."""
    generator, loader = torch.Generator().manual_seed(0), data.loader(BATCH, 0)
    return lambda: data.draw(BATCH, generator), lambda: next(loader)


def gathered(data: TensorData) -> Pair:
    """Batches of finite data: a call of `take` for each, against the loader's blocks."""
    loader, number = data.loader(BATCH, 0), iter(range(10**9))
    order = torch.randperm(data.items)
    starts = data.items - BATCH

    def alone() -> object:
        first = next(number) * BATCH % starts
        return data.take(order[first : first + BATCH])

    return alone, lambda: next(loader)


def streamed(items: int, shape: tuple[int, ...]) -> Pair:
    """Draws of a stream of labelled items."""
    some = TensorData(torch.randn(items, *shape), torch.arange(items) % 10)
    chosen = LabelledItems(some.take(torch.arange(items)), 10, balanced=True)
    generator, loader = torch.Generator().manual_seed(0), StreamLoader("few", chosen, BATCH, 0)
    return lambda: chosen.draw(BATCH, generator), lambda: next(loader)


def batches(rows: int) -> Iterator[tuple[str, Pair]]:
    """What a batch of 128 costs, by data."""
    yield "ring", drawn(RingConfig().build())
    yield "grid", drawn(GridConfig().build())
    yield "ring, weighted", drawn(RingConfig(weights=range(1, 9)).build())
    yield "mixture of two stds", drawn(MixtureConfig(means=[[0, 0], [5, 5]], std=[0.1, 0.4]).build())
    yield "rows (10,000, 2) in memory", gathered(TensorData(torch.randn(10_000, 2), torch.arange(10_000) % 5))
    yield f"rows ({rows:,}, 2) in memory", gathered(TensorData(torch.randn(rows, 2)))
    images = torch.randint(256, (10_000, 1, 28, 28), dtype=torch.uint8)
    yield "images (10,000, 1, 28, 28) in memory", gathered(TensorData(images, torch.arange(10_000) % 10))
    yield "stream of 500 labelled rows", streamed(500, (2,))


def orders(rows: int) -> Iterator[tuple[str, Pair]]:
    """What a random order of many rows costs."""
    generator = torch.Generator().manual_seed(0)

    def shuffled(n: int) -> Callable[[], object]:
        return lambda: torch.randperm(rows, generator=generator)[:n]

    yield f"beginning of an epoch of {rows:,}", (shuffled(BATCH), lambda: KeyedOrder(rows, generator).part(0, BATCH))
    yield f"whole order of {rows:,}", (shuffled(rows), lambda: _whole(KeyedOrder(rows, generator)))
    yield f"2,500 held-out of {rows:,}", (shuffled(2500), lambda: choose_few(2500, rows, generator))
    yield f"500 labelled of {rows:,}", (shuffled(500), lambda: KeyedOrder(rows, generator).part(0, 500))


def _whole(order: KeyedOrder) -> None:
    for first in range(0, order.items, BATCH * 64):
        order.part(first, min(first + BATCH * 64, order.items))


def measure(pair: Pair, times: int, chunks: int) -> tuple[float, float]:
    """Seconds of a call as it was and as it is: lower quartiles over chunks that alternate."""
    spent: tuple[list[float], list[float]] = ([], [])
    for chunk in range(chunks + 1):
        for call, seconds in zip(pair, spent, strict=True):
            began = time.thread_time()
            for _ in range(times):
                call()
            if chunk:  # the first warms up
                seconds.append((time.thread_time() - began) / times)
    before, now = (statistics.quantiles(seconds, n=4)[0] for seconds in spent)
    return before, now


def main(arguments: list[str] | None = None, rows: int = 10_000_000) -> None:
    """Measure all and print a row for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--chunks", type=int, default=30)
    chunks = parser.parse_args(arguments).chunks
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, lower quartiles of {chunks} chunks")
    for name, pair, times in _all(rows):
        before, now = measure(pair, times, max(2, chunks if times > 1 else chunks // 4))
        print(f"{name:40} before {before * 1e6:9.1f} us  now {now * 1e6:9.1f} us  ratio {now / before:.3g}")


def _all(rows: int) -> Iterator[tuple[str, Pair, int]]:
    yield from ((name, pair, 640) for name, pair in batches(rows))
    yield from ((name, pair, 1) for name, pair in orders(rows))


if __name__ == "__main__":
    main()
