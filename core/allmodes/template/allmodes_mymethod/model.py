r"""mymethod: words in the latent that can be read in what is generated.

With K words, noise n of size d and unit vectors :math:`e_1, \dots, e_K`,

.. math::
    z &= (n, e_k), \quad n \sim N(0, I_d), \quad k \sim U\{1, \dots, K\} && \text{(1)} \\
    q(k|x) &= \text{softmax}(R((x - \mu) / \sigma))_k                     && \text{(2)} \\
    L(G, R) &= -E_z \log q(k | G(z))                                    && \text{(3)}

where G is the generator and R the reader, two players that both minimise L, G beside its game; :math:`\mu` is the mean
of the data, and :math:`\sigma` their standard deviation. As a cross entropy is no less than the entropy,
:math:`L \ge H(k | G(z))`, so :math:`I(k; G(z)) \ge \log K - L`: a generator that ignores the word has L of
:math:`\log K` or more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from typing_extensions import override

from allmodes import (
    NOTHING,
    Auxiliary,
    Evaluation,
    Fitting,
    Given,
    Latent,
    Loss,
    LossTerm,
    Metric,
    Network,
    Noise,
    Prior,
    Shape,
    Step,
    training_items,
)


class Words(Prior):
    """Equation (1). Parts: `code` is z itself (n, d + K), `mode` the word as a unit vector (n, K)."""

    def __init__(self, noise: int, words: int) -> None:
        super().__init__()
        self.noise, self.words = noise, words
        self.dim = noise + words
        self.sizes = {"code": self.dim, "mode": words}

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        # given["mode"] is the number of a word from 0, or one for each draw (n,)
        normal = noise.normal("noise", n, self.noise)
        number = (noise.uniform("word", n) * self.words).floor()
        if "mode" in given:
            number = torch.as_tensor(given["mode"], device=number.device).expand(n)
        numbers = torch.arange(self.words, device=number.device)
        word = (number[:, None] == numbers).to(normal.dtype)  # torch's one_hot does not run under vmap
        z = torch.cat((normal, word), 1)
        return Latent(z, {"code": z, "mode": word})


class Layer(Network):
    """One hidden layer: the body of R unless a spec chooses another. Items (B, *sees) to (B, *gives)."""

    def __init__(self, sees: Shape, gives: Shape, hidden: int) -> None:
        super().__init__()
        self.feature_dim = hidden
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(sees), hidden), nn.SiLU())
        self.head = nn.Sequential(nn.Linear(hidden, math.prod(gives)), nn.Unflatten(1, gives))


class Reader(Auxiliary):
    """R of equation (2): data (B, *shape) to scores (B, K)."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network, shape: Shape) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(()))

    @override
    def fit(self, fitting: Fitting) -> None:
        super().fit(fitting)  # what is within the network
        x = training_items(fitting.data, 4096, fitting.noise.generator).x
        self.mean.copy_(x.mean(0))
        self.std.copy_(x.std())

    @override
    def forward(self, seen: Tensor) -> Tensor:
        scores: Tensor = self.network((seen - self.mean) / self.std)
        return scores  # log q(k|x) up to a constant


class Reading(LossTerm):
    """L of equation (3)."""

    def __init__(self, auxiliary: str = "reader") -> None:
        super().__init__()
        self.auxiliary = auxiliary

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.reading, "reader": self.reading}

    def reading(self, step: Step) -> Tensor:
        """A mean over the batch."""
        scores: Tensor = step.estimate(self.auxiliary, "fake", "logits")  # (B, K)
        return cross_entropy(scores, step.latent.part("mode").detach())  # a target, under a learned prior too


class Understood(Metric):
    """Share of draws whose word is the one that R reads."""

    def __init__(self, auxiliary: str = "reader") -> None:
        self.auxiliary = auxiliary

    @override
    def compute(self, evaluation: Evaluation) -> Mapping[str, float]:
        words = evaluation.modules["prior"].sizes["mode"]
        given = torch.randint(words, (len(evaluation.samples),), generator=evaluation.generator)
        read = evaluation.estimate(self.auxiliary, evaluation.sample(len(given), {"mode": given}), "logits").argmax(1)
        return {"understood": float((read.cpu() == given).float().mean())}

    @override
    def floor(self, evaluation: Evaluation) -> Mapping[str, float]:
        return {}  # real items have no words
