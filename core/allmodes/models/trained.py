"""A trained model that was read from a run's folder, an exported model or MLflow; samples it and exports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from torch import Tensor, nn
from typing_extensions import override

from allmodes.data import TensorData
from allmodes.data.standardisation import Standardisation
from allmodes.figures.draw import draw_samples
from allmodes.game.contracts import NOTHING, Latent
from allmodes.game.noise import rng
from allmodes.game.sampling import as_tensors, draw, given_problem
from allmodes.models import format as model_format
from allmodes.models.card import Card, last_measurements
from allmodes.models.judging import encode, load_networks, pick_auxiliary, score
from allmodes.models.latents import ANY, Way, as_numbers, between, check_steps, default_way, draw_latents, generate
from allmodes.models.page import ModelError, Page, read_page
from allmodes.models.shown import model_html, model_text
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading
from allmodes.specs.source import SpecError
from allmodes.system.paths import near, place
from allmodes.system.torch_settings import plain_torch
from allmodes_schemas import Given, Shape, Spec

Modes: TypeAlias = int | Sequence[int] | Tensor | None
"""A mode for all samples, or one for each."""

PICTURED = 1000
"""Samples in the picture of an exported model."""


@dataclass(frozen=True)
class Model:
    """A trained model.

    Attributes:
        spec: How it was trained.
        modules: `prior` and `generator`, on the CPU.
        shape: Of one item.
        folder: Holds its spec.
        stored: Holds its files.
        units: Of its samples, if they were standardised.
        iteration: How far it was trained.
    """

    spec: Spec
    modules: Mapping[str, nn.Module]
    shape: Shape
    folder: Path
    stored: Path
    units: Standardisation | None = None
    iteration: int | None = None

    @override
    def __repr__(self) -> str:
        return model_text(self)

    def _repr_html_(self) -> str:
        return model_html(self)

    @plain_torch()
    def sample(self, n: int, seed: int = 0, given: Given = NOTHING, device: str = "cpu", mode: Modes = None) -> Tensor:
        """Draw n items (n, *shape) on the CPU, in the units of the data (float64); images in [-1, 1].

        The same seed gives the same items on the same machine. `given` holds parts of the latent fixed, where the prior
        has them; `mode=3` is short for `given={"mode": 3}`, and may be a mode for each item: a list or a tensor (n,).

        Raises ModelError where the prior has no such part or mode.
        """
        return self._in_units(self.draw(n, seed, given, device, mode))

    def draw(self, n: int, seed: int = 0, given: Given = NOTHING, device: str = "cpu", mode: Modes = None) -> Tensor:
        """Draw the same items as `sample`, but vectors standardised as the generator makes them."""
        given = self._fixed(n, given, mode, device)
        modules = {name: module.to(device) for name, module in self.modules.items()}
        return draw(modules, n, rng(seed, "sample", device), given)

    @plain_torch()
    def latent(self, n: int, seed: int = 0, given: Given = NOTHING, device: str = "cpu", mode: Modes = None) -> Latent:
        """Draw the n latents that `sample` with the same arguments generates its items from, where no sampler draws.

        Returns `z` (n, dim), float32 on the CPU, and its `parts` by name, each (n, size).

        Raises ModelError where the prior has no such part or mode.
        """
        given = self._fixed(n, given, mode, device)
        return draw_latents(self.modules["prior"].to(device), n, rng(seed, "sample", device), given)

    @plain_torch()
    def generate(self, z: Any, device: str = "cpu") -> Tensor:
        """Generate the items (n, *shape) of latents z (n, dim): a Latent, a tensor or an array, of floating point.

        Items are on the CPU in the units of the data, as those of `sample`. A sampler takes no part in it.

        Raises ModelError where z has another shape or type, or is not finite.
        """
        return self._in_units(self.make(z, device))

    def make(self, z: Any, device: str = "cpu") -> Tensor:
        """Generate the same items as `generate`, but vectors standardised as the generator makes them."""
        return generate(self.modules["generator"].to(device), self._latents("z", z, (ANY, self.dim)), device)

    @plain_torch()
    def interpolate(self, a: Any, b: Any, steps: int = 9, how: Way | None = None, device: str = "cpu") -> Tensor:
        """Generate the items on the way from latent a to latent b, both included, in the units of the data.

        Args:
            a: A latent (dim,), or several (n, dim).
            b: As many.
            steps: Items on each way, 2 or more.
            how: `spherical`, on the arc, or `linear`; None takes what suits the prior: the arc for a Gaussian, whose
                draws have about the same length, the straight line for any other.
            device: Where they are generated.

        Returns:
            Items (steps, *shape), or (n, steps, *shape), on the CPU.

        Raises ModelError where a and b are no such latents.
        """
        path = self.path(a, b, steps, how)
        items = self.generate(path.flatten(0, -2), device)
        return items.reshape(*path.shape[:-1], *items.shape[1:])

    def path(self, a: Any, b: Any, steps: int = 9, how: Way | None = None) -> Tensor:
        """The latents (steps, dim) or (n, steps, dim) that `interpolate` with the same arguments generates from."""
        check_steps(steps, how)
        begin, end = (self._latents(name, z, (self.dim,), (ANY, self.dim)) for name, z in (("a", a), ("b", b)))
        if begin.shape != end.shape:
            raise ModelError(f"{self.folder}: a has shape {tuple(begin.shape)}, and b {tuple(end.shape)}: give as many")
        between_all = between(begin.reshape(-1, self.dim), end.reshape(-1, self.dim), steps, how or self.way)
        return between_all.reshape(*begin.shape[:-1], steps, self.dim)

    @property
    def dim(self) -> int:
        """The size of z."""
        return int(self.modules["prior"].dim)  # type: ignore[arg-type]

    @property
    def way(self) -> Way:
        """How latents are interpolated by default."""
        return default_way(self.modules["prior"])

    def _latents(self, name: str, z: Any, *shapes: Shape) -> Tensor:
        numbers = z.z if isinstance(z, Latent) else z
        return as_numbers(numbers, f"{self.folder}: {name}", "latents", *shapes).float()

    def _fixed(self, n: int, given: Given, mode: Modes, device: str) -> Given:
        """The parts of the latent that a user holds fixed, on a device, once they are known to fit."""
        given = as_tensors(given if mode is None else {**given, "mode": mode})
        if problem := given_problem(self.modules["prior"], given, n):
            raise ModelError(f"{self.folder}: {problem}")
        return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in given.items()}

    def _in_units(self, items: Tensor) -> Tensor:
        return items if self.units is None else self.units.restore(items)

    @cached_property
    def networks(self) -> Mapping[str, nn.Module]:
        """All that was trained and is stored, by name: prior, generator, `discriminator`, auxiliaries; on the CPU.

        A run's model is stored without the last two, which then come from its checkpoint of the same iteration.

        Raises ModelError where none is kept, as in an exported model.
        """
        return load_networks(self)

    @plain_torch()
    def score(self, x: Any, seed: int = 0) -> Tensor:
        """Score items (n, *shape), in the units of the data, as the discriminator does: (n,), before any sigmoid.

        Real items have the larger scores unless the game differs. One that packs judges items in their order, and those
        of a pack share the score; a joint one sees what its auxiliary finds of them, with noise from the seed.

        Raises ModelError where the spec has no discriminator, or none is stored.
        """
        if self.spec.discriminator is None:
            raise ModelError(f"{near(self.folder)}: its spec has no discriminator")
        return score(self.networks, self._items(x), seed)

    @plain_torch()
    def encode(self, x: Any, name: str | None = None, seed: int = 0) -> Tensor:
        """Map items (n, *shape), in the units of the data, to the code (n, size) that an auxiliary finds of them.

        It is the point that it estimates. An auxiliary that estimates another part of the latent, such as the mode,
        gives its code if it has one, else its estimate; noise that it draws comes from the seed.

        Args:
            x: Items.
            name: Of the auxiliary in the spec; None takes the only one that estimates the code.
            seed: Of the noise.

        Raises ModelError where there is no such auxiliary, or none is stored.
        """
        config = self.spec.auxiliaries[chosen := pick_auxiliary(self, name)]
        return encode(self.networks, chosen, config.gives, config.sees, self._items(x), seed)

    def _items(self, x: Any) -> Tensor:
        """Items of a user as networks see them."""
        items = as_numbers(x, f"{self.folder}: x", "items", (ANY, *self.shape))
        return (items if self.units is None else self.units.standardise(items.double())).float()

    def export(self, folder: str | Path) -> Path:
        """Write the model to a new folder, as `save` does: the word of the command line."""
        return self.save(folder)

    @plain_torch()
    def save(self, folder: str | Path) -> Path:
        """Write the model to a new folder, which `allmodes.load` reads, and which model hubs take as it is.

        It holds `spec.yaml`, `model.json`, safetensors, `samples.png`, and `README.md`, the model card. Discriminator
        and auxiliaries are left out, unless the samples are drawn by a sampler, which may ask them.

        Raises SpecError where the folder exists and is not empty: nothing is overwritten.
        """
        folder = place(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SpecError(f"{near(folder)}: already exists, and nothing is overwritten: choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        page = model_format.make_page(self.modules, self.shape, self.units, self.iteration or 0)
        page |= {"plugins": read_page(self.stored).get("plugins", {})}
        written = model_format.save(self.modules, page, folder / "new", lambda beside: self._describe(page, beside))
        for path in written.iterdir():  # the folder itself stays: somebody may work in it
            path.replace(folder / path.name)
        written.rmdir()
        return folder

    def _describe(self, page: Page, folder: Path) -> None:
        """Write spec, picture and card into a folder."""
        files, samples = RunFolder(folder), self.draw(PICTURED)
        files.spec.write_text(loading.dump(self.spec), encoding="utf-8")
        draw_samples(samples, TensorData(samples), files.picture, beside=False)
        run = RunFolder(self.folder)
        measured, outcome = last_measurements(run, self.iteration), run.outcome()
        beside = {"real data": {}} if outcome is None else {"real data": outcome.floors, **outcome.references}
        card = Card(self.spec, self.shape, self.units, self.iteration or 0, page["plugins"], measured, beside)
        (folder / "README.md").write_text(card.text(), encoding="utf-8")
