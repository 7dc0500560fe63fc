"""The step: one draw and everything computed from it, each thing once. A loss term sees nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from allmodes.data.batch import Batch
from allmodes.game.contracts import Latent
from allmodes.game.networks import Forward, Networks, Side
from allmodes.game.noise import Noise

MASK = re.compile(r"/dropout\d+/mask$")
"""Names of the noise that dropout takes its masks from."""
Value = TypeVar("Value")


class Draw(NamedTuple):
    """What an update is computed from: a batch and a source of noise that remembers what it gave."""

    batch: Batch
    noise: Noise

    def again(self) -> Draw:
        """The same batch and noise for another turn, but for the masks of dropout."""
        return Draw(self.batch, self.noise.without(MASK))


class Context(NamedTuple):
    """What holds for a whole turn: the networks, the weights of the active terms, and how the engine looks ahead.

    `unroll` takes a step, a player and a number of updates, and returns the step after them.
    """

    networks: Networks
    weights: Mapping[str, float]
    iteration: int = 0
    unroll: Callable[[Step, str, int], Step] | None = None


class Step:
    """One draw with everything computed from it, lazily and once, so that terms share forward passes.

    Sides are named: `"real"`, `"fake"`, and `"between"` for interpolates of what the discriminator sees.
    """

    def __init__(self, context: Context, draw: Draw, forward: Forward | None = None) -> None:
        self.context, self.batch, self.noise = context, draw.batch, draw.noise
        self.forward = Forward(context.networks) if forward is None else forward
        self.losses: dict[tuple[str, str], Tensor] = {}
        self._memo: dict[Hashable, Any] = {}

    # What was drawn

    @property
    def x(self) -> Tensor:
        """Real data (B, *shape)."""
        return self.batch.x

    @property
    def n(self) -> int:
        """Items in the batch, B."""
        return len(self.batch.x)

    @property
    def labels(self) -> Tensor:
        """Labels of the real data (B,)."""
        if self.batch.labels is None:
            raise LookupError("the data have no labels")
        return self.batch.labels

    @property
    def iteration(self) -> Tensor:
        """The iteration as a scalar on the device (terms never look at it on the host)."""
        return self._once("iteration", lambda: torch.as_tensor(self.context.iteration, device=self.x.device))

    def stream(self, name: str) -> Batch:
        """A further named stream of real data, such as a small labelled subset."""
        return self.batch.streams[name]

    # What is computed

    @property
    def latent(self) -> Latent:
        """The latent draw."""
        latent: Latent = self._once("latent", lambda: self.call("prior", self.noise.at("latent"), self.n))
        return latent

    @property
    def fake(self) -> Tensor:
        """Generated data G(z) (B, *shape)."""
        fake: Tensor = self._once("fake", lambda: self.call("generator", self.latent.z))
        return fake

    def data(self, side: Side) -> Tensor:
        """Real or generated data by side."""
        return self.x if side == "real" else self.fake

    def score(self, side: Side) -> Tensor:
        """The discriminator's score (B/pack,), larger for what it takes for real unless the game says otherwise."""
        return self._judged(side)[0]

    def features(self, side: Side) -> Tensor:
        """The discriminator's features (B/pack, F)."""
        return self._judged(side)[1]

    def auxiliary(self, name: str, side: Side) -> Any:
        """An auxiliary's output on real or generated data, or on the discriminator's features there."""
        inputs = self.features if name in self.context.networks.heads else self.data
        return self._once(("auxiliary", name, side), lambda: self.call(name, inputs(side), place=side))

    def code(self, name: str, side: Side) -> Tensor:
        """An auxiliary's code (B, code_dim), which a joint discriminator sees beside real data."""
        module, place = self.context.networks.auxiliary_module(name), f"{name}/{side}"
        return self._once(("code", name, side), lambda: module.code(self.auxiliary(name, side), self.noise.at(place)))

    def seen(self, side: Side) -> tuple[Tensor, ...]:
        """What the discriminator sees on a side: data, and a code where it is joint; packed."""
        see = self._interpolate if side == "between" else lambda: self._see(side)
        return self._once(("seen", side), see)

    def score_gradients(self, side: Side) -> tuple[Tensor, ...]:
        """Gradient of the scores with respect to each thing seen, differentiable again."""
        return self._once(("gradients", side), lambda: self.forward.score_gradients(self, side))

    def squared_gradient_norm(self, side: Side) -> Tensor:
        """Squared norm of the score's gradient, over everything that one score sees: (B/pack,)."""
        return torch.stack([g.flatten(1).square().sum(1) for g in self.score_gradients(side)]).sum(0)

    def tensor(self, module: str, name: str) -> Tensor:
        """A parameter or buffer of a module by name, such as a prior's learned weights."""
        return self.forward.tensor(module, name)

    # Other draws, other networks

    def redraw(self, name: str = "second") -> Step:
        """The same batch with another, independent latent draw; each name is drawn once."""
        draw = Draw(self.batch, self.noise.at(name))
        return self._once(("redraw", name), lambda: Step(self.context, draw, self.forward.again()))

    def after(self, player: str, updates: int) -> Step:
        """The step after that many differentiable updates of a player on this draw (Unrolled GAN)."""
        unroll = self.context.unroll
        if unroll is None:
            raise LookupError("step.after needs the optimisers' memories, which this engine does not provide")
        return self._once(("after", player, updates), lambda: unroll(self, player, updates))

    def call(self, name: str, *inputs: Any, place: str = "") -> Any:
        """Run a module by name; `place` tells apart several calls of one module, so that each has noise of its own."""
        return self.forward(name, inputs, self.noise.at(f"{name}/{place}"))

    def forget_judgements(self) -> None:
        """Let what the discriminator sees and says be computed again."""
        for key in [key for key in self._memo if isinstance(key, tuple) and key[0] in ("seen", "judged")]:
            del self._memo[key]

    def _once(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        if key not in self._memo:
            self._memo[key] = compute()
        value: Value = self._memo[key]
        return value

    def _judged(self, side: Side) -> tuple[Tensor, Tensor]:
        judged: tuple[Tensor, Tensor]
        judged = self._once(("judged", side), lambda: self.call("discriminator", *self.seen(side), place=side))
        return judged

    def _see(self, side: Side) -> tuple[Tensor, ...]:
        discriminator = self.context.networks.discriminator
        things = [self.data(side)]
        if discriminator.joint is not None:
            things.append(self.code(discriminator.joint, "real") if side == "real" else self.latent.code)
        return tuple([self.forward.separate(discriminator.together(thing)) for thing in things])

    def _interpolate(self) -> tuple[Tensor, ...]:
        real, fake = self.seen("real"), self.seen("fake")
        t = self.noise.uniform("between", len(real[0]))  # (B/pack,)
        pairs = zip(real, fake, strict=True)
        return tuple(self.forward.separate(torch.lerp(f, r, t.reshape(-1, *[1] * (r.dim() - 1)))) for r, f in pairs)
