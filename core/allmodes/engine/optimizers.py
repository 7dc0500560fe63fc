"""Optimisers: torch's fused ones for the eager engine, and the same rules as pure functions."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from allmodes_schemas import AdamConfig, OptimizerConfig, Ramp, at

Tensors: TypeAlias = Mapping[str, Tensor]
Memory: TypeAlias = "dict[str, Tensor | dict[str, Tensor]]"
Value: TypeAlias = float | Tensor
Values: TypeAlias = Mapping[str, Value]

FOREVER = 2**62
"""An iteration at which every schedule has ended."""
_MOMENTS = {"adam": ("exp_avg", "exp_avg_sq"), "sgd": ("momentum_buffer",)}


def make_optimizer(config: OptimizerConfig, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
    """torch's optimiser with the values of iteration 0, fused where the parameters allow it."""
    _spare_dynamo()
    fused = all(_is_dense(parameter) for parameter in parameters)
    if isinstance(config, AdamConfig):
        return torch.optim.Adam(parameters, **_values(config, 0), eps=config.eps, fused=fused)
    return torch.optim.SGD(parameters, **_values(config, 0), fused=fused)


def _spare_dynamo() -> None:
    """Let optimisers be made, saved and loaded without torch's compiler, which takes two seconds to import.

    torch has it leave these methods alone, even where nothing is compiled, and keeps at each what it calls instead.
    """
    if "torch._dynamo" not in sys.modules:
        for name in ("add_param_group", "state_dict", "load_state_dict"):
            method = inspect.unwrap(getattr(torch.optim.Optimizer, name))
            vars(method).setdefault("__dynamo_disable", method)


class Stepper:
    """Steps an optimiser by given gradients: its own `step`, and from the second on the same kernel on kept lists.

    torch's `step` looks up the state of every parameter and sorts all tensors by device and type each time, which for
    small networks takes longer than the update itself.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer, self.parameters = optimizer, list[Tensor](optimizer.param_groups[0]["params"])
        self._moments: list[list[Tensor]] = []

    def step(self, gradients: Sequence[Tensor | None]) -> None:
        """Take one step; a gradient of None counts as zero."""
        inside = [lay_out(p, g) for p, g in zip(self.parameters, gradients, strict=True)]
        if self._moments:
            self._step_fused(inside)
        else:
            self._step_first(inside)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the optimiser's state."""
        self.optimizer.load_state_dict(dict(state))
        self.forget()

    def forget(self) -> None:
        """Look the optimiser's state up again at the next step, since other tensors hold it."""
        self._moments = []

    def _step_first(self, gradients: Sequence[Tensor]) -> None:
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        with torch.no_grad():
            inspect.unwrap(type(self.optimizer).step)(self.optimizer)  # around it torch imports its compiler
        for parameter in self.parameters:
            parameter.grad = None
        alike = len({(parameter.device, parameter.dtype) for parameter in self.parameters}) == 1
        if alike and isinstance(self.optimizer, torch.optim.Adam) and self.optimizer.param_groups[0]["fused"]:
            states = [self.optimizer.state[parameter] for parameter in self.parameters]
            self._moments = [[state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step")]

    def _step_fused(self, gradients: list[Tensor]) -> None:
        (means, squares, steps), group = self._moments, self.optimizer.param_groups[0]
        beta1, beta2 = group["betas"]
        with torch.no_grad():
            torch._foreach_add_(steps, 1)
            torch._fused_adam_(
                self.parameters, gradients, means, squares, [], steps, amsgrad=False, beta1=beta1, beta2=beta2,
                lr=group["lr"], weight_decay=0.0, eps=group["eps"], maximize=False,
            )  # fmt: skip


class StackedStepper:
    """Steps a player of several lanes at once: lanes of equal settings in one call of the fused kernel.

    Args:
        configs: The optimiser of each lane.
        parameters: Stacked parameters (lanes, ...) by name.
        memory: The stacked state of the pure rule, which is written in place.
    """

    def __init__(self, configs: Sequence[OptimizerConfig], parameters: Tensors, memory: Any) -> None:
        self.memory, self.names, steps = memory, list(parameters), memory["step"].tolist()
        keys = list(zip(configs, steps, strict=True))
        bounds = [i for i, key in enumerate(keys) if i == 0 or key != keys[i - 1]]
        self._parts = [slice(a, b) for a, b in zip(bounds, [*bounds[1:], len(keys)], strict=True)]
        self._configs = [configs[part.start] for part in self._parts]
        moments = [memory[moment] for moment in _MOMENTS[configs[0].kind]]
        self._lists = [[[t[n][part] for n in self.names] for t in (parameters, *moments)] for part in self._parts]

    @torch.no_grad()
    def step(self, gradients: Tensors, iteration: int) -> None:
        """Take one step by stacked gradients (lanes, ...), by name."""
        laid_out = [gradients[name].contiguous() for name in self.names]
        for part, config, tensors in zip(self._parts, self._configs, self._lists, strict=True):
            inside = laid_out if len(self._parts) == 1 else [gradient[part] for gradient in laid_out]
            values = values_at(config, iteration)
            if isinstance(config, AdamConfig):
                self._step_adam(self.memory["step"][part], tensors, inside, **values)
            else:
                _step_sgd(tensors, inside, **values)

    def _step_adam(
        self, steps: Tensor, tensors: list[list[Tensor]], gradients: list[Tensor], lr: float, beta1: float,
        beta2: float, eps: float,
    ) -> None:  # fmt: skip
        parameters, means, squares = tensors
        steps.add_(1)
        torch._fused_adam_(
            parameters, gradients, means, squares, [], [steps[0]] * len(parameters), amsgrad=False, beta1=beta1,
            beta2=beta2, lr=lr, weight_decay=0.0, eps=eps, maximize=False,
        )  # fmt: skip


def _step_sgd(tensors: list[list[Tensor]], gradients: list[Tensor], lr: float, momentum: float) -> None:
    parameters, buffers = tensors
    torch._foreach_mul_(buffers, momentum)
    torch._foreach_add_(buffers, gradients)
    torch._foreach_add_(parameters, buffers, alpha=-lr)


def lay_out(parameter: Tensor, gradient: Tensor | None) -> Tensor:
    """A parameter's gradient (None: zero) in the parameter's own layout.

    torch's fused optimisers read a gradient's memory in order and ignore its strides on a CPU, and
    `torch.autograd.grad`, unlike `.backward()`, leaves whatever strides a computation gave: those of a convolution's
    weight under a penalty on slopes are permuted.
    """
    if gradient is None:
        return torch.zeros_like(parameter)
    if gradient.stride() != parameter.stride():
        return torch.empty_like(parameter).copy_(gradient)
    return gradient


def _is_dense(parameter: Tensor) -> bool:
    """Whether entries fill the parameter's memory without gaps, as fused optimisers assume."""
    return torch.empty_like(parameter).stride() == parameter.stride()


def set_schedule(optimizer: torch.optim.Optimizer, config: OptimizerConfig, iteration: int) -> None:
    """Set the scheduled values, such as the learning rate, of an iteration."""
    for group in optimizer.param_groups:
        group.update(_values(config, iteration))


def scale_rate(config: OptimizerConfig, factor: float) -> OptimizerConfig:
    """The same optimiser with its learning rate, or the ramp of it, times a factor."""
    rate = config.lr
    if isinstance(rate, Ramp):
        ends = {"start": factor * rate.start, "end": factor * rate.end}
        return config.model_copy(update={"lr": rate.model_copy(update=ends)})
    return config.model_copy(update={"lr": factor * rate})


def is_scheduled(config: OptimizerConfig) -> bool:
    """Whether any value of the optimiser changes over the run."""
    return _values(config, 0) != _values(config, FOREVER)


def memory(config: OptimizerConfig, parameters: Tensors, optimizer: torch.optim.Optimizer | None = None) -> Memory:
    """The state of the pure rule: zeros, or a copy of the state of torch's optimiser."""
    states: Mapping[Any, Any] = optimizer.state if optimizer else {}
    first = next(iter(parameters.values()))
    moments: Memory = {
        moment: {name: _moment(states, p, moment) for name, p in parameters.items()} for moment in _MOMENTS[config.kind]
    }
    steps = [state["step"] for state in states.values() if "step" in state][:1]
    count = steps[0].detach().clone() if steps else torch.zeros((), device=first.device)
    return {"step": count.to(first.device), **moments}


def adopt(optimizer: torch.optim.Optimizer, parameters: Tensors, memory: Any) -> None:
    """Let torch's optimiser hold the state of the pure rule, without a copy."""
    for name, parameter in parameters.items():
        moments = {key: value[name] for key, value in memory.items() if key != "step"}
        steps = {"step": memory["step"]} if isinstance(optimizer, torch.optim.Adam) else {}
        optimizer.state[parameter] = {**steps, **moments}


def release(optimizer: torch.optim.Optimizer) -> None:
    """Give torch's optimiser tensors of its own, with the values that they have."""
    for parameter, state in optimizer.state.items():
        optimizer.state[parameter] = {key: value.detach().clone() for key, value in state.items()}


def _moment(states: Mapping[Any, Any], parameter: Tensor, moment: str) -> Tensor:
    value = states[parameter].get(moment) if parameter in states else None
    return torch.zeros_like(parameter) if value is None else value.detach().clone()


def update(
    config: OptimizerConfig, parameters: Tensors, gradients: Tensors, memory: Memory, values: Values | None = None
) -> tuple[dict[str, Tensor], Memory]:
    """One step as a pure and differentiable function: new parameters and new memory.

    `values` are those of the iteration, by default of iteration 0; tensors () among them, which differ from seed to
    seed, are of float64, so that no digits are lost.
    """
    values = values_at(config, 0) if values is None else values
    if isinstance(config, AdamConfig):
        return _adam(parameters, gradients, memory, **values)
    return _sgd(parameters, gradients, memory, **values)


def values_at(config: OptimizerConfig, iteration: int) -> dict[str, float]:
    """The values of the pure rule at an iteration: lr, beta1, beta2 and eps, or lr and momentum."""
    if isinstance(config, AdamConfig):
        betas = {"beta1": config.betas[0], "beta2": at(config.betas[1], iteration)}
        return {"lr": at(config.lr, iteration), **betas, "eps": config.eps}
    return {"lr": at(config.lr, iteration), "momentum": config.momentum}


def first_moment(config: OptimizerConfig, iteration: int) -> tuple[str, float, float]:
    """The name of the moment of gradients, the factor by which it is kept, and that by which a gradient is added."""
    values = values_at(config, iteration)
    if isinstance(config, AdamConfig):
        return "exp_avg", values["beta1"], 1 - values["beta1"]
    return "momentum_buffer", values["momentum"], 1.0


def _adam(
    p: Tensors, g: Tensors, memory: Any, lr: Value, beta1: Value, beta2: Value, eps: Value
) -> tuple[dict[str, Tensor], Memory]:
    t = memory["step"] + 1
    m = {k: beta1 * memory["exp_avg"][k] + (1 - beta1) * g[k] for k in p}
    v = {k: beta2 * memory["exp_avg_sq"][k] + (1 - beta2) * g[k] ** 2 for k in p}
    dtype = next(iter(p.values())).dtype
    size, root = lr / _correction(beta1, t.to(dtype)), torch.sqrt(_correction(beta2, t.to(dtype)))
    # The tiny constant keeps the derivative of the root finite where a gradient is exactly zero (Unrolled GAN).
    new = {k: p[k] - size * m[k] / (torch.sqrt(v[k] + 1e-38) / root + eps) for k in p}
    return new, {"step": t, "exp_avg": m, "exp_avg_sq": v}


def _correction(beta: Value, t: Tensor) -> Tensor:
    """1 - beta**t, without the loss of digits of the difference where beta is near 1."""
    if isinstance(beta, Tensor):
        return -torch.expm1(t * torch.log(beta))  # of 0: 1
    return -torch.expm1(t * math.log(beta)) if beta else torch.ones_like(t)


def _sgd(p: Tensors, g: Tensors, memory: Any, lr: Value, momentum: Value) -> tuple[dict[str, Tensor], Memory]:
    b = {k: momentum * memory["momentum_buffer"][k] + g[k] for k in p}
    return {k: p[k] - lr * b[k] for k in p}, {"step": memory["step"], "momentum_buffer": b}


def _values(config: OptimizerConfig, iteration: int) -> dict[str, Any]:
    """The values of torch's optimiser at an iteration."""
    values = values_at(config, iteration)
    if isinstance(config, AdamConfig):
        return {"lr": values["lr"], "betas": (values["beta1"], values["beta2"])}
    return values
