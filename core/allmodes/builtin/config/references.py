"""Configs of the core's reference samplers."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes_schemas import ReferenceConfig, Sane


class _OfItems(ReferenceConfig):
    items: Annotated[int, Sane(100_000)] = Field(8192, ge=1)
    """Training items that it learns from at most, chosen at random; of endless data so many draws."""


class CopyConfig(ReferenceConfig):
    """Training items, drawn at random with replacement: what a model that remembers everything scores."""

    called: ClassVar[str] = "copy of the training set"

    kind: Literal["copy"] = "copy"
    items: Annotated[int, Sane(100_000)] = Field(8192, ge=1)
    """How many draws of endless data count as their training set; of finite data all items do."""

    @override
    def build(self) -> Any:
        from allmodes.builtin.references import Copy

        return Copy(self.items)


class BootstrapConfig(_OfItems):
    """Training items with Gaussian noise of their local width: a smoothed bootstrap (Silverman and Young, 1987)."""

    called: ClassVar[str] = "bootstrap"

    kind: Literal["bootstrap"] = "bootstrap"
    k: int = Field(10, ge=1, le=1000)
    """The local width is the median, over its k nearest neighbours, of their distance from their k-th neighbour."""
    scale: float = Field(1.0, ge=0)
    """Factor of the width."""

    @override
    def build(self) -> Any:
        from allmodes.builtin.references import Bootstrap

        return Bootstrap(self.items, self.k, self.scale)


class EmConfig(_OfItems):
    """A Gaussian mixture by EM (Dempster et al., 1977), which finds its number of components by itself."""

    called: ClassVar[str] = "mixture by EM"

    kind: Literal["em"] = "em"

    @override
    def build(self) -> Any:
        from allmodes.builtin.references import Em

        return Em(self.items)


KINDS = (CopyConfig, BootstrapConfig, EmConfig)
