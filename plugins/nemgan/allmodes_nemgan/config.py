"""Settings of NEMGAN's prior, inverter and losses."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, model_validator
from typing_extensions import override

from allmodes import (
    AdamConfig,
    AuxiliaryConfig,
    LossTermConfig,
    MlpConfig,
    Need,
    NetworkConfig,
    PlayerConfig,
    PriorConfig,
    Problem,
    Shape,
    Spec,
)

_MODES = Need("part", "mode", "a prior with modes, such as prior: {kind: nemgan.mode_mixture}")
_INVERTER = Need("auxiliary", "mode", "auxiliaries.inverter: {kind: nemgan.inverter}")
_SCORES = Need("auxiliary", "mode", _INVERTER.remedy, "logits")
_WEIGHTS = Need("prior", "weights", "prior: {kind: nemgan.mode_mixture, weights: learned}")
_STRIDE = 5


class ModeMixtureConfig(PriorConfig):
    """z = noise plus a unit vector for the mode, whose probabilities are fixed or learned."""

    kind: Literal["nemgan.mode_mixture"] = "nemgan.mode_mixture"
    dim: int = Field(50, ge=1)
    """Size of z; the noise is added to all of it."""
    modes: int = Field(10, ge=2, le=100_000)
    """Number of modes, K."""
    noise: float = Field(0.3, gt=0)
    """The noise is uniform between minus and plus this; modes keep apart below 0.5."""
    placement: Literal["last", "every_fifth"] = "last"
    """Coordinates that carry the modes: the last K, or every fifth one (0, 5, 10, ...) as in the first version."""
    weights: Literal["uniform", "learned"] | tuple[PositiveFloat, ...] = "uniform"
    """Probabilities of the modes: equal, learned (from equal ones on), or a list of K numbers up to a common factor."""
    gradient: Literal["steep", "straight_through"] = "steep"
    """How learned probabilities get a gradient: through a steep gate as released, where draws near a boundary lie
    between two modes; or straight through, with draws that are exactly of one mode."""
    steepness: float = Field(1e7, gt=0)
    """Slope of the gate: it is open for (2.5 / steepness)^(1/3) on either side of a boundary (0.0063)."""

    @model_validator(mode="after")
    def _modes_have_room(self) -> Self:
        if max(self.positions()) >= self.dim:
            needed = max(self.positions()) + 1
            raise ValueError(f"dim is {self.dim}, but {self.modes} modes placed {self.placement} need {needed} or more")
        return self

    @model_validator(mode="after")
    def _weights_fit(self) -> Self:
        if isinstance(self.weights, tuple) and len(self.weights) != self.modes:
            raise ValueError(f"weights has {len(self.weights)} entries but there are {self.modes} modes")
        return self

    def positions(self) -> tuple[int, ...]:
        """The coordinate of each mode."""
        if self.placement == "last":
            return tuple(range(max(self.dim - self.modes, 0), max(self.dim - self.modes, 0) + self.modes))
        return tuple(range(0, _STRIDE * self.modes, _STRIDE))

    @property
    @override
    def offers(self) -> tuple[str, ...]:
        return ("weights",)

    @override
    def parts(self) -> Mapping[str, int | None]:
        return {"code": self.dim, "mode": self.modes, "noise": self.dim}

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        # Without a player that learns them, weights stay equal; fixed ones teach a player nothing.
        teachers = [term for term in spec.losses for player in term.players() if "prior" in player.modules]
        if self.weights != "learned":
            remedy = "set prior.weights: learned, or remove it"
            yield from (Problem(spec.where(t), f"{t.kind} has nothing to learn: {remedy}") for t in teachers)
        elif not teachers:
            what = "no loss trains the prior, so weights: learned stay equal: add {kind: nemgan.prior_matching}"
            yield Problem(("prior", "weights"), f"{what}, or set weights: uniform", "warning")

    @override
    def build(self) -> Any:
        from allmodes_nemgan.prior import ModeMixture

        given = self.weights if isinstance(self.weights, tuple) else (1.0,) * self.modes
        learned = self.weights == "learned"
        return ModeMixture(self.dim, self.positions(), given, self.noise, learned, self.gradient, self.steepness)


class InverterConfig(AuxiliaryConfig):
    """h, which maps data to z_hat and from there to scores of the modes, y_hat."""

    kind: Literal["nemgan.inverter"] = "nemgan.inverter"
    gives: ClassVar[str] = "mode"
    form: ClassVar[Literal["logits"]] = "logits"
    trained_by: ClassVar[tuple[str, ...]] = ()  # the losses bring their own players

    network: NetworkConfig = MlpConfig(hidden=(128, 128))
    """The body, from data to z_hat: a perceptron or a convolutional network."""
    output: Literal["linear", "leaky_relu"] = "leaky_relu"
    """Nonlinearity of z_hat; the released inverter ends in a leaky ReLU, although z goes down to -0.3."""
    head: Literal["softmax", "cosine"] = "softmax"
    """Scores of the modes: a linear map of z_hat, or `scale` times the cosine with each direction (AM-softmax)."""
    scale: float = Field(30.0, gt=0)
    """Factor of the cosines, s."""
    init: Literal["torch", "xavier"] = "torch"
    """First weights of the map from z_hat to scores: torch's own, or Keras's, Xavier-uniform with zero biases."""

    @override
    def misfit(self, sees: Shape) -> str | None:
        return self.network.misfit((sees,), (1,))

    @override
    def build(self, sees: Shape, parts: Mapping[str, int]) -> Any:
        """h for data of shape `sees`, a latent of size `parts["code"]` and `parts["mode"]` modes.

        Raises CompositionError where the latent has no modes.
        """
        from allmodes import CompositionError
        from allmodes_nemgan.inverter import Inverter

        if "mode" not in parts:
            raise CompositionError(f"{self.kind} estimates modes, which the prior lacks: take {_MODES.remedy}")
        body = self.network.build((sees,), (parts["code"],))
        scale = self.scale if self.head == "cosine" else None
        return Inverter(body, parts["code"], parts["mode"], self.output, scale, self.init)


class LatentInversionConfig(LossTermConfig):
    """h should find z and the mode of a generated item; trains generator and inverter by a player of its own."""

    kind: Literal["nemgan.latent_inversion"] = "nemgan.latent_inversion"
    needs: ClassVar[tuple[Need, ...]] = (_MODES, _INVERTER)

    auxiliary: str = "inverter"
    """The inverter."""
    z_loss: Literal["mse", "mae"] = "mse"
    """Distance of z and z_hat, a mean over batch and entries."""
    z_weight: float = Field(10.0, ge=0)
    """Factor of that distance; the first version has 100, with `mae`."""
    y_loss: Literal["binary", "categorical", "am_softmax"] = "binary"
    """Cross entropy of the mode and y_hat: a mean over entries as released, that of a class, or with a margin."""
    y_weight: float = Field(1.0, ge=0)
    """Factor of the cross entropy; 1 in the first version too, whose 10 in the AM-softmax counts classes."""
    margin: float = Field(0.4, ge=0, lt=1)
    """m of the AM-softmax, in cosines."""

    @override
    def players(self) -> tuple[PlayerConfig, ...]:
        adam = AdamConfig(lr=1e-4, betas=(0.9, 0.999))
        return (PlayerConfig(name="inversion", modules=("generator", self.auxiliary), optimizer=adam),)

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        inverter = spec.auxiliaries.get(self.auxiliary)
        if self.y_loss == "am_softmax" and isinstance(inverter, InverterConfig) and inverter.head != "cosine":
            what = f"y_loss am_softmax needs cosines: set auxiliaries.{self.auxiliary}.head: cosine"
            yield Problem((*spec.where(self), "y_loss"), what)

    @override
    def build(self) -> Any:
        from allmodes_nemgan.losses import LatentInversion

        return LatentInversion(self.auxiliary, self.z_loss, self.z_weight, self.y_loss, self.y_weight, self.margin)


class PriorMatchingConfig(LossTermConfig):
    """KL of the modes that h sees in real data from the prior's; trains the prior alone, and starts late."""

    kind: Literal["nemgan.prior_matching"] = "nemgan.prior_matching"
    needs: ClassVar[tuple[Need, ...]] = (_MODES, _WEIGHTS, _SCORES)

    start: int = Field(10_000, ge=0)
    """First iteration at which the term counts: earlier, h knows little about real data."""
    auxiliary: str = "inverter"
    """The inverter."""
    estimator: Literal["sampled", "analytic"] = "analytic"
    """What real data are compared with: the probabilities themselves, or (as released) the mean of a batch of draws,
    where a mode that the batch lacks counts as half a draw."""

    @override
    def players(self) -> tuple[PlayerConfig, ...]:
        return (PlayerConfig(name="prior", modules=("prior",), optimizer=AdamConfig(lr=1e-3, betas=(0.9, 0.999))),)

    @override
    def build(self) -> Any:
        from allmodes_nemgan.losses import PriorMatching

        return PriorMatching(self.auxiliary, self.estimator)


class SparseSupervisionConfig(LossTermConfig):
    """Cross entropy of y_hat on a few labelled items; trains the inverter alone, and so names the modes."""

    kind: Literal["nemgan.sparse_supervision"] = "nemgan.sparse_supervision"
    needs: ClassVar[tuple[Need, ...]] = (_MODES, _SCORES, Need("stream", remedy="streams.labelled: {items: 500}"))

    auxiliary: str = "inverter"
    """The inverter."""
    stream: str = "labelled"
    """The stream of labelled items; label k names mode k."""

    @override
    def players(self) -> tuple[PlayerConfig, ...]:
        adam = AdamConfig(lr=1e-4, betas=(0.9, 0.999))
        return (PlayerConfig(name="supervision", modules=(self.auxiliary,), optimizer=adam),)

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        classes, modes = spec.data.classes(), spec.prior.parts().get("mode")
        if classes is not None and modes is not None and classes > modes:
            what = f"{self.kind} names a mode after each label, but there are {classes} labels and {modes} modes"
            yield Problem(spec.where(self), f"{what}: set prior.modes: {classes}")

    @override
    def build(self) -> Any:
        from allmodes_nemgan.losses import SparseSupervision

        return SparseSupervision(self.auxiliary, self.stream)


class InvarianceConfig(LossTermConfig):
    """A moved item is of the same mode, and modes are certain and balanced; trains the inverter on real data."""

    kind: Literal["nemgan.invariance"] = "nemgan.invariance"
    needs: ClassVar[tuple[Need, ...]] = (_MODES, _SCORES)

    auxiliary: str = "inverter"
    """The inverter."""
    information: float = Field(0.1, ge=0)
    """Factor of the information between item and mode, lambda: certain and balanced modes."""
    balance: float = Field(4.0, ge=0)
    """Factor of the modes' balance within it, mu; above 1 against empty modes."""
    shares: Literal["equal", "prior"] = "equal"
    """What the modes' shares are drawn to: equal ones, or the prior's (learned) weights."""
    rotation: float = Field(10.0, ge=0, le=180)
    """Largest rotation of an image, in degrees."""
    shift: float = Field(0.1, ge=0, le=1)
    """Largest shift of an image along each axis, as a share of its side."""
    scale: float = Field(0.1, ge=0, lt=1)
    """Largest change of an image's size, as a share of it."""
    noise: float = Field(0.0, ge=0)
    """Standard deviation of noise on the item, in the data's units; what vectors are moved by."""

    @override
    def players(self) -> tuple[PlayerConfig, ...]:
        adam = AdamConfig(lr=1e-3, betas=(0.9, 0.999))
        return (PlayerConfig(name="invariance", modules=(self.auxiliary,), optimizer=adam),)

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        # Images can be rotated, points cannot; only a mode mixture has weights.
        where, shape = spec.where(self), spec.data.shape()
        turns = self.rotation or self.shift or self.scale
        if shape is not None and len(shape) != 3 and turns:
            what = f"{self.kind} turns, shifts and scales images, but items of {spec.data.kind} have shape {shape}"
            yield Problem(
                where, f"{what}: set rotation: 0, shift: 0, scale: 0, and noise: to what leaves the mode as it is"
            )
        if self.shares == "prior" and "weights" not in spec.prior.offers:
            what = f"shares: prior reads the weights of the modes, which prior {spec.prior.kind} does not offer"
            yield Problem((*where, "shares"), f"{what}: set shares: equal")

    @override
    def build(self) -> Any:
        from allmodes_nemgan.invariance import Invariance, Moves

        moves = Moves(self.rotation, self.shift, self.scale, self.noise)
        return Invariance(self.auxiliary, moves, self.information, self.balance, self.shares)
