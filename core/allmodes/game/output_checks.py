"""What modules give when a run calls them first, held to their contracts: the shapes that all others rely on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from reprlib import repr as short
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from allmodes.data.base import Data
from allmodes.game.contracts import Discriminator, Gaussian, Latent, Network, Prior
from allmodes.registry.faults import ContractError, builder_of, calling, show
from allmodes_schemas import AuxiliaryConfig, DatasetConfig, PriorConfig, Shape

Check: TypeAlias = Callable[[tuple[Any, ...], Any], None]
"""From a module's inputs and output; raises ContractError."""


def first_checks(modules: Mapping[str, nn.Module], shape: Shape) -> dict[str, Check]:
    """The checks of modules that make items of a shape, by name: each is made once, at the first call."""
    prior, judge = modules["prior"], modules.get("discriminator")
    checks: dict[str, Check] = {
        "prior": partial(_check_latent, prior, modules["generator"]),
        "generator": partial(_check_items, shape),
    }
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
        if isinstance(config := builder_of(prior), PriorConfig):
            _check_declared(config, dim, sizes)


def _check_declared(config: PriorConfig, dim: int, sizes: Mapping[str, int]) -> None:
    """Raise ContractError where a fitted prior has other sizes than its config declares."""
    if (declared := config.size()) not in (None, dim):
        raise ContractError(f"its dim is {dim}, but size() of its config {declared}: make them agree")
    for name, size in config.parts().items():
        if name not in sizes:
            raise ContractError(f"has no part {name!r} among its sizes, which parts() of its config declares")
        if size not in (None, sizes[name]):
            raise ContractError(f"its part {name!r} has size {sizes[name]}, but {size} in parts() of its config")


def check_loaded_data(config: DatasetConfig, data: Data) -> None:
    """Raise ContractError where data are not what their config declares: of another shape, or without a truth."""
    shape, classes = config.shape(), config.classes()
    with calling("data", data):
        if shape is not None and tuple(shape) != tuple(data.shape):
            raise ContractError(
                f"its items have shape {tuple(data.shape)}, but shape() of its config is {tuple(shape)}"
            )
        if classes not in (None, data.classes):
            raise ContractError(f"its classes are {data.classes}, but classes() of its config is {classes}")
        if config.known_modes() and data.truth is None:
            raise ContractError("its truth is None, but known_modes() of its config is True: give a Truth")


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


def _check_latent(prior: Any, generator: nn.Module, inputs: tuple[Any, ...], latent: Any) -> None:
    n = inputs[1]
    if not isinstance(latent, Latent):
        raise ContractError(f"returns {short(latent)}, which is no Latent")
    _check_tensor("z", latent.z, (n, prior.dim), _dtype_of(generator))
    _check_tensor("part 'code'", latent.code, (n, prior.sizes["code"]), latent.z.dtype)
    for name in prior.sizes:
        if name not in ("code", "z", *latent.parts):
            raise ContractError(f"gives no part {name!r}, which is among its sizes")
    for name, part in latent.parts.items():
        _check_shape(f"part {name!r}", part, (n, prior.sizes.get(name, part.shape[-1])))


def _check_items(shape: Shape, inputs: tuple[Any, ...], items: Any) -> None:
    _check_tensor("items", items, (len(inputs[0]), *shape), inputs[0].dtype)


def _check_verdict(network: Network, inputs: tuple[Any, ...], verdict: tuple[Tensor, Tensor]) -> None:
    scores, features = verdict
    if scores.shape != (len(inputs[0]),):
        raise ContractError(f"gives scores of shape {tuple(scores.shape)}: a discriminator gives one number for each")
    _check_tensor("scores", scores, (len(inputs[0]),), inputs[0].dtype)
    _check_tensor("features", features, (len(inputs[0]), network.feature_dim), inputs[0].dtype)


def _check_code(size: int, inputs: tuple[Any, ...], code: Any) -> None:
    _check_tensor("a code", code, (len(inputs[0]), size), inputs[0].dtype)


def _check_estimate(form: str, size: int, inputs: tuple[Any, ...], estimate: Any) -> None:
    shape, dtype = (len(inputs[0]), size), inputs[0].dtype
    if form != "gaussian":
        _check_tensor(f"an estimate of the form {form}", estimate, shape, dtype)
    elif not isinstance(estimate, Gaussian):
        raise ContractError(f"gives {show(estimate)}, but its form is gaussian: give an allmodes.Gaussian")
    else:
        _check_tensor("the mean of an estimate", estimate.mean, shape, dtype)
        _check_tensor("the log_variance of an estimate", estimate.log_variance, shape, dtype)


def _check_tensor(what: str, value: Any, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Raise ContractError where a value is no tensor of a shape and type; in a run in bfloat16, that will do, too."""
    _check_shape(what, value, shape)
    if value.dtype != dtype and not _is_autocast(value):
        raise ContractError(f"gives {what} of {value.dtype}, where {dtype} is needed")


def _dtype_of(network: nn.Module) -> torch.dtype:
    """The type that a network computes in, the default of one without parameters."""
    return next((p.dtype for p in network.parameters() if p.is_floating_point()), torch.get_default_dtype())


def _is_autocast(value: Tensor) -> bool:
    device = value.device.type
    return torch.is_autocast_enabled(device) and value.dtype == torch.get_autocast_dtype(device)


def _check_shape(what: str, value: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(value, Tensor):
        raise ContractError(f"gives {short(value)} for {what}: give a tensor of shape {shape}")
    if value.shape != shape:
        raise ContractError(f"gives {what} of shape {tuple(value.shape)}, where {shape} is needed")
