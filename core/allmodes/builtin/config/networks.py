"""Settings of the core's networks: the multilayer perceptron and the DCGAN family."""

import math
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from typing_extensions import override

from allmodes_schemas import NetworkConfig, Sane, Shape

if TYPE_CHECKING:
    from allmodes.builtin.dcgan import DcganEncoder, DcganGenerator
    from allmodes.builtin.networks import Mlp

SIZES = range(8, 129)
WIDEST = 2**16


class MlpConfig(NetworkConfig):
    """Multilayer perceptron from any shapes to any shape."""

    kind: Literal["mlp"] = "mlp"
    """The word that picks this network."""
    hidden: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Sane(WIDEST, length=100)] = (128, 128)
    """Units of each hidden layer, from the input on; empty for a linear map."""
    activation: Literal["relu", "leaky_relu", "tanh", "silu", "maxout"] = "relu"
    """Nonlinearity after each hidden layer; `maxout` takes the largest of several linear maps for each unit."""
    slope: float = Field(0.2, ge=0, lt=1)
    """Slope of `leaky_relu` below zero."""
    pieces: int = Field(5, ge=2, le=100)
    """Linear maps for each unit of `maxout` (Goodfellow et al., 2013)."""
    init: Literal["xavier", "torch"] = "xavier"
    """Initial weights: Xavier-uniform with zero biases, or torch's own, uniform within 1/sqrt(inputs)."""
    output: Literal["linear", "tanh", "sigmoid"] = "linear"
    """Nonlinearity of the output: `tanh` for data in [-1, 1], `sigmoid` for data in [0, 1]."""
    batch_norm: bool = False
    """Whether each hidden layer is normalised over the batch before its nonlinearity."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that a hidden unit is dropped in training."""

    @override
    def normalises_batches(self) -> bool:
        return self.batch_norm and bool(self.hidden)

    @override
    def parameters(self, sees: tuple[Shape, ...], gives: Shape) -> int:
        sizes, times = [sum(map(prod, sees)), *self.hidden], self.pieces if self.activation == "maxout" else 1
        return sum((a + 1) * b * times for a, b in pairwise(sizes)) + (sizes[-1] + 1) * prod(gives)

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> "Mlp":
        """The perceptron from inputs of shapes `sees`, flattened side by side, to an output of shape `gives`."""
        from allmodes.builtin.networks import Mlp

        return Mlp(sees, gives, **self.model_dump(exclude={"kind"}))


class DcganConfig(NetworkConfig):
    """Convolutional network of DCGAN (Radford et al., 2016): a vector to an image, or an image to a vector.

    The shapes decide which: as a generator it sees a vector and gives an image in [-1, 1]; as a discriminator or
    encoder it sees an image, or an image and a vector, and gives a vector. Images are square, of 8 to 128 px.
    """

    kind: Literal["dcgan"] = "dcgan"
    """The word that picks this network."""
    channels: Annotated[int, Sane(4096)] = Field(64, ge=1)
    """Channels of the layer beside the image; they double at each halving of the image, up to eight times this."""
    kernel: Literal[4, 5] = 4
    """Side of the convolutions' kernels, in px."""
    batch_norm: bool = True
    """BatchNorm but in a discriminator's first and a generator's last layer; off in a critic with gradient penalty."""
    output: Literal["tanh", "linear", "sigmoid"] = "tanh"
    """Nonlinearity of a generated image (a vector output is always linear)."""
    joint_hidden: Annotated[int, Sane(WIDEST)] = Field(256, ge=1)
    """Units of the hidden layer that joins an image's features with a second, vector input."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that a hidden unit is dropped in training."""

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        images = [shape for shape in (*sees, gives) if len(shape) == 3]
        if not images:
            return f"dcgan needs images, but it is to map {_join_shapes(sees)} to {gives}: use kind: mlp"
        if len(images) > 1 or not _has_dcgan_axes(sees, gives):
            asked = f"{_join_shapes(sees)} to {gives}"
            return f"dcgan maps a vector to an image, or an image (and a vector) to a vector, not {asked}"
        return _misfit_of_image(images[0], generated=len(gives) == 3)

    @override
    def normalises_batches(self) -> bool:
        return self.batch_norm

    @override
    def parameters(self, sees: tuple[Shape, ...], gives: Shape) -> int:
        # Biases are left out.
        image, vector = (gives, sees[0]) if len(gives) == 3 else (sees[0], gives)
        halvings = max(math.ceil(math.log2(max(image[-1], 5) / 4)), 1)
        widths: list[int] = [image[0], *(self.channels * min(2**i, 8) for i in range(halvings))]
        convolutions = self.kernel**2 * sum(a * b for a, b in pairwise(widths))
        flat = 16 * widths[-1]
        joined = (flat + sees[1][0]) * self.joint_hidden if len(sees) > 1 else flat * vector[0]
        return convolutions + joined

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> "DcganGenerator | DcganEncoder":
        """The generator if `gives` is an image's shape (C, S, S), else the encoder of an image of shape `sees[0]`.

        Raises:
            ValueError: The shapes do not fit; the message is that of `misfit`.
        """
        from allmodes.builtin.dcgan import DcganEncoder, DcganGenerator

        if problem := self.misfit(sees, gives):
            raise ValueError(problem)
        common = self.model_dump(include={"channels", "kernel", "batch_norm", "dropout"})
        if len(gives) == 3:
            return DcganGenerator(sees[0], gives, output=self.output, **common)
        return DcganEncoder(sees, gives, joint_hidden=self.joint_hidden, **common)


def _join_shapes(shapes: tuple[Shape, ...]) -> str:
    return " and ".join(str(shape) for shape in shapes)


def _has_dcgan_axes(sees: tuple[Shape, ...], gives: Shape) -> bool:
    """Whether axes are those of a generator (vector to image) or of an encoder (image, perhaps vector, to vector)."""
    return (tuple(len(shape) for shape in sees), len(gives)) in {((1,), 3), ((3,), 1), ((3, 1), 1)}


def _misfit_of_image(shape: Shape, generated: bool) -> str | None:
    channels, height, width = shape
    if height != width:
        return f"dcgan needs square images, but these have {height} x {width} px: crop or pad them"
    if height not in SIZES:
        return f"dcgan takes images of {SIZES[0]} to {SIZES[-1]} px, but these have {height} px: resize them"
    if generated and channels not in (1, 3):  # a discriminator may see several packed images in its channels
        return f"dcgan generates images of 1 or 3 channels, but these have {channels}"
    return None


KINDS = (MlpConfig, DcganConfig)
