"""The networks beside a trained generator, where they are stored: scores of the discriminator, codes of auxiliaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from allmodes.game.contracts import Auxiliary, Discriminator, in_form
from allmodes.game.noise import rng
from allmodes.game.samplers import Source
from allmodes.game.sampling import CHUNK, eval_mode
from allmodes.models import format as model_format
from allmodes.models.page import ModelError
from allmodes.registry.faults import calling
from allmodes.runs.run_folder import RunFolder
from allmodes.system.paths import near
from allmodes.text.suggest import did_you_mean

if TYPE_CHECKING:
    from allmodes.models.trained import Model


def load_networks(model: Model) -> Mapping[str, nn.Module]:
    """All networks of a model by name, from where it is stored or from its run's checkpoint of the same iteration.

    Raises ModelError where they are stored in neither.
    """
    if model_format.holds_all(model.stored):
        return model_format.load(model.spec, model.stored, every=True).modules
    checkpoint = RunFolder(model.folder).checkpoint(model.iteration or 0)
    if model.stored != model.folder and checkpoint.is_dir():
        found = model_format.load(model.spec, checkpoint, every=True).modules
        if _are_equal(found["generator"], model.modules["generator"]):  # the run may have gone back, and another way
            return found
    raise ModelError(f"{near(model.stored)} {_without(model)}")


def _without(model: Model) -> str:
    if model.stored == model.folder:
        return "is an exported model, which leaves discriminator and auxiliaries out: load the run that it came from"
    kept = f"its run keeps no checkpoint with these weights of iteration {model.iteration}"
    return f"holds neither discriminator nor auxiliaries, and {kept}: load one that it keeps, checkpoint='last'"


def _are_equal(one: nn.Module, other: nn.Module) -> bool:
    tensors = other.state_dict()
    return all(torch.equal(value.cpu(), tensors[name].cpu()) for name, value in one.state_dict().items())


@torch.no_grad()
def score(networks: Mapping[str, nn.Module], x: Tensor, seed: int) -> Tensor:
    """Scores (n,) of standardised items by the discriminator."""
    judge = networks["discriminator"]
    if not len(x):
        return torch.zeros(0)
    with eval_mode(*networks.values()), calling(f"forward of discriminator on {tuple(x.shape)}", judge):
        return Source(networks, rng(seed, "score")).score(x)


@torch.no_grad()
def encode(networks: Mapping[str, nn.Module], name: str, gives: str, sees: str, x: Tensor, seed: int) -> Tensor:
    """What an auxiliary finds of standardised items (n, size)."""
    auxiliary = networks[name]
    assert isinstance(auxiliary, Auxiliary)
    with eval_mode(*networks.values()), calling(f"forward of auxiliary {name!r} on {tuple(x.shape)}", auxiliary):
        noise = Source(networks, rng(seed, "encode")).noise
        found = [
            _read(auxiliary, auxiliary(some if sees == "data" else _features(networks, name, some)), gives, noise())
            for some in torch.split(x, CHUNK)
        ]
    if not all(isinstance(one, Tensor) for one in found):
        raise ModelError(f"auxiliary {name!r} gives neither a code nor an estimate that is one tensor")
    return torch.cat(found)


def _read(auxiliary: Auxiliary, output: Any, gives: str, noise: Any) -> Any:
    """The point that is estimated of the code; of another part the code that comes with it, or else the estimate."""
    estimate = in_form(auxiliary.estimate(output), "point")
    if gives == "code" and isinstance(estimate, Tensor):
        return estimate
    code = auxiliary.code(output, noise)
    return code if isinstance(code, Tensor) else estimate


def _features(networks: Mapping[str, nn.Module], name: str, x: Tensor) -> Tensor:
    judge = networks["discriminator"]
    assert isinstance(judge, Discriminator)
    if judge.pack > 1 or judge.joint is not None:
        seen = f"{judge.pack} items at once" if judge.pack > 1 else "items joint with their codes"
        raise ModelError(f"auxiliary {name!r} sees the discriminator's features, and those are of {seen}")
    features: Tensor = judge(x)[1]
    return features


def pick_auxiliary(model: Model, name: str | None) -> str:
    """The auxiliary of a name or, without one, the only one that gives the code, or the only one at all.

    Raises ModelError where there is none, or are several.
    """
    auxiliaries = model.spec.auxiliaries
    if not auxiliaries:
        raise ModelError(f"{near(model.folder)}: its spec has no auxiliary, which alone maps items to a code")
    if name is not None and name not in auxiliaries:
        known = f"{did_you_mean(name, auxiliaries)}: it has {', '.join(auxiliaries)}"
        raise ModelError(f"{near(model.folder)}: its spec has no auxiliary {name!r}{known}")
    codes = [key for key, config in auxiliaries.items() if config.gives == "code"] or list(auxiliaries)
    if name is None and len(codes) > 1:
        raise ModelError(
            f"{near(model.folder)} has the auxiliaries {', '.join(codes)}: name one, encode(x, {codes[0]!r})"
        )
    return name or codes[0]
