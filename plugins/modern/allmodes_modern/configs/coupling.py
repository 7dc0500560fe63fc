"""Settings of the coupling term."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, Problem, Sane, Spec
from allmodes_modern.configs import check_code
from allmodes_modern.configs.switch import SwitchConfig


class CouplingConfig(LossTermConfig):
    """Likelihood of items given the latents that optimal transport couples them with, with or without a game."""

    kind: Literal["modern.coupling"] = "modern.coupling"
    serves: ClassVar[tuple[str, ...]] = ("generator",)

    block: Annotated[int, Sane(4096)] = Field(256, ge=1)
    """Latents and items that are coupled at a time; 1 couples at random."""
    refit: Annotated[int, Sane(10**6)] = Field(200, ge=1)
    """Iterations after which new latents are coupled with the items."""

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        # No other network has a likelihood.
        if not isinstance(spec.generator, SwitchConfig):
            what = f"{self.kind} needs the likelihood of a generator, which {spec.generator.kind} has not"
            yield Problem(("generator",), f"{what}: take generator: {{kind: modern.switch}}")
        yield from check_code(self.kind, spec)

    @override
    def build(self) -> Any:
        from allmodes_modern.coupling import Coupling

        return Coupling(self.block, self.refit)
