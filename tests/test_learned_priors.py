"""Terms that compare something with the latent hold it fixed: a learned prior is moved through G(z) alone."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from allmodes import NOTHING, Given, Latent, LossTermConfig, Noise, Prior, installed
from allmodes.testing import Composition, compose, load_spec, make_step
from shipped import short_fits

TERMS = {
    "veegan.code_reconstruction": "veegan/relativistic-grid",
    "nemgan.latent_inversion": "nemgan/ring-imbalanced",
    "bourgan.distance": "baselines/msgan-ring",
    "bourgan.pairing": "bourgan/every-mode-ring",
    "baselines.cluster_inversion": "baselines/clustergan-ring",
    "baselines.information": "baselines/infogan-ring",
    "baselines.mode_seeking": "baselines/msgan-ring",
    "baselines.which_generator": "baselines/mgan-ring",
    "modern.drifting": "modern/drifting-ring",
    "modern.pairing": "modern/pairing-ring",
    "modern.rs_imle": "modern/rsimle-ring",
    "modern.transport": "modern/transport-ring",
}
"""Each term that reads the latent as something given, and a recipe for it to be judged in."""
MOVING = {"nemgan.prior_matching": "learns the prior by its draws", "baselines.width": "learns the prior's widths"}
"""Terms that are there to move the prior."""
BLIND = {
    "r1", "r2", "gradient_penalty", "baselines.clipping", "baselines.determinantal", "baselines.dragan",
    "baselines.evidence_bound", "baselines.mode_regularizer", "bourgan.local_penalty", "modern.coupling",
    "nemgan.invariance", "nemgan.sparse_supervision",
}  # fmt: skip
"""Terms that do not look at the latent itself."""


class Moved(Prior):
    """A prior all of whose draws, parts included, are moved by a parameter."""

    def __init__(self, inner: Prior) -> None:
        super().__init__()
        self.inner, self.dim, self.sizes = inner, inner.dim, inner.sizes
        self.shift = nn.Parameter(torch.tensor(0.1))

    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        latent = self.inner(noise, n, given)
        return Latent(latent.z + self.shift, {name: part + self.shift for name, part in latent.parts.items()})

    def offer(self, name: str) -> Tensor:
        return self.inner.offer(name)


class Cut(nn.Module):
    """A generator through which no gradient comes back to the latent."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor) -> Tensor:
        made: Tensor = self.generator(z.detach())
        return made


def composed(kind: str) -> Composition:
    """The term's recipe, with the term added where it lacks it, and a prior that a parameter moves."""
    values = load_spec(TERMS[kind], *short_fits(load_spec(TERMS[kind]))).model_dump(mode="json")
    if kind not in {term["kind"] for term in values["losses"]}:
        values["losses"] = [*values["losses"], {"kind": kind}]
    composition = compose(values)
    prior = composition.modules["prior"]
    assert isinstance(prior, Prior)
    composition.modules["prior"] = Moved(prior)
    return composition


def pulls(composition: Composition, kind: str) -> Iterator[Tensor | None]:
    """For each player that the term serves, the gradient that moves the prior."""
    term = composition.terms[kind].loss
    x = torch.randn(8, 2, generator=torch.Generator().manual_seed(2))
    for player in term.losses():
        step = make_step(composition, x, iteration=20_000)
        shift = composition.modules["prior"].shift
        yield torch.autograd.grad(term(step, player), shift, allow_unused=True)[0]


@pytest.mark.parametrize("kind", TERMS)
def test_a_term_moves_a_learned_prior_through_the_generator(kind: str) -> None:
    for pull in pulls(composed(kind), kind):
        assert pull is not None
        assert pull != 0


@pytest.mark.parametrize("kind", TERMS)
def test_a_term_does_not_pull_the_latent_towards_its_estimate(kind: str) -> None:
    composition = composed(kind)
    composition.modules["generator"] = Cut(composition.modules["generator"])
    assert list(pulls(composition, kind)) == [None] * len(composition.terms[kind].loss.losses())


def test_every_term_but_the_games_is_listed_here() -> None:
    terms = {name for name, kind in installed().of(LossTermConfig).items() if not kind.config.is_game}
    assert terms == TERMS.keys() | MOVING.keys() | BLIND
