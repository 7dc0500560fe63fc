"""Components of a plugin `acme`, sound or with one fault, and the contracts that they are held to."""

import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

import allmodes.builtin
from allmodes import (
    Auxiliary,
    AuxiliaryConfig,
    DatasetConfig,
    FeatureConfig,
    Key,
    Latent,
    LossTerm,
    LossTermConfig,
    Metric,
    MetricConfig,
    Mixture,
    Network,
    NetworkConfig,
    Prior,
    PriorConfig,
    ReferenceConfig,
    ReferenceSampler,
    Registry,
    Sampler,
    SamplerConfig,
    Source,
    TensorData,
    hookimpl,
)
from allmodes.builtin.networks import Mlp
from allmodes.game.contracts import NOTHING
from allmodes.registry.slots import SLOT_BASES, Plugin

FEW = 64


def registry_of(*configs: Any, recipes: Path | None = None) -> Registry:
    """The core, and a plugin `acme` with these config classes."""
    registry, plugin = Registry(), ModuleType("acme")
    registry.register(allmodes.builtin, Plugin("allmodes", "allmodes", "0.1.0"))
    for hook, base in SLOT_BASES.items():
        mine = [config for config in configs if issubclass(config, base)]
        setattr(plugin, f"allmodes_{hook}", hookimpl(_returning(mine)))
    if recipes is not None:
        plugin.allmodes_recipes = hookimpl(lambda: recipes)
    registry.register(plugin, Plugin("acme", "allmodes-acme", "1.0"))
    return registry


def _returning(configs: list[Any]) -> Callable[[], list[Any]]:
    return lambda: configs


def held(contract: type, config: Any = None, *others: Any, **attributes: Any) -> Any:
    """A contract of settings whose class is registered, together with further ones."""
    if config is not None:
        attributes = {"registry": registry_of(type(config), *others), "config": config, **attributes}
    return type("Held", (contract,), attributes)()


def checks(contract: type) -> list[str]:
    """Names of a contract's tests."""
    return [name for name, _ in inspect.getmembers(contract, inspect.isfunction) if name.startswith("test_")]


def check(contract: Any, name: str, folder: Path) -> None:
    """Run one of a contract's tests, with the fixtures that it asks for."""
    fixtures = {"tmp_path": lambda: folder, "unbroken": lambda: contract.run(folder / "unbroken")}
    wanted = inspect.signature(getattr(contract, name)).parameters
    getattr(contract, name)(**{fixture: fixtures[fixture]() for fixture in wanted})


class BumpConfig(PriorConfig):
    """A normal code around the data's mean."""

    kind: Literal["acme.bump"] = "acme.bump"
    fault: str = ""
    """What is wrong with it."""

    @property
    def offers(self):
        return ("weights", "heights") if self.fault == "nothing" else ("weights",)

    def parts(self):
        return {"code": 2, "mode": 3, **({"shape": 1} if self.fault == "parts" else {})}

    def build(self):
        return ActingBump(self.fault) if self.fault == "acting" else Bump(self.fault)


class Bump(Prior):
    def __init__(self, fault):
        super().__init__()
        self.fault, self.dim, self.sizes, self.draws = fault, 2, {"code": 2, "mode": 3}, 0
        if fault in ("unstored", "device"):
            self.mean = torch.zeros(2)
        else:
            self.register_buffer("mean", torch.zeros(2))
        likely = 0.9 if fault == "shares" else 1 / 3
        self.register_buffer("weights", torch.tensor([likely, (1 - likely) / 2, (1 - likely) / 2]), persistent=False)
        self.offset = torch.randn(2) if fault == "unsaved" else torch.zeros(())

    def fit(self, fitting):
        x = fitting.data.draw(100, fitting.noise.generator).x
        self.mean = x.mean(0) + (torch.tensor(np.random.rand(2)).float() if self.fault == "fit" else 0)

    def forward(self, noise, n, given=NOTHING):
        eps = noise.normal("code", n, 3 if self.fault == "size" else 2)
        self.draws += 1
        if self.fault == "constant":
            eps = torch.zeros_like(eps)
        if self.fault == "counting":
            eps = eps + self.draws
        if self.fault == "global":
            eps = eps + torch.randn(n, 2)
        if self.fault == "branching" and eps.mean() > 0:
            eps = -eps
        drawn = (3 * noise.uniform("mode", n)).long()
        k = drawn if "mode" not in given or self.fault == "mode" else torch.as_tensor(given["mode"]).expand(n)
        mode = (k[:, None] == torch.arange(3, device=k.device)).float()
        code = eps if self.fault == "size" else eps + self.mean + self.offset
        if self.fault == "one more":
            code = torch.cat([code, code[:1]])
        if self.fault == "tensor":
            return code
        if self.fault == "double":
            return Latent(code.double(), {"code": code.double(), "mode": mode})
        return Latent(code, {"code": code, "mode": mode})


class ActingBump(Bump):
    follows = ("generator",)

    def after_update(self, step):
        if step.fake.mean() > 0:
            self.weights.copy_(self.weights.flip(0))


class GuessConfig(AuxiliaryConfig):
    """Guesses the code."""

    kind: Literal["acme.guess"] = "acme.guess"
    fault: str = ""
    """What is wrong with it."""

    @property
    def form(self):
        return "gaussian" if self.fault == "form" else "point"

    def misfit(self, sees):
        return "takes images only" if self.fault == "misfit" else None

    def build(self, sees, parts):
        return Guess(self.fault, sees[0], parts["code"])


class Guess(Auxiliary):
    def __init__(self, fault, sees, code):
        super().__init__()
        self.fault, self.linear = fault, nn.Linear(sees, code + (fault == "long"))
        self.shift = torch.randn(code) if fault == "plain tensor" else 0.0

    def forward(self, seen):
        output = self.linear(seen) + self.shift
        if self.fault == "mean":
            return output.mean(0)
        if self.fault == "nothing":
            return None
        if self.fault == "rows":
            return output[:-1]
        if self.fault == "double":
            return output.double()
        if self.fault == "detached":
            return self.linear(seen.detach())
        if self.fault == "global":
            return output + torch.rand(())
        return output if self.fault != "branching" or output.sum() > 0 else -output

    def after_update(self, step):
        if self.fault == "acting" and step.score("real").sum() > 0:
            self.linear.bias.copy_(0.9 * self.linear.bias)


class WideConfig(NetworkConfig):
    """A wide network."""

    kind: Literal["acme.wide"] = "acme.wide"
    fault: str = ""
    """What is wrong with it."""

    def normalises_batches(self):
        return self.fault == "batches"

    def build(self, sees, gives):
        if self.fault == "no network":
            return None
        if self.fault == "dependency":
            import allmodes_absent  # noqa: F401
        if self.fault == "bare":
            return Network()
        if self.fault == "forward":
            return ForwardMlp(sees, gives, hidden=(5,))
        gives = (7,) if self.fault == "seven" else gives
        network = ActingMlp(sees, gives, hidden=(5,)) if self.fault == "acting" else Mlp(sees, gives, hidden=(5,))
        network.feature_dim += self.fault == "features"
        for name, change in CHANGES.items():
            if self.fault in (f"{name} head", f"{name} trunk"):
                inside = getattr(network, self.fault.split()[1])
                setattr(network, self.fault.split()[1], Changed(inside, change))
        return network


CHANGES = {"double": Tensor.double, "long": Tensor.long, "complex": lambda x: x.to(torch.complex64)}


class Changed(nn.Module):
    def __init__(self, inside, change):
        super().__init__()
        self.inside, self.change = inside, change

    def forward(self, *inputs):
        return self.change(self.inside(*inputs))


class ForwardMlp(Mlp):
    def forward(self, *inputs):
        return 2 * super().forward(*inputs)


class ActingMlp(Mlp):
    def after_update(self, step):
        if step.fake.mean() > 0:
            self.head.bias.copy_(0.9 * self.head.bias)


class SquaresConfig(FeatureConfig):
    """Squares of the entries."""

    kind: Literal["acme.squares"] = "acme.squares"
    fault: str = ""
    """What is wrong with them."""

    def build(self, data):
        return Squares(self.fault)


class Squares(nn.Module):
    def __init__(self, fault):
        super().__init__()
        self.fault, self.factor = fault, torch.rand(()) if fault == "global" else 1

    def forward(self, x):
        x = x - x.mean(0) if self.fault == "batches" else x
        squares = self.factor * x.square().flatten(1)
        if self.fault == "one less":
            return squares[1:]
        if self.fault == "nan":
            return squares * float("nan")
        if self.fault == "none":
            return None
        return squares.mean(1) if self.fault == "flat" else squares


class PullConfig(LossTermConfig):
    """Pulls generated items to the origin."""

    kind: Literal["acme.pull"] = "acme.pull"
    fault: str = ""
    """What is wrong with it."""

    def build(self):
        return Pull(self.fault)


class Pull(LossTerm):
    def __init__(self, fault):
        super().__init__()
        self.fault, self.calls = fault, 0
        if fault in ("moving", "slow"):
            self.register_buffer("k", torch.zeros(()))

    def after_update(self, step):
        if self.fault == "slow":
            self.k.add_(step.fake.mean()).clamp_(0, 1)

    def losses(self):
        return {"generator": self.pull, **({"nobody": self.pull} if self.fault == "stranger" else {})}

    def pull(self, step):
        self.calls += 1
        x = step.fake
        if self.fault == "moving":
            self.k += 1
        if self.fault == "meddling":
            next(step.context.networks.modules["discriminator"].parameters()).data.add_(1.0)
        if self.fault == "part":
            x = x + step.latent.part("nuisance").mean()
        if self.fault == "theirs":
            return step.score("real").mean()
        if self.fault == "global":
            x = x * torch.rand(())
        if self.fault == "branching" and x.mean().item() > 0:
            x = 2 * x
        values = {
            "batch": x.square().sum(1), "nan": x.sum() * float("nan"), "detached": x.detach().square().mean(),
            "counting": self.calls * x.square().mean(), "none": None, "int": 3, "whole": x.long().sum(),
            "constant": torch.zeros(()),
        }  # fmt: skip
        return values.get(self.fault, x.square().mean())


class SpreadConfig(MetricConfig):
    """Standard deviation of the samples."""

    kind: Literal["acme.spread"] = "acme.spread"
    fault: str = ""
    """What is wrong with it."""

    def numbers(self):
        wrong = {
            "unknown key": {"width": Key()},
            "no key": {"spread": "lower"},
        }
        return wrong.get(self.fault, {"spread": Key()})

    def build(self):
        return Spread(self.fault)


class Spread(Metric):
    def __init__(self, fault):
        self.fault = fault

    def compute(self, evaluation):
        spread = evaluation.samples.std()
        if self.fault == "altering":
            evaluation.modules["generator"].head.weight.data.zero_()
        if self.fault == "in place":
            evaluation.samples.zero_()
        if self.fault == "global":
            spread = spread + torch.rand(())
        if self.fault == "mode":
            evaluation.modules["generator"].eval()
        if self.fault == "moved":
            evaluation.modules["generator"].head.weight = nn.Parameter(evaluation.modules["generator"].head.weight / 2)
        generator = evaluation.modules.get("generator")
        actions = {
            "data": lambda: evaluation.data.x.mul_(1000),
            "mixture": lambda: evaluation.data.truth.means.zero_(),
            "hook": lambda: generator.register_forward_hook(lambda module, inputs, output: 0 * output),
            "head": lambda: setattr(generator, "head", nn.Identity()),
            "no head": lambda: delattr(generator, "head"),
            "more": lambda: generator.register_buffer("more", torch.zeros(1)),
            "forward": lambda: setattr(generator, "forward", lambda z: 0 * z),
            "pruned": lambda: prune.l1_unstructured(generator.head, "weight", 0.5),
            "no modules": lambda: evaluation.modules.clear(),
            "no gradients": lambda: torch.set_grad_enabled(False),
            "double": lambda: torch.set_default_dtype(torch.float64),
            "threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
        }
        if self.fault in actions and generator is not None:
            actions[self.fault]()
        values = {
            "nan": float("nan"), "tensor": spread, "text": "0.5", "nothing": None, "several": torch.full((2,), 0.5)
        }  # fmt: skip
        return [0.5] if self.fault == "list" else {"spread": values.get(self.fault, float(spread))}

    def prepare(self, data):
        if self.fault == "prepare":
            data.truth.means.zero_()

    def chance(self, data):
        if self.fault == "chance":
            data.truth.means.zero_()
        return {}

    def floor(self, evaluation):
        if self.fault == "floor samples":
            evaluation.samples.zero_()
            evaluation.real.x.zero_()
        if self.fault == "floor data":
            evaluation.data.truth.means.zero_()
        return {"limit": 1.0} if self.fault == "floor" else self.compute(evaluation)

    def figure(self, evaluation):
        return "a picture" if self.fault == "picture" else None


class NearConfig(SamplerConfig):
    """Every other draw, near the mean of the model."""

    kind: Literal["acme.near"] = "acme.near"
    fault: str = ""
    """What is wrong with it."""

    def build(self):
        return Near(self.fault)


class Near(Sampler):
    def __init__(self, fault):
        super().__init__()
        self.fault, self.draws = fault, 0
        self.register_buffer("mean", torch.zeros(2))
        self.unsaved = torch.zeros(2)

    def fit(self, fitting):
        model = Source.of(fitting)
        mean = model.items(model.latent(50)).mean(0)
        if self.fault == "fit":
            mean = mean + torch.rand(2)
        if self.fault == "unsaved":
            self.unsaved = mean
        self.mean.copy_(self.mean + mean if self.fault == "growing" else mean)

    def forward(self, model, n):
        self.draws += 1
        x = (model.items(model.latent(2 * n))[::2] + self.mean) / 2 + self.unsaved
        if self.fault == "few":
            return x[1:]
        if self.fault == "counting":
            return x + self.draws
        if self.fault == "constant":
            return torch.zeros(n, 2)
        if self.fault == "global":
            return x + torch.randn(n, 2)
        if self.fault == "altering":
            self.mean.zero_()
        return x


class CopiedConfig(ReferenceConfig):
    """Training items again."""

    kind: Literal["acme.copied"] = "acme.copied"
    fault: str = ""
    """What is wrong with it."""

    def build(self):
        if self.fault == "no sampler":
            return None
        return Copied(self.fault)


class Copied(ReferenceSampler):
    def __init__(self, fault):
        self.fault, self.draws = fault, 0

    def fit(self, data, generator):
        if self.fault == "raising":
            raise ValueError("no items")
        self.x = data.draw(64, generator).x
        if self.fault == "fit":
            self.x = self.x + torch.rand(2)
        if self.fault == "altering":
            data.x.zero_()

    def draw(self, n, generator):
        self.draws += 1
        x = self.x[torch.randint(64, (n,), generator=generator)]
        if self.fault == "few":
            return x[1:]
        if self.fault == "double":
            return x.double()
        if self.fault == "counting":
            return x + self.draws
        if self.fault == "constant":
            return torch.zeros(n, 2)
        if self.fault == "global":
            return x + torch.randn(n, 2)
        return x


class CornersConfig(DatasetConfig):
    """The four corners of a square."""

    kind: Literal["acme.corners"] = "acme.corners"
    fault: str = ""
    """What is wrong with them."""

    def shape(self):
        return (3,) if self.fault == "shape" else (2,)

    def classes(self):
        return 3 if self.fault == "classes" else 4

    def known_modes(self):
        return self.fault in ("truth", "stranger", "left", "wide", "outside")

    def build(self):
        x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).repeat(FEW, 1)
        x = x + torch.randn(x.shape) if self.fault == "random" else x + torch.arange(4.0 * FEW)[:, None]
        labels = torch.arange(4).repeat(FEW) + (self.fault == "labels")
        return Corners(self.fault, x, labels, None if self.fault == "all trained" else x, labels)


class FaultyTruth(Mixture):
    fault = ""

    def to(self, device):
        if self.fault == "left":
            return self
        moved = super().to(device)
        object.__setattr__(moved, "fault", self.fault)
        return moved

    def find(self, x):
        modes, good = super().find(x)
        return (0 * modes, good) if self.fault == "stranger" else (modes, good)

    def variance_ratio(self, samples, mode):
        return super().variance_ratio(samples, mode) * (3 if self.fault == "wide" else 1)

    def box(self):
        low, high = super().box()
        return (low, high - 0.5) if self.fault == "outside" else (low, high)


class Corners(TensorData):
    def __init__(self, fault, x, labels, test_x, test_labels):
        super().__init__(x, labels, test_x, None if test_x is None else test_labels, classes=4)
        self.fault = fault
        if fault in ("stranger", "left", "wide", "outside"):
            self.truth = FaultyTruth(x[:4], 0.01, torch.ones(4))
            object.__setattr__(self.truth, "fault", fault)

    def draw(self, n, generator):
        if self.fault == "global":
            return self.take(torch.randint(self.items, (n,)))
        return super().draw(n, generator)

    def loader(self, batch_size, seed):
        loader = super().loader(batch_size, 0 if self.fault == "one order" else seed)
        if self.fault == "forgetful":
            loader.load_state_dict = lambda state: None
        return loader
