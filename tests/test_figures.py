"""Pictures show where samples are: pixels are read back and compared with what was drawn."""

import gc
import subprocess
import sys
from pathlib import Path
from struct import unpack
from weakref import ref

import pytest
import torch
from matplotlib.image import imread
from torch import Tensor

from allmodes.data import Data, MixtureData, TensorData
from allmodes.data.mixture import Mixture
from allmodes.figures.draw import draw_panels, draw_samples
from allmodes.figures.files import save
from allmodes.figures.images import NARROW, enlarge, real_images
from allmodes.figures.kept import picture_of
from allmodes.figures.points import plane_of
from allmodes.figures.style import new_figure, set_title

CORNERS = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])


def four_modes() -> MixtureData:
    return MixtureData(Mixture(CORNERS, 0.05, torch.ones(4)))


def full(data: Data) -> Tensor:
    return data.draw(400, torch.Generator().manual_seed(1)).x


def collapsed(data: Data) -> Tensor:
    x = full(data)
    return x[(x > 0).all(1)]


def size_of(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = unpack(">II", head[16:])
    return width, height


def pixels(path: Path) -> Tensor:
    """Colours (height, width, 3) in [0, 1]."""
    return torch.from_numpy(imread(path).copy())[..., :3]


def blue_share(picture: Tensor) -> list[float]:
    """Share of blue pixels in the quadrants: upper left, upper right, lower left, lower right."""
    blue = (picture[..., 2] - picture[..., 0] > 0.3).float()
    middle_y, middle_x = 258, 275  # of the axes, which leave room for a title above and a legend below
    halves = blue[:middle_y], blue[middle_y:500]
    return [float(part.mean()) for half in halves for part in (half[:, :middle_x], half[:, middle_x:])]


def test_a_picture_is_a_png_of_550_pixels(tmp_path: Path) -> None:
    data = four_modes()
    path = draw_samples(full(data), data, tmp_path / "new" / "samples.png", "step 100")
    assert path == tmp_path / "new" / "samples.png"
    assert size_of(path) == (550, 550)
    assert [p.name for p in path.parent.iterdir()] == ["samples.png"]


def test_full_samples_colour_every_quadrant_and_collapsed_ones_only_theirs(tmp_path: Path) -> None:
    data = four_modes()
    everywhere = blue_share(pixels(draw_samples(full(data), data, tmp_path / "full.png")))
    one = blue_share(pixels(draw_samples(collapsed(data), data, tmp_path / "collapsed.png")))
    assert all(share > 1e-3 for share in everywhere)
    assert [share > 1e-3 for share in one] == [False, True, False, False]


def test_limits_depend_on_the_data_and_not_on_the_samples(tmp_path: Path) -> None:
    data = four_modes()
    far = [draw_samples(torch.full((9, 2), at), data, tmp_path / f"{at}.png").read_bytes() for at in (1e3, -1e5)]
    assert far[0] == far[1]  # both pictures say that 100 % are outside


def drawn_anew(samples: Tensor, data: Data, title: str, path: Path) -> Path:
    """A picture of which nothing was kept from one before."""
    figure = new_figure()
    axes = figure.add_subplot()
    plane_of(data).draw(axes, samples)
    set_title(axes, title)
    return save(figure, path)


@pytest.mark.parametrize("data", [four_modes(), TensorData(torch.arange(15.0).reshape(5, 3))], ids=["modes", "points"])
def test_a_picture_after_others_is_the_one_that_is_drawn_anew(data: Data, tmp_path: Path) -> None:
    some, far = full(data), 9 + 9 * full(data)
    titles = ["run  iteration 1,000\nmodes 4", "run  iteration 2,000\nmodes 1  W1 2", "", "one line"]
    for samples, title in [(x, title) for title in titles for x in (some, far, some[:1])]:
        kept = pixels(draw_samples(samples, data, tmp_path / "kept.png", title))
        assert kept.equal(pixels(drawn_anew(samples, data, title, tmp_path / "anew.png")))


def test_a_picture_is_kept_no_longer_than_its_data(tmp_path: Path) -> None:
    data = four_modes()
    draw_samples(full(data), data, tmp_path / "x.png")
    picture = ref(picture_of(data, ""))
    del data
    gc.collect()
    assert picture() is None


def test_samples_that_are_not_numbers_are_counted_as_outside(tmp_path: Path) -> None:
    data = four_modes()
    far, nan = (draw_samples(torch.full((9, 2), at), data, tmp_path / f"{at}.png") for at in (1e3, float("nan")))
    assert far.read_bytes() == nan.read_bytes()
    inside = draw_samples(torch.zeros(9, 2), data, tmp_path / "inside.png")
    corner = pixels(far)[450:490, 45:150].mean()
    assert corner < pixels(inside)[450:490, 45:150].mean()  # the note's ink


def test_the_global_random_state_is_left_alone(tmp_path: Path) -> None:
    before, data = torch.get_rng_state(), TensorData(torch.ones(9, 5).cumsum(0))
    draw_samples(torch.zeros(3, 5), data, tmp_path / "x.png")
    assert torch.equal(before, torch.get_rng_state())


def test_points_of_many_dimensions_are_seen_along_the_principal_axes(tmp_path: Path) -> None:
    x = torch.zeros(200, 6)
    x[:, 3], x[:, 5] = torch.linspace(-9, 9, 200), torch.linspace(-1, 1, 200).square()
    data, moved = TensorData(x), torch.randn(20, 6)
    moved[:, [3, 5]] = 0
    along = [draw_samples(s, data, tmp_path / f"{i}.png").read_bytes() for i, s in enumerate((moved, 0 * moved))]
    assert along[0] == along[1]  # what is off the two axes cannot be seen
    moved[:, 3] = 5
    assert draw_samples(moved, data, tmp_path / "2.png").read_bytes() != along[0]


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_points_without_known_modes_are_drawn_over_real_ones(dim: int, tmp_path: Path) -> None:
    data = TensorData(torch.randn(300, dim, generator=torch.Generator().manual_seed(0)))
    picture = pixels(draw_samples(torch.zeros(4, dim), data, tmp_path / "x.png"))
    grey = (picture - torch.tensor([0.71, 0.71, 0.71])).abs().amax(-1) < 0.02
    assert grey[40:450, 60:500].sum() > 200


LEFT, TOP, PITCH, SHOWN = 12, 32, 17 * 4, (8 * 17 - 1) * 4
"""Of the first of two blocks of 64 images of 16 x 16 pixels, each of which is a square of 4 x 4."""


def coloured() -> Tensor:
    """Red first, green on its right, blue below, and all others black."""
    images = -torch.ones(64, 3, 16, 16)
    images[0, 0], images[1, 1], images[8, 2] = 1, 1, 1
    return images


def test_images_form_a_grid_row_by_row(tmp_path: Path) -> None:
    picture = pixels(draw_samples(coloured(), TensorData(coloured()), tmp_path / "x.png"))
    at = [(0, 0), (0, 1), (1, 0), (7, 7)]
    middles = [(TOP + row * PITCH + 32, LEFT + column * PITCH + 32) for row, column in at]
    colours = [[round(float(c)) for c in picture[y, x]] for y, x in middles]
    assert colours == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_generated_images_stand_beside_real_ones_enlarged_pixel_by_pixel(tmp_path: Path) -> None:
    generated, real = torch.rand(2, 64, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    data = TensorData(real)
    picture = (255 * pixels(draw_samples(generated, data, tmp_path / "x.png", "one line"))).round().byte()
    rows = slice(TOP + 20, TOP + 20 + SHOWN)
    right = LEFT + SHOWN + 12
    assert picture[rows, LEFT : LEFT + SHOWN].equal(torch.from_numpy(enlarge(generated)))
    assert picture[rows, right : right + SHOWN].equal(torch.from_numpy(enlarge(real_images(data))))
    assert {tuple(image) for image in real_images(data).flatten(1).tolist()} <= {
        tuple(x) for x in real.flatten(1).tolist()
    }


@pytest.mark.parametrize(
    ("size", "zoom", "count"), [(8, 8, 8), (28, 3, 8), (32, 2, 8), (64, 1, 8), (128, 1, 5), (512, 1, 2)]
)
def test_an_image_is_64_pixels_wide_at_least_and_a_whole_number_of_times_its_size(
    size: int, zoom: int, count: int
) -> None:
    images = torch.rand(64, 1, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    block, gap = enlarge(images), max(1, size // 16)
    assert block.shape == (zoom * (count * (size + gap) - gap),) * 2 + (3,)
    assert size * zoom >= 64
    small = block[::zoom, ::zoom, 0]
    assert (small.repeat(zoom, 0).repeat(zoom, 1) == block[..., 0]).all()  # each pixel is a square
    shown = small[size + gap : 2 * size + gap, :size]  # the first image of the second row
    assert abs(shown / 255 - (images[count, 0].numpy() + 1) / 2).max() < 1 / 255


def test_grey_images_may_be_few_and_out_of_range(tmp_path: Path) -> None:
    images = torch.full((3, 1, 16, 16), 7.0)
    images[1] = float("nan")
    picture = pixels(draw_samples(images, TensorData(torch.zeros(9, 1, 16, 16)), tmp_path / "x.png"))
    shown = [round(float(picture[TOP + 32, LEFT + i * PITCH + 32, 0]), 1) for i in range(4)]
    assert shown == [1.0, 0.5, 1.0, 1.0]  # clamped, not a number, clamped, no image


def test_samples_alone_are_drawn_without_real_ones(tmp_path: Path) -> None:
    alone = draw_samples(coloured(), TensorData(coloured()), tmp_path / "x.png", beside=False)
    assert size_of(alone)[0] == LEFT + SHOWN + 12


def test_real_images_come_first_where_methods_are_compared(tmp_path: Path) -> None:
    images = coloured()
    path = draw_panels([("a", 0 * images), ("b", images), ("c", images)], TensorData(images), tmp_path / "x.png")
    block = torch.from_numpy(enlarge(0 * images, NARROW))
    width, height = size_of(path)
    assert (width - 12) % 3 == 0  # three in a row, and the fourth below
    side = block.shape[0]
    picture = (255 * pixels(path)).round().byte()
    assert picture[32 : 32 + side, 12 + side + 12 : 12 + side + 12 + side].equal(block)
    assert height == 2 * (side + 20 + 12) + 12


def test_a_dollar_in_a_title_is_no_formula(tmp_path: Path) -> None:
    for data in (four_modes(), TensorData(coloured())):
        assert draw_samples(data.draw(9, torch.Generator()).x, data, tmp_path / "x.png", r"a $\nonsense$").exists()


def test_methods_are_compared_side_by_side_within_the_same_limits(tmp_path: Path) -> None:
    data = four_modes()
    path = draw_panels([("one", full(data)), ("other", full(data))], data, tmp_path / "x.png")
    width, height = size_of(path)
    assert (width, height) == (748, 374)
    left, right = pixels(path)[40:].split(width // 2, 1)  # below the titles
    assert (left - right).abs().mean() < 0.02


def test_many_methods_take_several_rows(tmp_path: Path) -> None:
    data = four_modes()
    path = draw_panels([(str(i), collapsed(data)) for i in range(5)], data, tmp_path / "x.png")
    assert size_of(path) == (4 * 374, 2 * 374)


def test_nothing_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^nothing to draw: give at least one panel$"):
        draw_panels([], four_modes(), tmp_path / "x.png")


def test_a_failure_leaves_the_former_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = four_modes()
    former = draw_samples(full(data), data, tmp_path / "x.png").read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("matplotlib.image.imsave", fail)
    with pytest.raises(OSError, match="disk full"):
        draw_samples(collapsed(data), data, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes() == former


def test_matplotlib_is_loaded_late_and_pyplot_never(tmp_path: Path) -> None:
    code = (
        "import sys, torch; from pathlib import Path; from allmodes.figures.draw import draw_samples; "
        "from allmodes.data import TensorData; early = 'matplotlib' in sys.modules; "
        f"draw_samples(torch.zeros(3, 2), TensorData(torch.ones(9, 2)), Path({str(tmp_path / 'x.png')!r})); "
        "print(early, 'matplotlib.pyplot' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False", "False"]
