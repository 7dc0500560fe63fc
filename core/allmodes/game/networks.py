"""The modules of an experiment by name, and running them within a turn: the machinery behind a step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from allmodes.game.contracts import Auxiliary, Discriminator, Noisy, Part
from allmodes.game.noise import Noise
from allmodes.game.output_checks import Check
from allmodes.game.sampling import eval_mode
from allmodes.registry.faults import FAULTS, calling, fail
from allmodes.text.suggest import did_you_mean

Tensors: TypeAlias = dict[str, Tensor]
NestedTensors: TypeAlias = dict[str, Tensors]
Norms: TypeAlias = list[nn.modules.batchnorm._NormBase]
Inner = TypeVar("Inner", bound=nn.Module)


class Modules(dict[str, nn.Module]):
    """Modules by name; raises LookupError, with the names, for one that is not there."""

    def __missing__(self, name: str) -> nn.Module:
        raise LookupError(f"there is no module {name!r}{did_you_mean(name, self)}: the modules are {', '.join(self)}")


class Networks:
    """Modules by name, and the settings that they run with.

    `modules` holds `generator`, `discriminator` (if there is one), `prior`, the auxiliaries by name, and loss terms as
    `losses/<name>`. `heads` are auxiliaries that read the discriminator's features instead of data. `precision` is the
    type of computations inside networks, where it differs from that of their weights.
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        heads: frozenset[str] = frozenset(),
        precision: torch.dtype | None = None,
    ) -> None:
        self.modules, self.heads, self.precision = Modules(modules), heads, precision
        self.untried: dict[str, Check] = {}  # of modules that were not called yet
        self.differentiates_scores = False  # set by the first step that takes gradients of scores
        self.batch_norms = _batch_norms(self.modules)
        self.noisy: dict[str, list[Noisy]] = find_inside(self.modules, Noisy)

    @property
    def discriminator(self) -> Discriminator:
        """The discriminator, with its options `joint` and `pack`. Raises LookupError where there is none."""
        if (module := self.modules.get("discriminator")) is None:
            raise LookupError('there is no discriminator: a kind that asks for one declares Need("discriminator")')
        assert isinstance(module, Discriminator)
        return module

    def code_of(self, name: str, path: str = "") -> nn.Module:
        """The module whose author is to blame for what happens at a place: of a discriminator, its network."""
        module = self.modules[name].get_submodule(path)
        return module.network if isinstance(module, Discriminator) else module

    def auxiliary_module(self, name: str) -> Auxiliary:
        """An auxiliary by name."""
        module = self.modules[name]
        assert isinstance(module, Auxiliary)
        return module


class Forward:
    """Runs modules by name within one turn: in the run's precision, with the run's noise, BatchNorm once.

    Args:
        networks: The modules.
        trained: Names of those that the turn trains: their BatchNorm statistics advance with their first run.
        inference: Names of those that run as in evaluation.
    """

    def __init__(
        self, networks: Networks, trained: Collection[str] = frozenset(), inference: Collection[str] = ()
    ) -> None:
        self.networks, self.inference, self.separates = networks, inference, networks.differentiates_scores
        self.to_advance = set(trained & networks.batch_norms.keys()) if trained else set[str]()
        self.term = [""]  # whose loss is computed; one list for all draws of a turn

    def __call__(
        self, name: str, inputs: tuple[Any, ...], noise: Noise, place: str = "", method: str = "forward"
    ) -> Any:
        """The output of a module, or of another method of it; what is noisy within it draws from `noise` at a place."""
        if name in self.inference:
            with eval_mode(self.networks.modules[name]):
                return self._compute(name, inputs, method)
        if name in self.networks.noisy:
            self._lend(name, noise.at(f"{name}/{place}"))
        norms = self.networks.batch_norms.get(name)
        if norms is None or name in self.to_advance:
            self.to_advance.discard(name)
            return self._compute(name, inputs, method)
        with _without_tracking(norms):
            return self._compute(name, inputs, method)

    def _lend(self, name: str, noise: Noise) -> None:
        """Let what is noisy within a module draw from `noise`, each under a name of its own."""
        for i, noisy in enumerate(self.networks.noisy[name]):
            noisy.noise = noise.at(f"noisy{i}") if noisy.training else None

    def frozen_copy(self) -> Forward:
        """The same modules for another draw of the turn, without advancing BatchNorm statistics."""
        return self._share_term(Forward(self.networks, inference=self.inference))

    def _share_term(self, other: Forward) -> Forward:
        other.term = self.term
        return other

    def run(self, name: str, inputs: tuple[Any, ...], method: str = "forward") -> Any:
        """The module itself, with the parameters and buffers that it owns."""
        module = self.networks.modules[name]
        if method != "forward":
            return call_method(module, method, *inputs)
        output = module(*inputs)
        if (check := self.networks.untried.get(name)) is not None:
            check(inputs, output)
            del self.networks.untried[name]  # what fails is called again by an engine that only tried it out
        return output

    def code(self, name: str, output: Any, noise: Noise, read: Callable[[], Tensor]) -> Tensor:
        """The code of an auxiliary's output for what it reads."""
        module, place = self.networks.auxiliary_module(name), f"code of {name}"
        try:
            code = module.code(output, noise)
        except FAULTS as error:
            fail(error, place, module)
        self.check(name, place, read, code)
        return code

    def check(self, name: str, place: str, read: Callable[[], Tensor], output: Any) -> None:
        """Hold the first output of a module at a place, for what it reads, to its contract."""
        if (check := self.networks.untried.get(place)) is not None:
            with calling(place, self.networks.code_of(name)):
                check((read(),), output)
            del self.networks.untried[place]

    def act(self, module: str, path: str, step: Any) -> None:
        """Let the part at a path within a module act after an update."""
        part = self.networks.modules[module].get_submodule(path)
        assert isinstance(part, Part)
        part.after_update(step)

    def tensor(self, module: str, name: str) -> Tensor:
        """A parameter or buffer of a module by name."""
        owner, _, leaf = name.rpartition(".")
        value: Tensor = getattr(self.networks.modules[module].get_submodule(owner), leaf)
        return value

    def tensors(self) -> NestedTensors:
        """All parameters and buffers, by module and name."""
        modules = self.networks.modules.items()
        return {name: {**dict(m.named_parameters()), **dict(m.named_buffers())} for name, m in modules}

    def loss(self, function: Callable[[Any], Tensor], module: str, step: object, player: str) -> Tensor:
        """The scalar of a loss term (`module`) for a player; `function` is the term's own for that player."""
        return function(step)

    def separate(self, view: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The same tensors as separate autograd nodes, so that gradients with respect to them stop there.

        Compositions whose terms take no such gradients do without: views are separated from the second step on.
        """
        return _separate(view) if self.separates else view

    def gradients(self, judge: Callable[..., Any], view: tuple[Tensor, ...], scores: Tensor) -> tuple[Tensor, ...]:
        """Gradients of the summed scores, the first output of `judge(*view)`, with respect to each tensor of a view."""
        if not self.separates:
            self.networks.differentiates_scores = True
            view = _separate(view)
            scores = judge(*view)[0]
        return torch.autograd.grad(scores.sum(), view, create_graph=True)

    def _compute(self, name: str, inputs: tuple[Any, ...], method: str) -> Any:
        """Run a module in the networks' precision; its output is float32 again, so that losses are."""
        precision = self.networks.precision
        try:
            if precision is None or name == "prior":
                return self.run(name, inputs, method)
            with torch.autocast(_device_of(inputs), precision):
                output = self.run(name, inputs, method)
        except FAULTS as error:
            fail(error, f"{method} of {name}{_shapes(inputs)}", self.networks.code_of(name))
        return tree_map_only(Tensor, Tensor.float, output)


def call_method(module: nn.Module, path: str, *inputs: Any) -> Any:
    """Call a method of a module by its name, or that of a module within it by path: `inner.after_update`."""
    owner, _, method = path.rpartition(".")
    return getattr(module.get_submodule(owner), method)(*inputs)


def find_inside(modules: Mapping[str, nn.Module], sort: type[Inner]) -> dict[str, list[Inner]]:
    """The sub-modules of a class, by the names of the modules that contain any."""
    found = {name: [inner for inner in module.modules() if isinstance(inner, sort)] for name, module in modules.items()}
    return {name: inner for name, inner in found.items() if inner}


def _separate(view: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple([x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in view])


def _shapes(inputs: tuple[Any, ...]) -> str:
    """The shapes of the tensors among inputs, for messages: ` on (32, 2)`."""
    shapes = [str(tuple(value.shape)) for value in tree_leaves(inputs) if isinstance(value, Tensor)]
    return f" on {', '.join(shapes)}" if shapes else ""


def _device_of(inputs: tuple[Any, ...]) -> str:
    return next(value.device.type for value in tree_leaves(inputs) if isinstance(value, Tensor))


def _batch_norms(modules: Mapping[str, nn.Module]) -> dict[str, Norms]:
    """Normalisations with running statistics, by module; InstanceNorm has none by default."""
    found = find_inside(modules, nn.modules.batchnorm._NormBase)
    tracking = {name: [norm for norm in norms if norm.track_running_stats] for name, norms in found.items()}
    return {name: norms for name, norms in tracking.items() if norms}


@contextmanager
def _without_tracking(norms: Norms) -> Iterator[None]:
    """Let BatchNorm normalise by the batch without changing its running statistics."""
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
