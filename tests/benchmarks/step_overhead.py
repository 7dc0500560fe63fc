"""What the framework costs: a tracked VEEGAN step against a bare hand-written PyTorch loop of the same mathematics.

    python tests/benchmarks/step_overhead.py [--chunks 30]

Both train in this process, alternating in chunks, so that a change of the machine's speed hits both; tracking is on at
its default cadence (a temporary SQLite store), and so are checkpoints. Evaluation is not part of a step. Prints the
ratio of the medians.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import softplus

from allmodes import Experiment
from allmodes.engine.choice import Choice
from allmodes.experiments.lockstep import Lockstep
from allmodes.experiments.seed_run import SeedRun
from allmodes.specs import loading
from allmodes.system.signals import Stop
from allmodes.tracking import MlflowObserver

SIZES = {"veegan/grid": (254, 128, 500, 50), "toy, 32 wide, batch 64": (16, 32, 64, 300)}


def bare(k: int, h: int, batch: int) -> Callable[[], None]:
    """VEEGAN on the grid as one writes it by hand: fused Adam, gradients by autograd.grad."""
    means = torch.cartesian_prod(torch.arange(-4.0, 5, 2), torch.arange(-4.0, 5, 2))
    g = nn.Sequential(nn.Linear(k + 1, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 2))
    f = nn.Sequential(nn.Linear(2, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, k))
    d = nn.Sequential(nn.Linear(2 + k, h), nn.ReLU(), nn.Linear(h, 1))
    gf, omega = [*g.parameters(), *f.parameters()], list(d.parameters())
    adams = [torch.optim.Adam(p, 1e-3, betas=(0.5, 0.999), fused=True) for p in (omega, gf)]

    def step() -> None:
        x = means[torch.randint(25, (batch,))] + 0.05 * torch.randn(batch, 2)
        z, eps = torch.randn(batch, k), torch.randn(batch, 1)
        x_g = g(torch.cat([z, eps], 1))
        z_g = (f(x) + torch.randn(batch, k)).detach()
        fake, real = d(torch.cat([x_g, z], 1)), d(torch.cat([x, z_g], 1))
        loss_d = softplus(-fake).mean() + softplus(real).mean()
        loss_g = fake.mean() + 0.5 * (z - f(x_g)).square().sum(1).mean()
        gradients = torch.autograd.grad(loss_d, omega, retain_graph=True) + torch.autograd.grad(loss_g, gf)
        for parameter, gradient in zip(omega + gf, gradients, strict=True):
            parameter.grad = gradient
        for adam in adams:
            adam.step()

    return step


def tracked(k: int, h: int, batch: int, folder: Path) -> Lockstep:
    """The same through a spec, logged to MLflow."""
    overrides = [
        f"prior.dim={k}", f"training.batch_size={batch}", f"generator.hidden=[{h},{h}]", f"discriminator.hidden=[{h}]",
        f"auxiliaries.reconstructor.network.hidden=[{h},{h}]", "training.iterations=100000000",
        "evaluation.every=100000000", "training.device=cpu",
    ]  # fmt: skip
    experiment = Experiment.from_recipe("veegan/grid", overrides, folder=folder, track=False)
    experiment.registry.observe(MlflowObserver(f"sqlite:///{folder}/mlflow.db"), f"mlflow {k}")
    run = experiment.run_of(0, folder / f"benchmark-{k}")
    run.folder.mkdir(parents=True)
    (run.folder / "spec.yaml").write_text(loading.dump(run.spec))
    seed_run = SeedRun(run, experiment.data, {}, experiment.registry, print)
    seed_run.begin()
    return Lockstep([seed_run], Choice("eager", "it is measured"), Stop())


def measure(k: int, h: int, batch: int, iterations: int, chunks: int, folder: Path) -> tuple[float, float]:
    """Seconds per step, ours and bare: medians over chunks that alternate."""
    ours, step = tracked(k, h, batch, folder), bare(k, h, batch)
    times: tuple[list[float], list[float]] = ([], [])
    for chunk in range(chunks + 2):
        began = time.perf_counter()
        ours.advance((chunk + 1) * iterations)
        between = time.perf_counter()
        for _ in range(iterations):
            step()
        ended = time.perf_counter()
        if chunk > 1:  # the first two warm up
            times[0].append((between - began) / iterations)
            times[1].append((ended - between) / iterations)
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    """Measure both sizes and print a row for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--chunks", type=int, default=30)
    chunks = parser.parse_args().chunks
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s), medians of {chunks} chunks")
    with tempfile.TemporaryDirectory() as folder:
        for name, (k, h, batch, iterations) in SIZES.items():
            ours, theirs = measure(k, h, batch, iterations, chunks, Path(folder))
            print(f"{name:24} ours {ours * 1e6:7.0f} us  bare {theirs * 1e6:7.0f} us  ratio {ours / theirs:.3f}")


if __name__ == "__main__":
    main()
