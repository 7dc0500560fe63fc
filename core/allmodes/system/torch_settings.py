"""Settings of torch: a run has its own, and those of the process are restored after it."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

_DEVICES = ("cpu", "cuda")
_MKLDNN: Any = torch.backends.mkldnn
_CUDNN: Any = torch.backends.cudnn
_PRODUCTS: tuple[Any, ...] = (_MKLDNN.matmul, _MKLDNN.conv, torch.backends.cuda.matmul)
"""Backends that multiply in bfloat16 or TF32 if a program asks for it; by default they do not."""
_ROUGH: tuple[Any, ...] = (_CUDNN.conv, _CUDNN.rnn)
"""Backends that multiply in TF32 by default: gradients of a convolution are then 1e-3 of their size apart."""


@contextmanager
def plain_torch() -> Iterator[None]:
    """Compute in full float32 on the CPU by default, with gradients and without autocast, within the block.

    Gradients are computed by the calling thread, for CUDA too: torch numbers what it records thread by thread, and sums
    gradients in the order of numbers, which would then depend on what the process has computed before.

    Otherwise the defaults of the process would change the results of a run (`torch.set_default_dtype`,
    `torch.set_default_device`, `torch.set_float32_matmul_precision`), and its modes would prevent training
    (`torch.no_grad`, `torch.inference_mode`, `torch.autocast`).
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.autograd.set_multithreading_enabled(False))
        for device in filter(torch.is_autocast_enabled, _DEVICES):
            stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":  # only then, since it slows every call of torch
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(_PROCESS.restored())
        torch.set_default_dtype(torch.float32)
        _multiply_in_full()
        yield


@contextmanager
def settings(threads: int | None, deterministic: bool) -> Iterator[None]:
    """Use a number of threads (None: as it is) and, if asked for, deterministic algorithms within the block."""
    before = torch.get_num_threads()  # which each thread of the process has for itself
    with _PROCESS.restored():
        torch.set_num_threads(threads or before)
        if deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else CUDA's matrix products refuse
            torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(before)


@contextmanager
def seeded_generator(seed: int | None) -> Iterator[None]:
    """Seed torch's global generator, from which initial weights are drawn, and restore it: one thread at a time.

    Everything that builds a network does so within this block, since a network that is built in another thread would
    draw from the same generator. Without a seed, draws differ from block to block: for weights that are then read from
    a file, so that a tensor that a module forgets to store is never right by accident.
    """
    with _DRAWING, torch.random.fork_rng(devices=[]):
        torch.seed() if seed is None else torch.manual_seed(seed)
        yield


@contextmanager
def no_networks_built() -> Iterator[None]:
    """Let no other thread of the process build networks within the block: their weights are torch's global draws."""
    with _DRAWING:
        yield


def read_settings() -> Iterator[tuple[str, Callable[[], Any], Callable[[Any], object]]]:
    """What code that a run calls may leave changed: its name, how it is read and how it is written.

    Settings that other threads of the process change are none of them.
    """
    yield "torch's default dtype", torch.get_default_dtype, torch.set_default_dtype
    yield "torch's number of threads", torch.get_num_threads, torch.set_num_threads
    yield "whether torch computes gradients", torch.is_grad_enabled, torch.set_grad_enabled


def _multiply_in_full() -> None:
    """Multiply in full precision, with a warning if the program asked for less, which is faster."""
    if any(products.fp32_precision in ("bf16", "tf32") for products in _PRODUCTS):
        warnings.warn(
            "torch is set to multiply float32 matrices in fewer digits here; allmodes multiplies them in full: set "
            "training.precision to bfloat16 for speed",
            stacklevel=2,
        )
    for products in (*_PRODUCTS, *_ROUGH):
        products.fp32_precision = "ieee"


@dataclass
class _Process:
    """Settings of the whole process: the first block of any thread saves them, the last one to end restores them."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    blocks: int = 0
    restore: Callable[[], None] = field(default=lambda: None)

    @contextmanager
    def restored(self) -> Iterator[None]:
        with self.lock:
            self.restore = self.restore if self.blocks else _restorer()
            self.blocks += 1
        try:
            yield
        finally:
            with self.lock:
                self.blocks -= 1
                if not self.blocks:
                    self.restore()


def _restorer() -> Callable[[], None]:
    dtype, determinism = torch.get_default_dtype(), _read_determinism()
    backends = (*_PRODUCTS, *_ROUGH)
    precisions = [products.fp32_precision for products in backends]

    def restore() -> None:
        for products, precision in zip(backends, precisions, strict=True):
            products.fp32_precision = precision
        torch.set_default_dtype(dtype)
        if _read_determinism() != determinism:  # since setting it loads torch's compiler, which takes two seconds
            torch.use_deterministic_algorithms(determinism[0], warn_only=determinism[1])

    return restore


def _read_determinism() -> tuple[bool, bool]:
    """Whether algorithms are deterministic, and whether others are merely warned of."""
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


_PROCESS = _Process()
_DRAWING = threading.RLock()  # a prior that is fitted with a classifier builds one network within another's block
