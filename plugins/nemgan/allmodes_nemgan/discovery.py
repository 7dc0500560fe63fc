"""The meaning of modes and noise after training: attributes that change, and the relation of modes to labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes import Evaluation, Metric, contingency, draw_matrix, draw_rows, eval_mode, seeded

BASES, DELTA = 8, 0.05
LEAST = 1e-6
"""Probability that stands for 0 in a KL, which stays finite."""


class PriorError(Metric):
    """The modes' probabilities beside the classes' true shares.

    A mode is matched to a class one to one (Hungarian method) by the inverter's output for held-out items; what has no
    match is compared with 0.

    - `prior_error`: the largest difference of a probability and a share;
    - `prior_kl`: KL of the shares from the probabilities, in nats; a probability of 0 counts as 1e-6.
    """

    def __init__(self, auxiliary: str = "inverter") -> None:
        self.auxiliary = auxiliary

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        weights = weights_of(evaluation.modules["prior"])
        true, learned = match(relation(evaluation, self.auxiliary), shares_of(evaluation), weights)
        kl = torch.xlogy(true, true / learned.clamp(min=LEAST)).sum()
        return {"prior_error": float((true - learned).abs().max()), "prior_kl": float(kl)}

    @override
    def floor(self, evaluation: Evaluation) -> dict[str, float]:
        # Real data have no prior.
        return {}

    @override
    def figure(self, evaluation: Evaluation) -> Any:
        # Modes (rows) by labels (columns), as shares of the held-out items of each mode.
        items = relation(evaluation, self.auxiliary).double()
        names = evaluation.data.class_names or tuple(map(str, range(items.shape[1])))
        learned = weights_of(evaluation.modules["prior"])
        rows = [f"mode {k}: {float(weight):.3f}" for k, weight in enumerate(learned)]
        return draw_matrix(items / items.sum(1, keepdim=True).clamp(min=1), rows, names)


class Attributes(Metric):
    """A figure alone: `attributes` of the trained model, a row for each mode and direction."""

    def __init__(self, directions: int = 2, steps: int = 7) -> None:
        self.directions, self.steps = directions, steps

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return {}

    @override
    def figure(self, evaluation: Evaluation) -> Any:
        return draw_rows(attributes(evaluation.modules, self.directions, self.steps).flatten(0, 1), evaluation.data)


@torch.no_grad()
def attributes(modules: Mapping[str, nn.Module], directions: int = 2, steps: int = 7, seed: int = 0) -> Tensor:
    """Generate items along the directions of z that change them most, from the middle of each mode.

    Args:
        modules: `prior` and `generator`, such as `load_run(...).modules`.
        directions: How many.
        steps: Items along each, from -1.7 to 1.7 standard deviations of z within the mode.
        seed: Of the draws that the directions are found at.

    Returns:
        Items (modes, directions, steps, *shape).
    """
    prior, generator = modules["prior"], modules["generator"]
    device = next(generator.parameters()).device
    with eval_mode(prior, generator):
        found = []
        for mode in range(prior.sizes["mode"]):  # type: ignore[index]
            z = prior(seeded(seed, device), 256, {"mode": mode}).z  # (256, dim)
            along = find_directions(generator, z[:BASES], directions)  # (directions, dim)
            reach = 1.7 * ((z - z.mean(0)) @ along.T).std(0)  # (directions,)
            t = torch.linspace(-1, 1, steps, device=device)[:, None]
            path = z.mean(0) + (reach[:, None] * along)[:, None] * t  # (directions, steps, dim)
            items = generator(path.flatten(0, 1))
            found.append(items.reshape(len(along), steps, *items.shape[1:]).cpu())
    return torch.stack(found)


def find_directions(generator: nn.Module, z: Tensor, directions: int) -> Tensor:
    """Unit directions (directions, dim) along which G changes most at z (m, dim): eigenvectors of the summed J'J."""
    moved = z[:, None] + DELTA * torch.eye(z.shape[1], device=z.device)  # (m, dim, dim)
    change = generator(moved.flatten(0, 1)).reshape(*moved.shape[:2], -1) - generator(z).flatten(1)[:, None]
    gram = torch.einsum("mip,mjp->ij", change, change).double()
    vectors: Tensor = torch.linalg.eigh(gram).eigenvectors  # (dim, dim), the strongest last
    return vectors[:, -directions:].flip(1).T.to(z.dtype)


@torch.no_grad()
def relation(evaluation: Evaluation, auxiliary: str = "inverter") -> Tensor:
    """How modes relate to known labels: held-out items (modes, classes) by largest y_hat and by label.

    Raises ValueError where held-out items have no labels.
    """
    if evaluation.real.labels is None or evaluation.encode is None:
        raise ValueError("metric nemgan.prior_error: needs held-out items with labels, and a model's inverter")
    y = evaluation.estimate(auxiliary, evaluation.real.x, "logits").cpu()
    return contingency(y.argmax(1), evaluation.real.labels, y.shape[1], evaluation.data.classes or 0)


def shares_of(evaluation: Evaluation) -> Tensor:
    """True shares of the classes (C,): of the mixture, of all training items, or of the held-out ones."""
    data = evaluation.data
    if data.truth is not None:
        return data.truth.weights.cpu().double()
    labels: Tensor | None = getattr(data, "labels", None)
    labels = evaluation.real.labels if labels is None else labels
    assert labels is not None
    counts = torch.bincount(labels.cpu(), minlength=data.classes or 0).double()
    return counts / counts.sum()


@torch.no_grad()
def weights_of(prior: nn.Module) -> Tensor:
    """Probabilities of the modes (K,): the prior's own, or shares in many draws."""
    if isinstance(weights := getattr(prior, "weights", None), Tensor):
        return weights.cpu().double()
    device = next(prior.buffers()).device
    with eval_mode(prior):
        return prior(seeded(0, device), 20_000).part("mode").mean(0).cpu().double()  # type: ignore[no-any-return]


def match(items: Tensor, shares: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Pair shares (C,) and weights (K,) by items (K, C) in common; those left over are paired with 0, at the end."""
    from scipy.optimize import linear_sum_assignment

    modes, classes = map(torch.from_numpy, linear_sum_assignment(items.numpy(), maximize=True))
    alone, spare = _leave_out(shares, classes), _leave_out(weights, modes)
    true = torch.cat([shares[classes], alone, torch.zeros_like(spare)])
    return true, torch.cat([weights[modes], torch.zeros_like(alone), spare])


def _leave_out(values: Tensor, positions: Tensor) -> Tensor:
    return values[torch.isin(torch.arange(len(values)), positions, invert=True)]
