"""Settings of the transport term."""

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from typing_extensions import override

from allmodes import LossTermConfig, Problem, Spec
from allmodes_modern.configs import check_code


class TransportConfig(LossTermConfig):
    """Keeps generated items near their latent, beside any game (Adversarial Flow Models, Lin et al., 2026)."""

    kind: Literal["modern.transport"] = "modern.transport"
    serves: ClassVar[tuple[str, ...]] = ("generator",)

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        return check_code(self.kind, spec)

    @override
    def build(self) -> Any:
        from allmodes_modern.transport import Transport

        return Transport()
