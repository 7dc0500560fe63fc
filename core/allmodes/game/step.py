"""The step: one draw and everything computed from it, each thing once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from allmodes.engine import optimizers
from allmodes.game.contracts import Latent
from allmodes.game.noise import Noise
from allmodes.game.sampling import evaluating

if TYPE_CHECKING:
    from allmodes.game.composition import Composition, Term

Side: TypeAlias = Literal["real", "fake", "between"]
"""Data, generated data, or the random points between them at which WGAN-GP penalises."""
Tensors: TypeAlias = dict[str, Tensor]
NestedTensors: TypeAlias = dict[str, Tensors]
MASK = re.compile(r"/dropout\d+/mask$")
"""Names of the noise that dropout takes its masks from."""
Value = TypeVar("Value")


@dataclass(frozen=True)
class Batch:
    """Real items: x (B, *shape), labels (B,) and index (B,) where the data have them, and further named streams."""

    x: Tensor
    labels: Tensor | None = None
    index: Tensor | None = None
    streams: Mapping[str, Batch] = field(default_factory=dict)


class Draw(NamedTuple):
    """What an update is computed from: a batch and a source of noise that remembers what it gave."""

    batch: Batch
    noise: Noise

    def again(self) -> Draw:
        """The same batch and noise for another turn, but for the masks of dropout."""
        return Draw(self.batch, self.noise.without(MASK))


class Context(NamedTuple):
    """What holds for a whole turn: the composition, the weights of its active terms, the optimisers' memories.

    `inference` names the modules that run as in evaluation.
    """

    composition: Composition
    weights: Mapping[str, float]
    iteration: int = 0
    memory: Callable[[str], optimizers.Memory] | None = None
    inference: Collection[str] = ()


class Step:
    """One draw with everything computed from it, lazily and once, so that terms share forward passes.

    Sides are named: `"real"`, `"fake"`, and `"between"` for interpolates of what the discriminator sees.
    """

    def __init__(self, context: Context, draw: Draw, trained: frozenset[str] = frozenset()) -> None:
        self.context, self.composition = context, context.composition
        self.batch, self.noise = draw.batch, draw.noise
        self.losses: dict[tuple[str, str], Tensor] = {}
        self._memo: dict[Hashable, Any] = {}
        # Trained modules whose BatchNorm statistics still have to advance in this turn.
        self._to_advance = set(trained & self.composition.batch_norms.keys())

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
        return self._once("latent", self._draw_latent)

    @property
    def fake(self) -> Tensor:
        """Generated data G(z) (B, *shape)."""
        return self._once("fake", self._generate)

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
        return self._once(("auxiliary", name, side), lambda: self.call(name, self._seen_by(name, side), place=side))

    def code(self, name: str, side: Side) -> Tensor:
        """An auxiliary's code (B, code_dim), which a joint discriminator sees beside real data."""
        module, place = self.composition.auxiliary_module(name), f"{name}/{side}"
        return self._once(("code", name, side), lambda: module.code(self.auxiliary(name, side), self.noise.at(place)))

    def seen(self, side: Side) -> tuple[Tensor, ...]:
        """What the discriminator sees on a side: data, and a code where it is joint; packed."""
        return self._once(("seen", side), lambda: self._see(side))

    def score_gradients(self, side: Side) -> tuple[Tensor, ...]:
        """Gradient of the scores with respect to each thing seen, differentiable again."""
        return self._once(("gradients", side), lambda: self._differentiate(side))

    def squared_gradient_norm(self, side: Side) -> Tensor:
        """Squared norm of the score's gradient, over everything that one score sees: (B/pack,)."""
        return torch.stack([g.flatten(1).square().sum(1) for g in self.score_gradients(side)]).sum(0)

    def tensor(self, module: str, name: str) -> Tensor:
        """A parameter or buffer of a module by name, such as a prior's learned weights."""
        owner, _, leaf = name.rpartition(".")
        value: Tensor = getattr(self.composition.modules[module].get_submodule(owner), leaf)
        return value

    # Other draws, other networks

    def redraw(self, name: str = "second") -> Step:
        """The same batch with another, independent latent draw; each name is drawn once."""
        return self._once(("redraw", name), lambda: self._like(Draw(self.batch, self.noise.at(name))))

    def after(self, player: str, updates: int) -> Step:
        """The step after that many differentiable updates of a player on this draw (Unrolled GAN)."""
        return self._once(("after", player, updates), lambda: self._unroll(player, updates))

    def call(self, name: str, *inputs: Any, place: str = "") -> Any:
        """Run a module by name; `place` tells apart several calls of one module, so that each has noise of its own."""
        if name in self.context.inference:
            with evaluating(self.composition.modules[name]):
                return self._compute(name, *inputs)
        for i, dropout in enumerate(self.composition.dropouts.get(name, ())):
            dropout.noise = self.noise.at(f"{name}/{place}/dropout{i}")
        norms = self.composition.batch_norms.get(name)
        if norms is None or name in self._to_advance:
            self._to_advance.discard(name)
            return self._compute(name, *inputs)
        with _frozen(norms):
            return self._compute(name, *inputs)

    # How it is computed when networks own their parameters

    def _once(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        if key not in self._memo:
            self._memo[key] = compute()
        value: Value = self._memo[key]
        return value

    def _judged(self, side: Side) -> tuple[Tensor, Tensor]:
        return self._once(("judged", side), lambda: self._judge(side))

    def _judge(self, side: Side) -> tuple[Tensor, Tensor]:
        judged: tuple[Tensor, Tensor] = self.call("discriminator", *self.seen(side), place=side)
        return judged

    def _draw_latent(self) -> Latent:
        latent: Latent = self.call("prior", self.noise.at("latent"), self.n)
        return latent

    def _generate(self) -> Tensor:
        fake: Tensor = self.call("generator", self.latent.z)
        return fake

    def _seen_by(self, name: str, side: Side) -> Tensor:
        return self.features(side) if name in self.composition.heads else self.data(side)

    def _see(self, side: Side) -> tuple[Tensor, ...]:
        if side == "between":
            return self._interpolate(self.seen("real"), self.seen("fake"))
        discriminator = self.composition.discriminator
        things = [self.data(side)]
        if discriminator.joint is not None:
            things.append(self.code(discriminator.joint, "real") if side == "real" else self.latent.code)
        return tuple([self._alias(discriminator.together(thing)) for thing in things])

    def _interpolate(self, real: tuple[Tensor, ...], fake: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        t = self.noise.uniform("between", len(real[0]))  # (B/pack,)
        pairs = zip(real, fake, strict=True)
        return tuple(self._alias(torch.lerp(f, r, t.reshape(-1, *[1] * (r.dim() - 1)))) for r, f in pairs)

    def value(self, term: Term, player: str) -> Tensor:
        """A loss term's scalar for a player."""
        return self.composition.functions[player, term.name](self)

    def _compute(self, name: str, *inputs: Any) -> Any:
        """Run a module in the composition's precision; what it gives is float32 again, so that losses are."""
        precision = self.composition.precision
        if precision is None or name == "prior":
            return self._run(name, *inputs)
        with torch.autocast(self.x.device.type, precision):
            output = self._run(name, *inputs)
        return tree_map_only(Tensor, Tensor.float, output)

    def _run(self, name: str, *inputs: Any) -> Any:
        return self.composition.modules[name](*inputs)

    def _alias(self, thing: Tensor) -> Tensor:
        """A node of its own: gradients with respect to what is seen must not run through how it was made."""
        if not self.composition.differentiates_scores:
            return thing
        return thing.view_as(thing) if thing.requires_grad else thing.detach().requires_grad_()

    def _differentiate(self, side: Side) -> tuple[Tensor, ...]:
        if not self.composition.differentiates_scores:
            # Only found out now: judge this side again; from the next step on it is known beforehand.
            self.composition.differentiates_scores = True
            for key in [key for key in self._memo if isinstance(key, tuple) and key[0] in ("seen", "judged")]:
                del self._memo[key]
        return torch.autograd.grad(self.score(side).sum(), self.seen(side), create_graph=True)

    def _like(self, draw: Draw) -> Step:
        return Step(self.context, draw)

    def _tensors(self) -> NestedTensors:
        modules = self.composition.modules.items()
        return {name: {**dict(m.named_parameters()), **dict(m.named_buffers())} for name, m in modules}

    def _unroll(self, player: str, updates: int) -> Step:
        if self.context.memory is None:
            raise LookupError("step.after needs the optimisers' memories, which this engine does not provide")
        tensors, memory = self._tensors(), self.context.memory(player)
        config = self.composition.players[player].optimizer
        for _ in range(updates):
            own = self.composition.own(player, tensors)
            gradients = torch.func.grad(lambda p, rest=tensors: self._loss_with(player, p, rest))(own)
            own, memory = optimizers.update(config, own, gradients, memory, self.context.iteration)
            tensors = merge(tensors, own)
        ahead = FunctionalStep(self.context, Draw(self.batch, self.noise), tensors)
        ahead._to_advance = self._to_advance  # one turn: whichever step runs a module first advances its statistics
        return ahead

    def _loss_with(self, player: str, own: Tensors, rest: NestedTensors) -> Tensor:
        step = FunctionalStep(self.context, Draw(self.batch, self.noise), merge(rest, own))
        return self.composition.objective(player, step)


class FunctionalStep(Step):
    """A step whose modules have the parameters and buffers that it is given, not those that they own."""

    def __init__(
        self, context: Context, draw: Draw, tensors: NestedTensors, trained: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(context, draw, trained)
        self.tensors = tensors

    def tensor(self, module: str, name: str) -> Tensor:
        """A parameter or buffer of a module by name, as given."""
        return self.tensors[module][name]

    def value(self, term: Term, player: str) -> Tensor:
        """A loss term's scalar for a player, with what the term fitted or learned as given."""
        if not self.tensors[term.module]:
            return super().value(term, player)
        scalar: Tensor = self._run(term.module, self, player)
        return scalar

    def _run(self, name: str, *inputs: Any) -> Any:
        return torch.func.functional_call(self.composition.modules[name], self.tensors[name], inputs)

    def _alias(self, thing: Tensor) -> Tensor:
        return thing

    def _differentiate(self, side: Side) -> tuple[Tensor, ...]:
        if "discriminator" in self._to_advance:
            self.score(side)  # statistics cannot advance inside the gradient's own forward pass
        seen = self.seen(side)

        def total(*things: Tensor) -> Tensor:
            score: Tensor = self.call("discriminator", *things, place=side)[0]
            return score.sum()

        gradients: tuple[Tensor, ...] = torch.func.grad(total, argnums=tuple(range(len(seen))))(*seen)
        return gradients

    def _like(self, draw: Draw) -> Step:
        return FunctionalStep(self.context, draw, self.tensors)

    def _tensors(self) -> NestedTensors:
        return self.tensors


def merge(tensors: NestedTensors, own: Tensors) -> NestedTensors:
    """Nested tensors with some replaced, which are named `module:parameter`."""
    merged = {module: dict(inside) for module, inside in tensors.items()}
    for key, value in own.items():
        module, _, name = key.partition(":")
        merged[module][name] = value
    return merged


@contextmanager
def _frozen(norms: list[nn.modules.batchnorm._NormBase]) -> Iterator[None]:
    """BatchNorm normalises by the batch without touching its running statistics."""
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
