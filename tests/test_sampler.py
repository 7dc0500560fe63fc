"""Samplers: what draws samples from a trained model, from the spec to the stored model."""

import pytest

from allmodes import Registry, SamplerConfig, SpecError
from allmodes.specs import loading
from fixtures.distributions import first_party
from tiny import SPEC


def test_a_spec_without_a_sampler_has_none() -> None:
    assert loading.parse(SPEC, first_party()).sampler is None


def test_an_unknown_sampler_is_refused() -> None:
    registry = Registry()
    assert not registry.of(SamplerConfig)  # the hook is allmodes_samplers
    with pytest.raises(SpecError, match=r"no installed plugin provides sampler 'acme\.best': pip install"):
        loading.parse({**SPEC, "sampler": {"kind": "acme.best"}}, first_party())
