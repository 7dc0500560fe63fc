"""Draws from one mode of the latent: what is refused, how pure modes are, and the picture with a row a mode."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from allmodes import Latent, MixtureData, Noise, Prior, SpecError, TensorData, installed
from allmodes.builtin.config.features import ClassifierConfig
from allmodes.builtin.config.metrics import ConditionalConfig
from allmodes.data import Mixture
from allmodes.figures.draw import draw_rows
from allmodes.figures.files import save
from allmodes.game.sampling import draw, given_problem
from allmodes.metrics import Conditional, Evaluation, build_metrics
from allmodes.specs.loading import parse
from allmodes_schemas import Given
from test_figures import pixels
from tiny import SPEC

MEANS = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
DATA = MixtureData(Mixture(MEANS, 0.01, torch.ones(3)))


class Toy(Prior):
    """Two entries; the mode, of three, is the first of them."""

    dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.sizes = {"code": 2, "mode": 3}

    def forward(self, noise: Noise, n: int, given: Given = {}) -> Latent:  # noqa: B006
        mode = torch.as_tensor(given.get("mode", 0)).expand(n)
        return Latent(torch.stack([mode.float(), noise.uniform("u", n)], 1), {"mode": torch.eye(3)[mode]})


class Steps(nn.Module):
    """From the mode to a point: modes 0 and 1 to the first two means, mode 2 to the second one in 3 of 4 draws."""

    def forward(self, z: Tensor) -> Tensor:
        astray = (z[:, 0] == 2) & (z[:, 1] < 0.75)
        return MEANS[torch.where(astray, torch.ones(len(z)), z[:, 0]).long()]


def evaluation(modules: Mapping[str, nn.Module], data: Any = DATA) -> Evaluation:
    generator = torch.Generator().manual_seed(0)
    real = data.held_out(20, generator)
    return Evaluation(
        real.x, data, real, generator, lambda n, given: draw(modules, n, generator, given), modules=modules
    )


def test_purity_is_the_share_of_the_commonest_true_mode_and_classes_counts_those() -> None:
    found = Conditional(samples=2000).compute(evaluation({"prior": Toy(), "generator": Steps()}))
    assert found["conditional_classes"] == 2
    assert found["conditional_purity"] == pytest.approx((1 + 1 + 0.75) / 3, abs=0.01)


def test_images_are_named_by_the_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLMODES_CACHE", str(tmp_path))
    levels = torch.tensor([-1.0, 0.0, 1.0])
    labels = torch.arange(300) % 3
    x = (levels[labels] + 0.05 * torch.randn(300, generator=torch.Generator().manual_seed(0)))[:, None, None, None]
    data = TensorData(x.expand(300, 1, 8, 8), labels, x[:60].expand(60, 1, 8, 8), labels[:60])

    class Flat(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return levels[z[:, 0].long()][:, None, None, None].expand(len(z), 1, 8, 8)

    (metric,) = build_metrics(
        [ConditionalConfig(classifier=ClassifierConfig(iterations=60, batch_size=60, width=4))]
    ).values()
    seen = evaluation({"prior": Toy(), "generator": Flat()}, data)
    assert metric.compute(seen) == {"conditional_purity": 1.0, "conditional_classes": 3.0}
    rows = pixels(save(metric.figure(seen), tmp_path / "rows.png"))
    greys = [float(rows[int(rows.shape[0] * (i + 0.5) / 3), rows.shape[1] // 2 + 4, 0]) for i in range(3)]
    assert greys == pytest.approx([0.0, 0.5, 1.0], abs=0.02)


def test_without_known_modes_and_classifier_there_is_the_picture_alone() -> None:
    data = TensorData(MEANS, torch.arange(3), MEANS, torch.arange(3))
    seen = evaluation({"prior": Toy(), "generator": Steps()}, data)
    assert Conditional().compute(seen) == {}
    assert Conditional().figure(seen) is not None


def test_points_have_a_colour_for_each_mode(tmp_path: Path) -> None:
    seen = evaluation({"prior": Toy(), "generator": Steps()})
    assert isinstance(draw_rows(torch.zeros(25, 4, 2), DATA), object)
    (axes,) = Conditional(20).figure(seen).axes
    colours = [tuple(points.get_facecolor()[0]) for points in axes.collections]
    assert len(set(colours)) == 3
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["mode 0", "mode 1", "mode 2"]


def test_a_prior_without_modes_is_refused() -> None:
    with pytest.raises(SpecError, match=re.escape("conditional needs a latent part 'mode', which prior gaussian")):
        parse({**SPEC, "evaluation": {"metrics": ["conditional"]}}, installed())


def test_draws_in_chunks_give_each_draw_its_own_mode() -> None:
    modes = torch.arange(10) % 3
    x = draw({"prior": Toy(), "generator": nn.Identity()}, 10, torch.Generator().manual_seed(0), {"mode": modes}, 4)
    assert torch.equal(x[:, 0], modes.float())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mode": 2}, None),
        ({"mode": torch.tensor([0, 2])}, None),
        ({"code": torch.zeros(2, 2)}, None),
        ({"mode": 3}, "there is no mode 3: the prior has modes 0 to 2"),
        ({"mode": -1}, "there is no mode -1: the prior has modes 0 to 2"),
        ({"mode": torch.tensor([1])}, "modes are given as a number from 0 to 2, or as 2 of them, one for each draw"),
        ({"mode": 0.5}, "modes are given as a number from 0 to 2, or as 2 of them, one for each draw"),
        ({"code": 1}, "part 'code' is given as a tensor of shape (2, 2), not 1"),
        ({"hue": 1}, "the prior has no part 'hue': its parts are code, mode"),
    ],
)
def test_what_a_prior_cannot_hold_fixed_is_said(given: Given, said: str | None) -> None:
    assert given_problem(Toy(), given, 2) == said
