"""GDPP against its definition: kernels and spectra by hand, gradients against torch's own where it has any."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from allmodes.testing import check_turns_under_vmap, compose, find_gradients, make_step, take_turn
from allmodes_baselines.gdpp import Determinantal, kernel, min_max, spectrum

B = 8
MLP = {"kind": "mlp", "hidden": [12], "activation": "tanh"}  # more features than items: distinct eigenvalues
TERM = "baselines.determinantal"
SPEC: Mapping[str, Any] = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "gaussian", "dim": 3},
    "generator": MLP,
    "discriminator": MLP,
    "losses": [{"kind": "non_saturating"}, {"kind": TERM, "value_weight": 0.5}],
    "training": {"iterations": 2, "batch_size": B, "device": "cpu"},
}
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2))


def distance(real: Tensor, fake: Tensor) -> Tensor:
    return Determinantal(value_weight=0.5).distance(real, fake)


def features(n: int, size: int, seed: int) -> Tensor:
    return torch.randn(n, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# By hand


def test_two_items_at_an_angle_have_the_eigenvalues_one_plus_and_minus_its_cosine() -> None:
    for angle in (0.4, 1.2):
        c = math.cos(angle)
        phi = torch.tensor([[2.0, 0.0], [3 * c, 3 * math.sin(angle)]], dtype=torch.float64)
        torch.testing.assert_close(kernel(phi), torch.tensor([[1, c], [c, 1]], dtype=torch.float64))
        values, vectors = spectrum(kernel(phi))
        torch.testing.assert_close(values, torch.tensor([1 - c, 1 + c], dtype=torch.float64))
        torch.testing.assert_close(vectors.abs(), torch.full((2, 2), math.sqrt(0.5), dtype=torch.float64))


def test_two_pairs_cost_the_weighted_square_of_their_cosines_distance() -> None:
    def pair(cosine: float) -> Tensor:
        return torch.tensor([[1.0, 0.0], [cosine, math.sqrt(1 - cosine**2)]], dtype=torch.float64)

    # Both kernels have the eigenvectors (1, -1) and (1, 1); eigenvalues differ by 0.3 - 0.8 and 0.8 - 0.3.
    assert float(distance(pair(0.3), pair(0.8))) == pytest.approx(0.5 * 0.25)


def test_the_term_is_zero_at_equal_features_and_not_at_others() -> None:
    for n, size in ((6, 9), (9, 4)):
        phi = features(n, size, 0)
        assert float(distance(phi, phi.clone())) == pytest.approx(0, abs=1e-12)
        assert float(distance(phi, features(n, size, 1))) > 0.1


def test_neither_the_length_of_features_nor_a_rotation_of_them_matters() -> None:
    real, fake = features(6, 9, 0), features(6, 9, 1)
    rotation = torch.linalg.qr(features(9, 9, 2))[0]
    lengths = torch.linspace(1, 7, 6, dtype=torch.float64)[:, None]
    torch.testing.assert_close(distance(real, lengths * fake @ rotation), distance(real, fake))


def test_weights_are_the_eigenvalues_moved_and_scaled_to_one_or_nothing_where_all_are_equal() -> None:
    torch.testing.assert_close(min_max(torch.tensor([1.0, 2.0, 5.0])), torch.tensor([0.0, 0.25, 1.0]))
    assert torch.equal(min_max(torch.ones(4)), torch.zeros(4))


# Gradients


def by_torch(real: Tensor, fake: Tensor) -> Tensor:
    """The definition with torch's own derivative of eigh, which distinct eigenvalues allow."""
    unit = [phi / phi.norm(dim=1, keepdim=True) for phi in (real, fake)]
    (values, vectors), (fake_values, fake_vectors) = (torch.linalg.eigh(phi @ phi.T) for phi in unit)
    m = (values - values.min()) / (values.max() - values.min())
    cosines = torch.stack([v @ w for v, w in zip(vectors.T, fake_vectors.T, strict=True)]).abs()
    return 0.5 * ((values - fake_values) ** 2).mean() + (m * (1 - cosines)).sum()


def test_value_and_gradient_are_those_of_torchs_eigenvectors_where_eigenvalues_differ() -> None:
    real, fake = features(6, 9, 0), features(6, 9, 1).requires_grad_()
    value, expected = distance(real, fake), by_torch(real, fake)
    torch.testing.assert_close(value, expected)
    (found,), (wanted,) = torch.autograd.grad(value, fake), torch.autograd.grad(expected, fake)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))


EQUAL: Mapping[str, Callable[[], Tensor]] = {
    "more items than features": lambda: features(12, 3, 1),
    "one item many times": lambda: features(1, 5, 1).repeat(6, 1),
    "items at right angles": lambda: torch.eye(6, 9, dtype=torch.float64),
    "no features": lambda: torch.zeros(6, 9, dtype=torch.float64),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", EQUAL)
def test_gradients_are_finite_and_not_huge_where_eigenvalues_are_equal(case: str, dtype: torch.dtype) -> None:
    fake = EQUAL[case]().to(dtype).requires_grad_()
    value = distance(features(len(fake), fake.shape[1], 0).to(dtype), fake)
    (gradient,) = torch.autograd.grad(value, fake)
    assert value.isfinite()
    assert gradient.isfinite().all()
    assert case == "no features" or float(gradient.norm()) < 100


def test_features_that_are_nan_make_the_term_nan_so_that_divergence_is_noticed() -> None:
    broken = torch.full((6, 9), float("nan"), dtype=torch.float64)
    assert distance(features(6, 9, 0), broken).isnan()
    assert distance(broken, features(6, 9, 0)).isnan()


def test_features_that_lie_in_few_dimensions_have_the_gradient_of_finite_differences() -> None:
    real, fake = features(12, 3, 0), features(12, 3, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(distance(real, fake), fake)
    towards, h = features(12, 3, 5), 1e-6
    with torch.no_grad():
        difference = (distance(real, fake + h * towards) - distance(real, fake - h * towards)) / (2 * h)
    assert float((gradient * towards).sum()) == pytest.approx(float(difference), rel=1e-3)


# In a composition


def test_the_term_is_that_of_the_discriminators_features_and_reaches_the_generator() -> None:
    composition = compose(SPEC, double=True)
    step = make_step(composition, X.double())
    step.noise.normal("latent/code", B, 3)
    step.noise.drawn["latent/code"] = step.noise.drawn["latent/code"].double()
    value = composition.terms[TERM].loss(step, "generator")
    G, D = composition.modules["generator"], composition.modules["discriminator"]
    expected = by_torch(D(X.double())[1].detach(), D(G(step.latent.z))[1])
    torch.testing.assert_close(value, expected)
    (found, wanted) = (find_gradients(v, composition, "generator")["generator"] for v in (value, expected))
    for one, other in zip(found, wanted, strict=True):
        assert one is not None
        assert other is not None
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-2 * float(other.abs().max()))


def test_the_generators_turn_moves_the_generator_alone() -> None:
    assert take_turn(compose(SPEC), "generator", X) == {"generator"}


def test_eager_turns_equal_pure_ones_under_vmap() -> None:
    check_turns_under_vmap(compose(SPEC), 2)
