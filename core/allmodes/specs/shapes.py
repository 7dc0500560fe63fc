"""Shapes that networks map, derived from a spec, and whether the networks can."""

from __future__ import annotations

from collections.abc import Iterator

from allmodes.specs.declarations import misfit_of
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import DiscriminatorOptions, LossTermConfig, NetworkConfig, Problem, Shape, Spec

NONE = DiscriminatorOptions()
"""The options of no discriminator: nothing is packed, and no code is seen."""


def discriminator_options(spec: Spec) -> DiscriminatorOptions:
    """The discriminator's options, which every spec that the registry checked has; the defaults where there is none."""
    if spec.discriminator is None:
        return NONE
    assert isinstance(spec.discriminator, DiscriminatorOptions)
    return spec.discriminator


def discriminator_inputs(spec: Spec, shape: Shape, code: int) -> tuple[Shape, ...]:
    """Shapes of what the discriminator sees: packed items of a shape and, where it is joint, their packed codes."""
    options = discriminator_options(spec)
    packed = (options.pack * shape[0], *shape[1:])
    return (packed, (options.pack * code,)) if options.joint else (packed,)


def network_shapes(spec: Spec, shape: Shape) -> Iterator[tuple[str, NetworkConfig, tuple[Shape, ...], Shape]]:
    """Generator and discriminator with input and output shapes; what a fit decides the size of counts as 1."""
    yield "generator", spec.generator, ((spec.prior.size() or 1,),), shape
    if spec.discriminator is not None:
        code = spec.prior.parts().get("code") or 1
        yield "discriminator", spec.discriminator, discriminator_inputs(spec, shape, code), (1,)


def check_shapes(spec: Spec, shape: Shape | None) -> Iterator[Problem]:
    """Yield the networks that cannot map items of a shape; none while the shape is unknown."""
    if shape is None:
        return
    for name, network, sees, gives in network_shapes(spec, shape):
        if reason := misfit_of(network, sees, gives):
            yield Problem((name,), reason)
    for name, auxiliary in spec.auxiliaries.items():
        if auxiliary.sees == "data" and (reason := misfit_of(auxiliary, shape)):
            yield Problem(("auxiliaries", name), reason)


def check_discriminator(spec: Spec) -> Iterator[Problem]:
    """Problems of packing, of a joint discriminator, and of BatchNorm under a gradient penalty."""
    if spec.discriminator is None:
        return
    yield from _check_pack(spec)
    if (name := discriminator_options(spec).joint) is not None:
        yield from (Problem(("discriminator", "joint"), message) for message in _check_joint(spec, name))
    penalties = [term.kind for term in spec.each(LossTermConfig) if term.penalises_gradients]
    if penalties and spec.discriminator.normalises_batches():
        yield Problem(
            ("discriminator",),
            f"{penalties[0]} takes gradients item by item, but BatchNorm in the discriminator mixes the items of a "
            "batch: switch it off",
            "warning",
        )


def check_batches(spec: Spec) -> Iterator[Problem]:
    """Batches of one item under BatchNorm, which divides by a spread that a single item does not have."""
    batch, pack = spec.training.batch_size, discriminator_options(spec).pack
    for name, network, items in (
        ("generator", spec.generator, batch),
        ("discriminator", spec.discriminator, batch // pack),
    ):
        if network is not None and items == 1 and network.normalises_batches():
            message = "BatchNorm needs two items or more at once: raise training.batch_size, or switch it off"
            yield Problem((name,), message)


def _check_pack(spec: Spec) -> Iterator[Problem]:
    pack, batch = discriminator_options(spec).pack, spec.training.batch_size
    if rest := batch % pack:
        sizes = " or ".join(str(size) for size in (batch - rest, batch - rest + pack) if size)
        message = f"pack {pack} does not divide training.batch_size {batch}: set that to {sizes}"
        yield Problem(("discriminator", "pack"), message)
    for name, auxiliary in spec.auxiliaries.items():
        if auxiliary.sees == "features" and pack > 1:
            yield Problem(
                ("auxiliaries", name),
                f"{auxiliary.kind} reads the discriminator's features, which belong to {pack} items at once: "
                "set discriminator.pack: 1",
            )


def _check_joint(spec: Spec, name: str) -> Iterator[str]:
    auxiliary = spec.auxiliaries.get(name)
    joint = f"the discriminator is joint with auxiliary {name!r}, which"
    if auxiliary is None:
        yield f"{joint} is not defined{did_you_mean(name, spec.auxiliaries)}: add it under auxiliaries"
    elif auxiliary.sees == "features":
        yield f"{joint} itself reads the discriminator's features: join one that sees the data"
    elif auxiliary.gives != "code":
        yield f"{joint} maps data to {auxiliary.gives}, not to code: join one that does"
