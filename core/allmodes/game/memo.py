"""What a step has computed, each thing when it is first asked for, and once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from torch import Tensor
from torch.utils._pytree import tree_leaves

from allmodes.game.contracts import Latent

Value = TypeVar("Value")


class Memo(dict[Hashable, Any]):
    """Values by keys of the step's making."""

    def once(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """The value of a key, computed when it is first asked for."""
        if key not in self:
            self[key] = compute()
        value: Value = self[key]
        return value

    def tensors(self) -> dict[Hashable, Any]:
        """What consists of tensors alone, for a step after the update; of a redrawn step, its memo as `redrawn`."""
        kept = dict(_as_tensors(key, value) for key, value in self.items())
        return {key: v for key, v in kept.items() if all(isinstance(leaf, Tensor) for leaf in tree_leaves(v))}


def _as_tensors(key: Any, value: Any) -> tuple[Hashable, Any]:
    if isinstance(key, tuple) and key[0] == "redraw":
        return ("redrawn", key[1]), value.memo.tensors()
    return key, Latent(value.z, dict(value.parts)) if isinstance(value, Latent) else value
