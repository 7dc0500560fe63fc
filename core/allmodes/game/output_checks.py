"""What modules give when a run calls them first, held to their contracts: the shapes that all others rely on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from reprlib import repr as short
from typing import Any, TypeAlias

from torch import Tensor, nn

from allmodes.game.contracts import Discriminator, Gaussian, Latent, Network, Prior
from allmodes.registry.faults import ContractError, builder_of, calling, show
from allmodes_schemas import AuxiliaryConfig, Shape

Check: TypeAlias = Callable[[tuple[Any, ...], Any], None]
"""From a module's inputs and output; raises ContractError."""


def first_checks(modules: Mapping[str, nn.Module], shape: Shape) -> dict[str, Check]:
    """The checks of modules that make items of a shape, by name: each is made once, at the first call."""
    prior, judge = modules["prior"], modules.get("discriminator")
    checks: dict[str, Check] = {"prior": partial(_check_latent, prior), "generator": partial(_check_items, shape)}
    if isinstance(judge, Discriminator):
        checks["discriminator"] = partial(_check_verdict, judge.network)
    for name, module in modules.items():
        config = builder_of(module)
        if isinstance(config, AuxiliaryConfig) and isinstance(prior, Prior):
            size = prior.sizes.get(config.gives)
            if config.gives == "code" and size is not None:
                checks[f"code of {name}"] = partial(_check_code, size)
            if config.form and size is not None:
                checks[f"estimate of {name}"] = partial(_check_estimate, config.form, size)
    return checks


def check_prior(prior: Prior) -> None:
    """Raise ContractError where a fitted prior does not know its sizes."""
    with calling("prior", prior):
        dim, sizes = getattr(prior, "dim", None), getattr(prior, "sizes", None)
        if not isinstance(dim, int):
            raise ContractError(f"its dim is {short(dim)} after fit: set the size of z")
        if not isinstance(sizes, Mapping) or not isinstance(sizes.get("code"), int):
            raise ContractError(f"its sizes are {short(sizes)} after fit: set the size of each part, code included")


def check_judge(network: Network) -> None:
    """Raise ContractError where the network of a discriminator has no trunk, head or size of features."""
    with calling("discriminator", network):
        missing = [name for name in ("trunk", "head", "feature_dim") if not hasattr(network, name)]
        if missing:
            raise ContractError(f"has no {' and no '.join(missing)}, which a discriminator needs")
    check_halves("discriminator", network)


def check_halves(what: str, network: Network) -> None:
    """Raise ContractError where a network that is run by its trunk and head has another `forward`, never called."""
    if type(network).forward is not Network.forward:
        with calling(what, network):
            raise ContractError(
                f"{type(network).__name__} overrides forward, which is never called here: the output is "
                "head(trunk(*inputs)), so do in trunk and head what forward does"
            )


def _check_latent(prior: Any, inputs: tuple[Any, ...], latent: Any) -> None:
    n = inputs[1]
    if not isinstance(latent, Latent):
        raise ContractError(f"returns {short(latent)}, which is no Latent")
    _check_shape("z", latent.z, (n, prior.dim))
    for name, part in latent.parts.items():
        _check_shape(f"part {name!r}", part, (n, prior.sizes.get(name, part.shape[-1])))


def _check_items(shape: Shape, inputs: tuple[Any, ...], items: Any) -> None:
    _check_shape("items", items, (len(inputs[0]), *shape))


def _check_verdict(network: Network, inputs: tuple[Any, ...], verdict: tuple[Tensor, Tensor]) -> None:
    scores, features = verdict
    if scores.shape != (len(inputs[0]),):
        raise ContractError(f"gives scores of shape {tuple(scores.shape)}: a discriminator gives one number for each")
    _check_shape("features", features, (len(inputs[0]), network.feature_dim))


def _check_code(size: int, inputs: tuple[Any, ...], code: Any) -> None:
    _check_shape("a code", code, (len(inputs[0]), size))


def _check_estimate(form: str, size: int, inputs: tuple[Any, ...], estimate: Any) -> None:
    shape = len(inputs[0]), size
    if form != "gaussian":
        _check_shape(f"an estimate of the form {form}", estimate, shape)
    elif not isinstance(estimate, Gaussian):
        raise ContractError(f"gives {show(estimate)}, but its form is gaussian: give an allmodes.Gaussian")
    else:
        _check_shape("the mean of an estimate", estimate.mean, shape)
        _check_shape("the log_variance of an estimate", estimate.log_variance, shape)


def _check_shape(what: str, value: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(value, Tensor):
        raise ContractError(f"gives {short(value)} for {what}: give a tensor of shape {shape}")
    if value.shape != shape:
        raise ContractError(f"gives {what} of shape {tuple(value.shape)}, where {shape} is needed")
