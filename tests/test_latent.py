"""The latent of a trained model: drawn, mapped to items, interpolated; and what is said where it cannot be."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from allmodes import Experiment, Model, ModelError, load_run
from allmodes.builtin.priors import Gaussian, Uniform
from allmodes.data.standardisation import Standardisation
from allmodes.models.format import make_page, save
from allmodes.models.latents import between
from tiny import SPEC

PLANE = Standardisation((10.0, -5.0), (2.0, 0.5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose data are standardised."""
    path = tmp_path_factory.mktemp("runs")
    lines = [f"{i % 7 * 3.0},{i % 5 - 100.0}" for i in range(200)]
    (path / "x.csv").write_text("\n".join(["width,height", *lines]))
    data = {"kind": "csv", "path": str(path / "x.csv")}
    spec = {**SPEC, "data": data, "evaluation": {"samples": 64, "metrics": ["wasserstein"], "figure": False}}
    return Experiment.from_spec(spec, folder=path, track=False).run().folder


@pytest.fixture(scope="module")
def modal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose prior has modes."""
    path = tmp_path_factory.mktemp("modal")
    spec = {**SPEC, "prior": {"kind": "nemgan.mode_mixture", "dim": 6, "modes": 4}}
    return Experiment.from_spec(spec, folder=path, track=False).run().folder


def model_with(prior: torch.nn.Module, tmp_path: Path, units: Standardisation | None = None) -> Model:
    """A model whose items are its latents."""
    modules = {"prior": prior, "generator": torch.nn.Identity()}
    stored = save(modules, make_page(modules, (2,), units, 7), tmp_path / "model")
    return Model(None, modules, (2,), tmp_path, stored, units, 7)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [0, 5, 2500])
def test_samples_are_generated_from_the_latents_of_the_same_seed(n: int, folder: Path) -> None:
    model = load_run(folder)
    samples, latent = model.sample(n, seed=4), model.latent(n, seed=4)
    assert latent.z.shape == (n, 2)
    assert torch.equal(model.generate(latent), samples)
    assert torch.equal(model.generate(latent.z.numpy()), samples)
    assert torch.equal(model.generate(latent.z.double()), samples)
    assert n == 0 or not torch.equal(model.latent(n, seed=5).z, latent.z)
    assert latent.code.shape == (n, 2)


def test_a_mode_of_the_latent_gives_the_samples_of_that_mode(modal: Path) -> None:
    model = load_run(modal)
    latent = model.latent(1500, seed=1, mode=3)
    assert latent.parts["mode"].argmax(1).unique().tolist() == [3]
    assert torch.equal(model.generate(latent), model.sample(1500, seed=1, mode=3))
    each = model.latent(4, mode=[0, 1, 2, 3])
    assert each.parts["mode"].argmax(1).tolist() == [0, 1, 2, 3]
    assert len(model.latent(300).parts["mode"].argmax(1).unique()) == 4


def test_a_mode_that_is_not_there_is_named(folder: Path, modal: Path) -> None:
    for path, mode, problem in (
        (folder, 1, "the prior has no part 'mode': its parts are code"),
        (modal, 4, "there is no mode 4: the prior has modes 0 to 3"),
    ):
        with pytest.raises(ModelError) as error:
            load_run(path).latent(5, mode=mode)
        assert str(error.value) == f"{path / 'seed-3'}: {problem}"


@pytest.mark.parametrize(
    ("z", "problem"),
    [
        (torch.zeros(5, 3), "z has shape (5, 3): give latents of shape (n, 2)"),
        (torch.zeros(2), "z has shape (2,): give latents of shape (n, 2)"),
        (torch.zeros(5, 2, dtype=torch.int64), "z holds int64: give floating-point numbers, such as float32"),
        (np.array([[1.0, np.nan]]), "z holds numbers that are not finite"),
        ("zero", "z is 'zero': give a tensor or an array"),
    ],
)
def test_what_is_no_latent_is_refused(z: object, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        model_with(Gaussian(2), tmp_path).generate(z)
    assert str(error.value) == f"{tmp_path}: {problem}"


def test_generated_items_are_in_the_units_of_the_data(tmp_path: Path) -> None:
    items = model_with(Gaussian(2), tmp_path, PLANE).generate(torch.tensor([[0.0, 0.0], [1.0, -2.0]]))
    assert items.tolist() == [[10.0, -5.0], [12.0, -6.0]]


def test_the_way_of_a_gaussian_is_an_arc_and_that_of_any_other_prior_is_straight(tmp_path: Path) -> None:
    a, b = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0])
    gaussian = model_with(Gaussian(2), tmp_path)
    half = 3 * 0.5**0.5
    torch.testing.assert_close(gaussian.interpolate(a, b, 3), torch.tensor([[2.0, 0.0], [half, half], [0.0, 4.0]]))
    straight = torch.tensor([[2.0, 0.0], [1.0, 2.0], [0.0, 4.0]])
    torch.testing.assert_close(gaussian.interpolate(a, b, 3, "linear"), straight)
    torch.testing.assert_close(model_with(Uniform(2), tmp_path / "uniform").interpolate(a, b, 3), straight)


@pytest.mark.parametrize("b", [[2.0, 4.0], [-1.0, -2.0], [0.0, 0.0]])
def test_where_there_is_no_single_arc_the_way_is_straight(b: list[float]) -> None:
    a, end = torch.tensor([[1.0, 2.0]]), torch.tensor([b])
    assert torch.equal(between(a, end, 5, "spherical"), between(a, end, 5, "linear"))


def test_an_arc_keeps_the_length_and_turns_evenly_between_its_very_ends() -> None:
    a, b = torch.randn(2, 6, 30, generator=torch.Generator().manual_seed(0))
    a, b = (5 * end / end.norm(dim=1, keepdim=True) for end in (a, b))
    way = between(a, b, 11, "spherical")
    assert torch.equal(way[:, 0], a)
    assert torch.equal(way[:, -1], b)
    torch.testing.assert_close(way.norm(dim=2), torch.full((6, 11), 5.0))
    turns = angles(way[:, 1:], way[:, :-1])
    torch.testing.assert_close(turns, (angles(a, b) / 10)[:, None].expand(6, 10), rtol=1e-3, atol=1e-4)


def angles(a: Tensor, b: Tensor) -> Tensor:
    return torch.cosine_similarity(a.double(), b.double(), -1).acos().float()


def test_several_pairs_are_interpolated_at_once(folder: Path) -> None:
    model = load_run(folder)
    latent = model.latent(8).z
    items = model.interpolate(latent[:4], latent[4:], steps=6)
    assert items.shape == (4, 6, 2)
    assert torch.equal(items[:, 0], model.generate(latent[:4]))
    torch.testing.assert_close(items[2], model.interpolate(latent[2], latent[6], steps=6))


@pytest.mark.parametrize(
    ("b", "steps", "how", "problem"),
    [
        (torch.ones(3), 9, None, "{folder}: b has shape (3,): give latents of shape (2,) or (n, 2)"),
        (torch.ones(4, 2), 9, None, "{folder}: a has shape (2,), and b (4, 2): give as many"),
        (torch.ones(2), 1, None, "steps=1: take two or more, of which the first is a and the last b"),
        (torch.ones(2), 9, "cubic", "how='cubic': it is 'spherical', 'linear', or None for what suits the prior"),
    ],
)
def test_what_cannot_be_interpolated_is_refused(b: Tensor, steps: int, how: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        model_with(Gaussian(2), tmp_path).interpolate(torch.ones(2), b, steps, how)  # type: ignore[arg-type]
    assert str(error.value) == problem.format(folder=tmp_path)
