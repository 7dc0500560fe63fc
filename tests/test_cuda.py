"""The same on a CUDA device: skipped where there is none."""

from pathlib import Path
from typing import Any

import pytest
import torch

from allmodes import Experiment, load_run
from tiny import SPEC

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")


def test_a_run_on_cuda_trains_measures_and_saves_a_model_that_samples_on_the_cpu(tmp_path: Path) -> None:
    spec = {**SPEC, "training": {**SPEC["training"], "device": "cuda", "ema": {"decay": 0.5}}}
    results = Experiment.from_spec(spec, folder=tmp_path, track=False).run()
    assert results.status == "finished"
    assert load_run(results.folder).sample(5).device.type == "cpu"


def test_the_same_noise_gives_the_same_update_on_cuda_as_on_the_cpu() -> None:
    from allmodes.data.batch import Batch
    from allmodes.engine.eager import EagerEngine
    from allmodes.game.noise import Noise
    from allmodes.game.step import Draw
    from test_contracts import veegan_relativistic

    updated = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        composition = veegan_relativistic()
        for module in composition.modules.values():
            module.to(device)
        generator = torch.Generator().manual_seed(0)
        names = {"latent/code": (8, 3), "latent/nuisance": (8, 1), "reconstructor/real/code": (8, 3)}
        noise = {name: torch.randn(shape, generator=generator).to(device) for name, shape in names.items()}
        x = torch.randn(8, 2, generator=generator).to(device)
        EagerEngine(composition).update(composition.schedule[0], Draw(Batch(x), Noise(None, noise)))
        updated.append([p.detach().cpu() for p in composition.modules["generator"].parameters()])
    for on_cpu, on_cuda in zip(*updated, strict=True):
        torch.testing.assert_close(on_cpu, on_cuda, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("memory", ["resident", "stream"])
def test_batches_on_cuda_are_those_on_the_cpu(memory: Any) -> None:
    from allmodes import from_dataset

    images = list(torch.randint(256, (40, 3, 8, 8), dtype=torch.uint8))
    data = from_dataset(images, memory=memory, workers=1)
    here, there = data.loader(8, seed=0), data.to("cuda").loader(8, seed=0)
    for _ in range(10):
        on_cpu, on_cuda = next(here), next(there)
        assert on_cuda.x.device.type == "cuda"
        assert torch.equal(on_cpu.index, on_cuda.index.cpu())
        torch.testing.assert_close(on_cpu.x, on_cuda.x.cpu(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("items", [None, 200_000])
def test_a_loader_on_cuda_goes_on_within_its_block(items: int | None) -> None:
    from allmodes.builtin.config.mixtures import RingConfig

    data = RingConfig(items=items).build().to("cuda")
    unbroken, resumed = data.loader(64, seed=0), data.loader(64, seed=0)
    for _ in range(5):
        next(unbroken)
    resumed.load_state_dict(unbroken.state_dict())
    for _ in range(70):
        batch = next(unbroken)
        assert batch.x.device.type == "cuda"
        assert torch.equal(batch.x, next(resumed).x)
