"""A spec without a discriminator: one that was forgotten is told from one that nobody needs."""

from __future__ import annotations

from collections.abc import Iterator

from allmodes.specs.needs import list_needs
from allmodes_schemas import Problem, Spec

ADD = "add discriminator: {kind: mlp}"


def check_absent_discriminator(spec: Spec) -> Iterator[Problem]:
    """The first reason, if any, why a spec that has no discriminator needs one."""
    if spec.discriminator is not None:
        return
    for reason in _reasons(spec):
        yield Problem(("discriminator",), f"is missing: {reason}: {ADD}")
        return
    if not any("generator" in term.serves for term in spec.losses):
        remedy = f"{ADD} and a game, or a loss that serves the generator without them"
        yield Problem(("discriminator",), f"is missing, and no loss serves the generator: {remedy}")


def _reasons(spec: Spec) -> Iterator[str]:
    yield from (f"{term.kind} has a loss for it" for term in spec.losses if "discriminator" in term.serves)
    yield from (f"{head.kind} reads its features" for head in spec.auxiliaries.values() if head.sees == "features")
    yield from (f"{component.kind} needs it" for _, component, need in list_needs(spec) if need.slot == "discriminator")
    yield from (f"{component.kind} needs it" for _, component, need in list_needs(spec) if need.slot == "joint")


__all__ = ["check_absent_discriminator"]
