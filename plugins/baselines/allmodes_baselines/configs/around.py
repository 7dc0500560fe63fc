"""The settings that all networks around a network share."""

from typing import Any, ClassVar

from typing_extensions import override

from allmodes import MlpConfig, NetworkConfig, Shape


class AroundConfig(NetworkConfig):
    """A network around one of any kind: it maps the same shapes, unless a subclass says otherwise."""

    wraps: ClassVar[str] = "network"

    network: NetworkConfig = MlpConfig()
    """The network inside, of any kind, one that is itself around another included."""

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        return self.network.misfit(self.inner(sees), gives)

    @override
    def parameters(self, sees: tuple[Shape, ...], gives: Shape) -> int | None:
        return self.network.parameters(self.inner(sees), gives)

    def inner(self, sees: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """What the network inside sees, by default the same."""
        return sees

    def build_inner(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        """Build the network inside."""
        return self.network.build(self.inner(sees), gives)
