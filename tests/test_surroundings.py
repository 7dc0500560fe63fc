"""What the process has set in torch, and other threads of it, do not change a run."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from allmodes import Experiment, load_run
from allmodes.game.noise import seeded_weights
from allmodes.system.torch_settings import plain_torch, seeded_generator, settings

SPEC: dict[str, Any] = {
    "name": "surrounded",
    "data": {"kind": "ring"},
    "prior": {"kind": "gaussian", "dim": 3},
    "generator": {"kind": "mlp", "hidden": [8]},
    "discriminator": {"kind": "mlp", "hidden": [8]},
    "losses": [{"kind": "non_saturating"}, {"kind": "r1", "gamma": 0.1}],
    "training": {"iterations": 3, "batch_size": 8, "threads": 1, "device": "cpu"},
    "evaluation": {"every": 3, "samples": 30, "metrics": ["modes"], "figure": False},
    "seeds": [0],
}


def trained(folder: Path, **options: Any) -> Tensor:
    """Samples of a run that is trained, stored and read back."""
    values = (
        SPEC if "data" not in options else SPEC | {"evaluation": {**SPEC["evaluation"], "metrics": ["wasserstein"]}}
    )
    results = Experiment.from_spec(values, folder=folder, track=False, **options).run()
    return load_run(results.folder).sample(50)


@contextmanager
def default_dtype() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        assert torch.get_default_dtype() == torch.float64, "the caller's default is given back"
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device() -> Iterator[None]:
    torch.set_default_device("meta")
    try:
        yield
    finally:
        assert torch.get_default_device().type == "meta", "the caller's default is given back"
        torch.set_default_device(None)


@contextmanager
def matmul_precision() -> Iterator[None]:
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        assert torch.get_float32_matmul_precision() == "medium", "the caller's precision is given back"
        torch.set_float32_matmul_precision("highest")


AROUND: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "default dtype": default_dtype,
    "default device": default_device,
    "matmul precision": matmul_precision,
    "device block": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}


@pytest.mark.parametrize("around", AROUND)
def test_what_is_set_in_torch_around_a_run_does_not_change_it(around: str, tmp_path: Path) -> None:
    alone = trained(tmp_path / "alone")
    with AROUND[around]():
        surrounded = trained(tmp_path / "surrounded")
    assert torch.equal(surrounded, alone)


@pytest.mark.parametrize("around", ["autocast", "no_grad", "inference_mode"])
def test_data_that_were_made_in_a_mode_can_be_trained_on(around: str, tmp_path: Path) -> None:
    alone = trained(tmp_path / "alone", data=torch.linspace(-1, 1, 80).reshape(40, 2) * 3)
    with AROUND[around]():
        surrounded = trained(tmp_path / "surrounded", data=torch.linspace(-1, 1, 80).reshape(40, 2) * 3)
    assert torch.equal(surrounded, alone)


def test_blocks_of_several_threads_leave_the_process_as_the_first_found_it() -> None:
    inside, left = threading.Event(), threading.Event()

    def longer() -> None:
        with settings(threads=1, deterministic=True), plain_torch():
            inside.set()
            left.wait()

    thread = threading.Thread(target=longer)
    with default_dtype():
        with plain_torch():
            thread.start()
            inside.wait()
        assert torch.get_default_dtype() == torch.float32, "the other thread still needs it"
        left.set()
        thread.join()
        assert torch.get_default_dtype() == torch.float64
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("word", ["high", "medium"])
@pytest.mark.filterwarnings("ignore:torch is set to multiply")
def test_products_are_computed_in_full_whatever_precision_is_set_around_a_run(word: str) -> None:
    def precisions() -> list[str]:
        mkldnn: Any = torch.backends.mkldnn
        cudnn: Any = torch.backends.cudnn
        backends = (mkldnn.matmul, torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn)
        return [backend.fp32_precision for backend in backends]

    x = torch.randn(512, 512, generator=torch.Generator().manual_seed(0))
    exact = x @ x
    torch.set_float32_matmul_precision(word)
    try:
        before = precisions()
        with plain_torch():
            assert torch.equal(x @ x, exact)
            assert precisions() == ["ieee"] * 4
        assert precisions() == before, "the caller's precision is given back"
        assert torch.get_float32_matmul_precision() == word
    finally:
        torch.set_float32_matmul_precision("highest")


def test_the_thread_of_a_run_computes_its_gradients_so_that_they_are_summed_in_one_order() -> None:
    assert torch._C._is_multithreading_enabled()
    with plain_torch():
        assert not torch._C._is_multithreading_enabled()
    assert torch._C._is_multithreading_enabled()


@plain_torch()
def nothing_in_a_plain_block() -> None:
    pass


def test_lower_matrix_precision_warns_that_runs_use_all_digits() -> None:
    torch.set_float32_matmul_precision("high")
    try:
        with pytest.warns(UserWarning, match="fewer digits") as said:
            nothing_in_a_plain_block()
    finally:
        torch.set_float32_matmul_precision("highest")
    assert str(said[0].message) == (
        "torch is set to multiply float32 matrices in fewer digits here; allmodes multiplies them in full: set "
        "training.precision to bfloat16 for speed"
    )


def test_threads_are_those_of_the_spec_within_a_run_and_as_before_after_it() -> None:
    before = torch.get_num_threads()
    with settings(threads=before + 1, deterministic=False):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_networks_of_one_seed_are_equal_however_many_threads_build_some() -> None:
    def build(_: int) -> Tensor:
        with seeded_weights(0):
            return torch.cat(
                [p.detach().flatten() for p in nn.Sequential(*[nn.Linear(40, 40) for _ in range(30)]).parameters()]
            )

    with ThreadPoolExecutor(8) as pool:
        built = list(pool.map(build, range(64)))
    assert all(torch.equal(one, built[0]) for one in built)


@pytest.mark.filterwarnings("error:.*global generator")  # which is that of the other threads' networks
def test_experiments_in_threads_equal_the_same_seed_alone(tmp_path: Path) -> None:
    alone = trained(tmp_path / "alone")
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: trained(tmp_path / str(i)), range(4)))
    assert all(torch.equal(one, alone) for one in together)


def test_the_callers_generator_is_left_as_it_was() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with seeded_generator(5):
        torch.rand(7)
    assert torch.equal(torch.rand(2), expected)
