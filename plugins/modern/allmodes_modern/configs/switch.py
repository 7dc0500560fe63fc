"""Settings of the generator that jumps."""

from collections.abc import Iterable
from math import prod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import MlpConfig, NetworkConfig, Problem, Sane, Shape, Spec


class SwitchConfig(NetworkConfig):
    """A generator that chooses, by the code, one of many Gaussian experts; the latent's nuisance is their noise."""

    kind: Literal["modern.switch"] = "modern.switch"
    wraps: ClassVar[str] = "network"

    network: NetworkConfig = MlpConfig()
    """The network inside, which sees the code."""
    experts: Annotated[int, Sane(2**14)] = Field(64, ge=1)
    """M, more than there may be modes."""

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        if (shape := spec.data.shape()) is not None and spec.prior.parts().get("nuisance") != 1 + prod(shape):
            asks = f"modern.switch takes {1 + prod(shape)} entries of the latent as noise, which are its nuisance"
            yield Problem(("prior",), f"{asks}: take prior: {{kind: gaussian, nuisance_dim: {1 + prod(shape)}}}")

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        if len(sees) > 1 or len(sees[0]) > 1 or sees[0][0] <= 1 + prod(gives):
            return f"modern.switch is a generator, on a vector of more than {1 + prod(gives)} entries"
        return self.network.misfit(*self._inner(sees, gives))

    @override
    def parameters(self, sees: tuple[Shape, ...], gives: Shape) -> int | None:
        return self.network.parameters(*self._inner(sees, gives))

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes_modern.switch import Switch

        return Switch(self.network.build(*self._inner(sees, gives)), self.experts, gives)

    def _inner(self, sees: tuple[Shape, ...], gives: Shape) -> tuple[tuple[Shape, ...], Shape]:
        return ((sees[0][0] - 1 - prod(gives),),), (self.experts * (1 + prod(gives)),)
