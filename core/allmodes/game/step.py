"""The step, the only argument of a loss: what a method's author may ask of one draw.

B is the batch size, `pack` the number of items that the discriminator judges together, F the size of its features.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from allmodes.data.batch import Batch
from allmodes.game.contracts import Latent, in_form
from allmodes.game.memo import Memo
from allmodes.game.networks import Forward, Networks
from allmodes.game.noise import Noise
from allmodes.game.views import SIDES, Made, View, find_view, interpolate, make, pack
from allmodes_schemas import Form

Side: TypeAlias = str
"""What may be judged: `real` or `fake` (data, generated data), `between` (the random points between them at which
WGAN-GP penalises), or the name of a view."""
INNER = re.compile(r"/noisy\d+/")
"""In the names of noise that modules within networks draw, such as the masks of dropout."""


class Draw(NamedTuple):
    """A batch and a source of noise that remembers its draws: the input of an update."""

    batch: Batch
    noise: Noise

    def reuse(self) -> Draw:
        """The same batch and noise for another turn, but for what modules within networks draw (dropout masks)."""
        return Draw(self.batch, self.noise.without(INNER))


class Context(NamedTuple):
    """Constants of a turn: the networks, the weights of the active terms, the iteration.

    `unroll` is the engine's: from a step, a player and a number of updates to the step after these updates.
    """

    networks: Networks
    weights: Mapping[str, float | Tensor]
    iteration: int | Tensor = 0
    unroll: Callable[[Step, str, int], Step] | None = None


class Step:
    """One draw and everything computed from it, lazily and once, so that terms share forward passes.

    `batch` holds the real items, `noise` is the source of all randomness.
    """

    def __init__(
        self, context: Context, draw: Draw, forward: Forward | None = None, known: Mapping[Any, Any] | None = None
    ) -> None:
        self.context, self.batch, self.noise = context, draw.batch, draw.noise
        self.forward = Forward(context.networks) if forward is None else forward
        self.losses: dict[tuple[str, str], Tensor] = {}
        self.memo = Memo(known or {})
        self._once = self.memo.once
        self._views: dict[str, View] = {}

    # The draw

    @property
    def x(self) -> Tensor:
        """Real items (B, *shape)."""
        return self.batch.x

    @property
    def n(self) -> int:
        """The number of real items, B."""
        return len(self.batch.x)

    @property
    def labels(self) -> Tensor:
        """Labels of the real items (B,). Raises LookupError where the data have none."""
        if self.batch.labels is None:
            raise LookupError("the data have no labels")
        return self.batch.labels

    @property
    def iteration(self) -> Tensor:
        """The iteration, from 0, as a tensor () on the device of the data."""
        return self._once("iteration", lambda: torch.as_tensor(self.context.iteration, device=self.x.device))

    def stream(self, name: str) -> Batch:
        """A batch of one of the spec's streams of labelled items."""
        return self.batch.streams[name]

    # Computed from it

    @property
    def latent(self) -> Latent:
        """The draw of the prior: z (B, dim) and its parts by name."""
        latent: Latent = self._once("latent", lambda: self.call("prior", self.noise.at("latent"), self.n))
        return latent

    @property
    def fake(self) -> Tensor:
        """Generated items G(z) (B, *shape)."""
        fake: Tensor = self._once("fake", lambda: self.call("generator", self.latent.z))
        return fake

    def view(self, name: str, items: Made, code: Made | None = None) -> Side:
        """Name further items (B, *shape) to judge, and return their side, which is asked for like `real` and `fake`.

        They are made once: a name stands for the same items in all functions of a loss term, and for others in another
        term. A joint discriminator sees their `code` (B, code_dim), by default the joint auxiliary's of them.
        """
        if name in SIDES:
            raise ValueError(f"a view needs a name of its own: {name!r} is a side of every step")
        side = f"{term}/{name}" if (term := self.forward.term[0]) else name
        self._views.setdefault(side, View(items, code))
        return side

    def data(self, side: Side) -> Tensor:
        """Real items, generated items or those of a view (B, *shape). Raises LookupError for any other side."""
        if side == "real":
            return self.x
        if side == "fake":
            return self.fake
        return self._once(("items", side), lambda: make(find_view(self._views, side).items))

    def score(self, side: Side) -> Tensor:
        """The discriminator's score (B/pack,) before any sigmoid, larger for real items unless the game reverses it."""
        return self._judge(side)[0]

    def features(self, side: Side) -> Tensor:
        """The discriminator's features (B/pack, F)."""
        return self._judge(side)[1]

    def auxiliary(self, name: str, side: Side) -> Any:
        """An auxiliary's output for a side's items or, where it is a head, for the discriminator's features of them."""
        return self._once(("auxiliary", name, side), lambda: self.call(name, self._read(name, side), place=side))

    def code(self, name: str, side: Side) -> Tensor:
        """An auxiliary's code (B, code_dim), which a joint discriminator sees beside real items."""
        noise, read = self.noise.at(f"{name}/{side}"), partial(self._read, name, side)
        make_code = self.forward.code
        return self._once(("code", name, side), lambda: make_code(name, self.auxiliary(name, side), noise, read))

    def estimate(self, name: str, side: Side, form: Form) -> Any:
        """An auxiliary's estimate of the part that it gives, as a `point`, a `gaussian` or `logits` (`Need.form`)."""
        estimate = self.call(name, self.auxiliary(name, side), place=side, method="estimate")
        self.forward.check(name, f"estimate of {name}", partial(self._read, name, side), estimate)
        return in_form(estimate, form)

    def seen(self, side: Side) -> tuple[Tensor, ...]:
        """The discriminator's inputs (B/pack, ...) on a side: packed items and, where it is joint, their codes."""
        return self._once(("seen", side), lambda: self.forward.separate(self._see(side)))

    def score_gradients(self, side: Side) -> tuple[Tensor, ...]:
        """Gradient of the score with respect to each tensor of `seen(side)`, differentiable again."""
        judge = partial(self.call, "discriminator", place=side)
        return self._once(("gradients", side), lambda: self.forward.gradients(judge, self.seen(side), self.score(side)))

    def squared_gradient_norm(self, side: Side) -> Tensor:
        """Squared norm (B/pack,) of the score's gradient over all inputs of one score."""
        return torch.stack([g.flatten(1).square().sum(1) for g in self.score_gradients(side)]).sum(0)

    def parameters(self, module: str) -> dict[str, Tensor]:
        """The parameters of a module by name, as they are in this step; `after_update` may write into them."""
        return {name: self.tensor(module, name) for name, _ in self.context.networks.modules[module].named_parameters()}

    def tensor(self, module: str, name: str) -> Tensor:
        """A parameter or buffer of a module by name, such as `tensor("prior", "weights")`."""
        return self.forward.tensor(module, name)

    def offer(self, name: str) -> Tensor:
        """A tensor that the prior offers, such as `weights`, the modes' probabilities (modes,)."""
        offered: Tensor = self.call("prior", name, method="offer")
        return offered

    # Other draws, other networks

    def redraw(self, name: str = "second") -> Step:
        """A step on the same batch with another, independent latent; the same name gives the same step."""
        draw, known = Draw(self.batch, self.noise.at(name)), self.memo.get(("redrawn", name))
        return self._once(("redraw", name), lambda: Step(self.context, draw, self.forward.frozen_copy(), known))

    def after(self, player: str, updates: int) -> Step:
        """The step after a number of differentiable updates of a player on this draw (Unrolled GAN)."""
        unroll = self.context.unroll
        if unroll is None:
            raise LookupError("step.after needs the optimisers' memories, which this engine does not provide")
        return self._once(("after", player, updates), lambda: unroll(self, player, updates))

    def call(self, name: str, *inputs: Any, place: str = "", method: str = "forward") -> Any:
        """The output of a module by name, or of another `method`, such as a prior's `log_prob`.

        Calls of one module with different `place` have independent noise.
        """
        return self.forward(name, inputs, self.noise, place, method)

    def settle(self) -> None:
        """End the losses: what acts after the update names views of its own."""
        self._views.clear()

    def _read(self, name: str, side: Side) -> Tensor:
        """What an auxiliary reads on a side."""
        return self.features(side) if name in self.context.networks.heads else self.data(side)

    def _judge(self, side: Side) -> tuple[Tensor, Tensor]:
        verdict: tuple[Tensor, Tensor]
        verdict = self._once(("verdict", side), lambda: self.call("discriminator", *self.seen(side), place=side))
        return verdict

    def _see(self, side: Side) -> tuple[Tensor, ...]:
        """What the discriminator sees on a side, with the autograd history of how it was made."""
        if side == "between":
            real, fake = self.seen("real"), self.seen("fake")
            return interpolate(real, fake, self.noise.uniform("between", len(real[0])))
        discriminator = self.context.networks.discriminator
        things = [self.data(side)]
        if discriminator.joint is not None:
            things.append(self._code_beside(side, discriminator.joint))
        return tuple([pack(thing, discriminator.pack) for thing in things])

    def _code_beside(self, side: Side, joint: str) -> Tensor:
        if side == "fake":
            return self.latent.code
        given = None if side == "real" else find_view(self._views, side).code
        return self.code(joint, side) if given is None else self._once(("code of view", side), lambda: make(given))
