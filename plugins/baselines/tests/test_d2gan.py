"""D2GAN against its formula, written with probabilities and logarithms."""

import re

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from allmodes import SpecError
from allmodes.testing import check_turns_under_vmap, compose, find_gradients, load_spec, make_step, take_turn
from allmodes_baselines.d2gan import Twins, log_softplus

B = 8
MLP = {"kind": "mlp", "hidden": [5], "activation": "tanh"}
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
SPEC = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "gaussian", "dim": 3},
    "generator": MLP,
    "discriminator": {"kind": "baselines.twins", "network": MLP},
    "losses": [{"kind": "baselines.d2gan", "alpha": 0.3, "beta": 0.7}],
    "training": {"batch_size": B},
}
JOINT = {
    **SPEC,
    "discriminator": {**SPEC["discriminator"], "joint": "encoder", "pack": 2},  # type: ignore[dict-item]
    "auxiliaries": {"encoder": {"kind": "baselines.encoder", "network": MLP, "noise": "none"}},
    "losses": [*SPEC["losses"], {"kind": "baselines.mode_regularizer"}],  # type: ignore[misc]
}


def second(twins: Twins, x: Tensor) -> Tensor:
    inner = twins.trunk.second
    assert isinstance(inner, torch.nn.Module)
    output: Tensor = inner(x)
    return output.squeeze(1)


def test_both_losses_are_those_of_two_positive_discriminators() -> None:
    composition = compose(SPEC, double=True)
    z = torch.randn(B, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    step, term = make_step(composition, X, {"latent/code": z}), composition.terms["baselines.d2gan"].loss
    D, y = composition.modules["discriminator"], step.fake
    (d1_x, d2_x), (d1_y, d2_y) = ((softplus(D(v)[0]), softplus(second(D.network, v))) for v in (X, y))
    lowered = -0.3 * d1_x.log().mean() + d1_y.mean() + d2_x.mean() - 0.7 * d2_y.log().mean()
    torch.testing.assert_close(term(step, "discriminator"), lowered)
    mine, expected = term(step, "generator"), -d1_y.mean() + 0.7 * d2_y.log().mean()
    torch.testing.assert_close(mine, expected)
    found, wanted = (find_gradients(value, composition, "generator") for value in (mine, expected))
    torch.testing.assert_close(found, wanted)


def test_the_logarithm_keeps_its_value_and_gradient_where_a_float_has_no_softplus() -> None:
    output = torch.tensor([-200.0, -30.0, 0.0, 5.0], requires_grad=True)
    value = log_softplus(output)
    (gradient,) = torch.autograd.grad(value.sum(), output)
    exact = output.detach().double().requires_grad_()
    torch.testing.assert_close(value[1:].double(), softplus(exact).log()[1:])
    assert (float(value[0].detach()), float(gradient[0])) == (-200.0, 1.0)


def test_the_discriminators_turn_moves_both_and_the_generators_neither() -> None:
    composition = compose(SPEC)
    before = [p.detach().clone() for p in composition.modules["discriminator"].parameters()]
    assert take_turn(composition, "discriminator", X.float()) == {"discriminator"}
    after = composition.modules["discriminator"].parameters()
    unused = [torch.equal(one, other) for one, other in zip(before, after, strict=True)]
    assert not any(unused)
    assert take_turn(compose(SPEC), "generator", X.float()) == {"generator"}


def test_eager_turns_equal_pure_ones_plain_and_joint_and_packed() -> None:
    check_turns_under_vmap(compose(SPEC), 2)
    check_turns_under_vmap(compose(JOINT), 2)


def test_wrapped_they_are_still_two() -> None:
    wrapped = {"kind": "baselines.spectral_norm", "network": SPEC["discriminator"]}
    check_turns_under_vmap(compose({**SPEC, "discriminator": wrapped}), 2)


def test_one_discriminator_is_refused_with_what_to_take() -> None:
    message = (
        "baselines.d2gan needs two discriminators, but mlp is one: take {kind: baselines.twins, network: {kind: mlp}}"
    )
    with pytest.raises(SpecError, match=re.escape(message)):
        load_spec({**SPEC, "discriminator": MLP})


def test_as_a_generator_they_are_refused() -> None:
    message = "baselines.twins gives a score, not (2,): take it as a discriminator"
    with pytest.raises(SpecError, match=re.escape(message)):
        load_spec({**SPEC, "generator": SPEC["discriminator"]})
