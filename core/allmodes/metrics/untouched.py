"""What metrics read and must not change: the weights and modes of the model, the samples and the held-out items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from allmodes.metrics.base import Evaluation
from allmodes.registry.faults import ContractError


class Untouched:
    """A copy of what an evaluation holds, from which it is put back after a metric that wrote into it."""

    def __init__(self, evaluation: Evaluation) -> None:
        inside = dict(_modules(evaluation.modules))
        real = {"real.x": evaluation.real.x, "real.labels": evaluation.real.labels}
        self._tensors = list(_keep("", {"samples": evaluation.samples, **real}))
        for name, module in inside.items():
            self._tensors += [*_keep(f"{name}.", module._parameters), *_keep(f"{name}.", module._buffers)]
        self._modes = [(f"the mode of {name}", module, module.training) for name, module in inside.items()]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Put back what the block changes. Raises ContractError that names it."""
        try:
            yield
        finally:
            changed = self._put_back()
        if changed:
            more = f" and {len(changed) - 1} more" if changed[1:] else ""
            raise ContractError(f"changes {changed[0]}{more}, which metrics only read (it was put back)")

    def _put_back(self) -> list[str]:
        modes = [(name, module, mode) for name, module, mode in self._modes if module.training != mode]
        for _, module, mode in modes:
            module.training = mode
        return [*(kept.name for kept in self._tensors if kept.put_back()), *(name for name, *_ in modes)]


@dataclass(frozen=True)
class _Kept:
    """A tensor that lies under a key in a place, and its value."""

    name: str
    place: dict[str, Any]
    key: str
    tensor: Tensor
    requires_grad: bool
    value: Tensor

    @torch.no_grad()
    def put_back(self) -> bool:
        """Put the tensor back; returns whether it, its place or its value had changed."""
        is_there = self.place.get(self.key) is self.tensor and self.tensor.requires_grad == self.requires_grad
        if is_there and _is_same(self.tensor, self.value):
            return False
        self.place[self.key] = self.tensor
        self.tensor.requires_grad_(self.requires_grad).data = self.value.clone()
        return True


def _modules(modules: Mapping[str, nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    for name, module in modules.items():
        yield from ((f"{name}.{path}".rstrip("."), inner) for path, inner in module.named_modules())


def _keep(where: str, place: dict[str, Any]) -> Iterator[_Kept]:
    for key, tensor in place.items():
        if tensor is not None:
            yield _Kept(where + key, place, key, tensor, tensor.requires_grad, tensor.detach().clone())


def _is_same(now: Tensor, before: Tensor) -> bool:
    """Whether two tensors are equal, numbers that are none included."""
    if (now.shape, now.dtype, now.device) != (before.shape, before.dtype, before.device):
        return False
    return torch.equal(now, before) or (now.is_floating_point() and torch.allclose(now, before, 0, 0, equal_nan=True))
