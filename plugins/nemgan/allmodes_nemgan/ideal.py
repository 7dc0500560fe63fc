"""Where the learned priors settle if the inverter never errs: the two estimators of prior matching, over seeds.

    python -m allmodes_nemgan.ideal [steps]

Each step takes p from the true classes of a batch of 64, and Adam moves alpha, from equal weights on, at a rate that
falls tenfold. The mean of the weights over the last half of the steps is printed beside its standard error over seeds.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from allmodes import Noise
from allmodes_nemgan.losses import kl, log_sampled_shares
from allmodes_nemgan.prior import ModeMixture

BATCH, SEEDS, STEPS, RATE = 64, 3, 3000, 1e-2
TRUE = {
    "Fashion-5": (0.3, 0.1, 0.3, 0.2, 0.1),
    "7:3": (0.7, 0.3),
    "9:1": (0.9, 0.1),
    "99:1": (0.99, 0.01),
    "nine of 11 % and one of 1 %": (*(0.11,) * 9, 0.01),
}
ESTIMATORS = ("sampled", "analytic")


def settle(
    true: tuple[float, ...], estimator: str, steps: int, seed: int = 0, rate: float = RATE, gradient: str = "steep"
) -> Tensor:
    """The mean of pi (K,) over the last half of the steps."""
    modes, generator = len(true), torch.Generator().manual_seed(seed)
    shares = torch.tensor(true)
    prior = ModeMixture(modes, range(modes), (1.0,) * modes, learned=True, gradient=gradient)
    adam = torch.optim.Adam([prior.alpha], lr=rate, betas=(0.9, 0.999), fused=True)
    mean = torch.zeros(modes)
    for t in range(steps):
        real = torch.multinomial(shares, BATCH, replacement=True, generator=generator)
        p = torch.bincount(real, minlength=modes) / BATCH
        if estimator == "analytic":
            log_q = prior.alpha.log_softmax(0)
        else:
            log_q = log_sampled_shares(prior(Noise(generator), BATCH).part("mode"))
        (prior.alpha.grad,) = torch.autograd.grad(kl(p, log_q), [prior.alpha])
        assert prior.alpha.grad.isfinite().all()
        adam.param_groups[0]["lr"] = rate * (1 - 0.9 * t / steps)
        adam.step()
        mean += prior.weights.detach() * (2 * t >= steps) / (steps - steps // 2)
    return mean


def main(steps: int) -> None:
    """A line for each distribution and estimator."""
    torch.set_num_threads(1)
    for name, true in TRUE.items():
        for estimator in ESTIMATORS:
            found = torch.stack([settle(true, estimator, steps, seed) for seed in range(SEEDS)])
            mean, error = found.mean(0), found.std(0) / SEEDS**0.5
            entries = " ".join(f"{a:.3f}±{b:.3f}" for a, b in zip(mean.tolist(), error.tolist(), strict=True))
            print(f"{name:28} {estimator:9} {entries}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else STEPS)
