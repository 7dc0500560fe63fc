"""Settings of ALI and BiGAN."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from typing_extensions import override

from allmodes import AuxiliaryConfig, Form, LossTermConfig, MlpConfig, Need, NetworkConfig, Problem, Shape, Spec

_ENCODER = "auxiliaries.encoder: {kind: baselines.encoder}"


class EncoderConfig(AuxiliaryConfig):
    """E, which maps data back to the code: a draw (ALI) or a point (BiGAN)."""

    kind: Literal["baselines.encoder"] = "baselines.encoder"
    gives: ClassVar[str] = "code"
    trained_by: ClassVar[tuple[str, ...]] = ("generator",)

    network: NetworkConfig = MlpConfig(hidden=(128, 128))
    """The body of E."""
    noise: Literal["gaussian", "none"] = "gaussian"
    """`gaussian`: the code is drawn with a mean and a variance that E learns (ALI); `none`: it is E(x) (BiGAN)."""

    @property
    @override
    def form(self) -> Form:
        return "gaussian" if self.noise == "gaussian" else "point"

    @override
    def misfit(self, sees: Shape) -> str | None:
        return self.network.misfit((sees,), (1,))

    @override
    def build(self, sees: Shape, parts: Mapping[str, int]) -> Any:
        from allmodes_baselines.ali import Encoder, GaussianEncoder

        if self.noise == "none":
            return Encoder(self.network.build((sees,), (parts["code"],)))
        return GaussianEncoder(self.network.build((sees,), (2 * parts["code"],)))


class AliConfig(LossTermConfig):
    """The discriminator distinguishes (x, E(x)) from (G(z), z); generator and encoder learn from both."""

    kind: Literal["baselines.ali"] = "baselines.ali"
    is_game: ClassVar[bool] = True
    needs: ClassVar[tuple[Need, ...]] = (
        Need("auxiliary", "code", _ENCODER),
        Need("joint", remedy="joint: encoder to discriminator"),
    )

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        # An encoder that the game does not train keeps its initial weights.
        name = getattr(spec.discriminator, "joint", None)
        encoder = spec.auxiliaries.get(name) if name else None
        if encoder is not None and "generator" not in encoder.trained_by:
            what = (
                f"{self.kind} trains {name!r} through the generator's player, which {encoder.kind} does not belong to"
            )
            yield Problem(("auxiliaries", str(name)), f"{what}: take {{kind: baselines.encoder}}")

    @override
    def build(self) -> Any:
        from allmodes_baselines.ali import Ali

        return Ali()
