"""Settings of UOTM."""

from collections.abc import Iterable
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, Problem, Spec
from allmodes_modern.configs import check_code

Conjugate: TypeAlias = Literal["kl", "chi2", "softplus", "identity"]


class UotmConfig(LossTermConfig):
    """The game of unbalanced optimal transport from the code to data (Choi, Choi and Kang, 2023)."""

    kind: Literal["modern.uotm"] = "modern.uotm"
    is_game: ClassVar[bool] = True

    tau: float = Field(0.01, ge=0)
    """Factor of the squared distance that a code is moved."""
    source: Conjugate = "kl"
    """How mass may be left out of the prior: the conjugate Psi_1*; `identity` leaves none out."""
    target: Conjugate = "kl"
    """How mass may be left out of the data: the conjugate Psi_2*."""

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        return check_code(self.kind, spec)

    @override
    def build(self) -> Any:
        from allmodes_modern.uotm import Uotm

        return Uotm(self.tau, self.source, self.target)
