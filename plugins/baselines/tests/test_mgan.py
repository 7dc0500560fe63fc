"""MGAN's classifier and its loss against torch's own cross entropy."""

import re

import pytest
import torch
from torch.nn.functional import cross_entropy

from allmodes import CompositionError, SpecError
from allmodes.testing import check_turns_under_vmap, compose, find_gradients, load_spec, make_step, take_turn

B = 8
MLP = {"kind": "mlp", "hidden": [5], "activation": "tanh"}
TERM = "baselines.which_generator"
SPEC = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "baselines.modes", "modes": 4, "prior": {"kind": "gaussian", "dim": 3}},
    "generator": {"kind": "baselines.generators", "k": 4, "network": MLP},
    "discriminator": MLP,
    "auxiliaries": {"classifier": {"kind": "baselines.classifier"}},
    "losses": [{"kind": "non_saturating"}, {"kind": TERM, "beta": 0.3}],
}
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2))


def test_both_lower_the_cross_entropy_and_the_generators_with_beta() -> None:
    composition = compose(SPEC)
    step, term = make_step(composition, X), composition.terms[TERM].loss
    G, D, C = (composition.modules[name] for name in ("generator", "discriminator", "classifier"))
    entropy = cross_entropy(C(D(G(step.latent.z))[1]), step.latent.part("mode").argmax(1))
    torch.testing.assert_close(term(step, "discriminator"), entropy)
    torch.testing.assert_close(term(step, "generator"), 0.3 * entropy)
    names = ("generator", "discriminator", "classifier")
    found, wanted = (find_gradients(value, composition, *names) for value in (term(step, "discriminator"), entropy))
    torch.testing.assert_close(found["classifier"], wanted["classifier"])
    torch.testing.assert_close(found["discriminator"][:2], wanted["discriminator"][:2])
    torch.testing.assert_close(found["generator"], wanted["generator"])


def test_the_classifier_is_trained_with_the_discriminator() -> None:
    assert take_turn(compose(SPEC), "discriminator", X) == {"discriminator", "classifier"}
    assert take_turn(compose(SPEC), "generator", X) == {"generator"}


def test_eager_turns_equal_pure_ones_under_vmap() -> None:
    check_turns_under_vmap(compose(SPEC), 2)


def test_it_works_with_a_joint_discriminator_whose_code_has_no_mode() -> None:
    encoder = {"kind": "baselines.encoder", "network": MLP}
    joint = {
        **SPEC,
        "discriminator": {**MLP, "joint": "encoder"},
        "auxiliaries": {"classifier": {"kind": "baselines.classifier"}, "encoder": encoder},
        "losses": [{"kind": "baselines.ali"}, {"kind": TERM}],
    }
    check_turns_under_vmap(compose(joint), 2)


def test_a_spec_without_modes_or_classifier_is_refused_with_the_line_to_add() -> None:
    message = f"{TERM} needs a latent part 'mode', which prior gaussian does not have: add prior: {{kind: "
    with pytest.raises(SpecError, match=re.escape(message)):
        load_spec({**SPEC, "prior": {"kind": "gaussian"}})
    message = f"{TERM} needs an auxiliary that maps data to mode"
    with pytest.raises(SpecError, match=re.escape(message)):
        load_spec({**SPEC, "auxiliaries": {}})


def test_a_classifier_beside_a_latent_without_modes_is_refused() -> None:
    message = "baselines.classifier tells modes apart, which the prior lacks: take prior: {kind: "
    with pytest.raises(CompositionError, match=re.escape(message)):
        compose({**SPEC, "prior": {"kind": "gaussian"}, "generator": MLP, "losses": [{"kind": "non_saturating"}]})
