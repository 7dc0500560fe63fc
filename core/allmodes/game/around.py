"""A network around a network of any kind: whatever in it acts or is fitted goes on doing so."""

from __future__ import annotations

from torch import Tensor, nn
from typing_extensions import override

from allmodes.game.contracts import Network
from allmodes.game.output_checks import check_halves


class Trunk(nn.Module):
    """The trunk of a network, which lies within it as `network`; a subclass changes what goes in or comes out.

    One that draws noise or acts is a `Noisy` or a `Part` as well: `class Blur(Noisy, Trunk)`.

    Raises ContractError where the network overrides `forward`, which is never called.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        check_halves("network within", network)
        self.network = network

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        features: Tensor = self.network.trunk(*inputs)
        return features


class Head(nn.Module):
    """The head of a network that lies in a `Trunk`."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._owned_by_trunk = (network,)  # within a tuple, so that torch does not count its parameters twice

    @override
    def forward(self, features: Tensor) -> Tensor:
        output: Tensor = self._owned_by_trunk[0].head(features)
        return output


class Around(Network):
    """A network around the one in a trunk, by default with its head and features.

    Args:
        trunk: From the inputs to features.
        head: From features to the output; by default that of the network in the trunk.
        further: Features that the trunk gives beside those of the network in it.
    """

    def __init__(self, trunk: Trunk, head: nn.Module | None = None, further: int = 0) -> None:
        super().__init__()
        self.trunk, self.head = trunk, Head(trunk.network) if head is None else head
        self.feature_dim = trunk.network.feature_dim + further
