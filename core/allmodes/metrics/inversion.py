"""Inference via optimisation: the generator's error at held-out items, with the best latent for each."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes.game.noise import Noise
from allmodes.game.sampling import eval_mode
from allmodes.metrics.base import Evaluation, Metric

FAR = 1e6
"""Error of an item that the generator gives as numbers that are not finite: the search turns back there."""


class Ivom(Metric):
    """Inference via optimisation (IvOM, Srivastava et al., 2017): error of the best latent for held-out items.

    For each of `images` held-out items x, ||x - G(z)||^2 is minimised over z by L-BFGS with a strong-Wolfe line search,
    all items at once, from `restarts` draws of the prior with at most `iterations` iterations each; the best of
    them counts. `ivom` is the mean over items of the mean squared error of a pixel on the [0, 1] scale (where items are
    not images, of a coordinate in the data's unit). The budget is part of the definition: a larger one scores lower.

    z moves freely, so that it may leave the prior's support, and one-hot parts become continuous. Only z is changed.
    There is no floor: real data have no generator. NaN where the generator gives no finite items.
    """

    def __init__(self, images: int = 64, restarts: int = 3, iterations: int = 100) -> None:
        self.images, self.restarts, self.iterations = images, restarts, iterations

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if "generator" not in evaluation.modules:
            raise ValueError("metric ivom: the evaluation has no generator")
        prior, generator = evaluation.modules["prior"], evaluation.modules["generator"]
        device = evaluation.data.device
        x = evaluation.real.x[: self.images].to(device)
        with eval_mode(prior, generator):
            errors = [self._errors(x, self._start(prior, evaluation, len(x)), generator) for _ in range(self.restarts)]
        best = torch.stack(errors).amin(0).double().mean()
        return {"ivom": float(best) if best.isfinite() else math.nan}

    @override
    def floor(self, evaluation: Evaluation) -> dict[str, float]:
        return {}

    def _start(self, prior: nn.Module, evaluation: Evaluation, n: int) -> Tensor:
        seed = int(torch.randint(2**62, (), generator=evaluation.generator))
        noise = Noise(torch.Generator(evaluation.data.device).manual_seed(seed))
        with torch.no_grad():
            start: Tensor = prior(noise, n).z
        return start.clone()

    def _errors(self, x: Tensor, z: Tensor, generator: nn.Module) -> Tensor:
        """Search from latents z (N, dim); return the error (N,) of each item at the end."""
        z.requires_grad_()
        search = torch.optim.LBFGS([z], max_iter=self.iterations, line_search_fn="strong_wolfe")

        def loss() -> float:
            with torch.enable_grad():
                error = (x - generator(z)).square().flatten(1).sum(1).nan_to_num(FAR, FAR).sum()
            (gradient,) = torch.autograd.grad(error, z)
            z.grad = gradient.nan_to_num(0, 0, 0)
            return float(error.detach())

        search.step(loss)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            return _squared_error(x, generator(z)).nan_to_num(math.inf)


def _squared_error(x: Tensor, y: Tensor) -> Tensor:
    """Compute the mean squared error (N,) of each item; images in [-1, 1] count on [0, 1]."""
    scale = 4 if x.dim() == 4 else 1
    return (x - y).square().flatten(1).mean(1) / scale
