"""Feature spaces are pure, differentiable and the same everywhere; the classifier is trained once."""

import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from allmodes.builtin.config.features import ClassifierConfig, ItemsConfig, RandomConvConfig, TorchvisionFeaturesConfig
from allmodes.builtin.config.mixtures import RingConfig
from allmodes.data import Data, DataError, TensorData, digits
from allmodes.metrics.classifier import Classifier, Training, load_classifier, train
from allmodes.metrics.features import CHUNK, RandomConv, extract_features, load_backbone
from allmodes_schemas import FeatureConfig

QUICK = ClassifierConfig(iterations=120, width=8, features=32)
TRAINING = Training(iterations=120, width=8, features=32)
SPACES = (ItemsConfig(), RandomConvConfig(), QUICK)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setenv("ALLMODES_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def data() -> Data:
    return digits()


def images(n: int = 6, size: int = 8, channels: int = 1) -> Tensor:
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


# Every space


@pytest.mark.parametrize("config", SPACES, ids=lambda config: config.kind)
def test_features_are_vectors_of_each_item_alone(config: FeatureConfig, data: Data) -> None:
    space, x = config.build(data), images()
    features = space(x)
    assert features.shape[0] == 6
    assert features.dim() == 2
    assert not space.training
    torch.testing.assert_close(space(x[2:3]), features[2:3])


@pytest.mark.parametrize("config", SPACES, ids=lambda config: config.kind)
def test_features_can_be_differentiated_with_respect_to_items_alone(config: FeatureConfig, data: Data) -> None:
    space, x = config.build(data), images().requires_grad_()
    (gradient,) = torch.autograd.grad(space(x).square().sum(), x)
    assert gradient.abs().sum() > 0
    assert not any(weight.requires_grad for weight in space.parameters())


@pytest.mark.parametrize("config", SPACES, ids=lambda config: config.kind)
def test_features_are_functions_that_may_be_mapped_over_items(config: FeatureConfig, data: Data) -> None:
    space, x = config.build(data), images()
    each = torch.func.vmap(lambda item: space(item[None])[0])(x)
    torch.testing.assert_close(each, space(x), atol=1e-5, rtol=1e-4)


def test_pixels_are_the_items_flattened(data: Data) -> None:
    x = images()
    assert torch.equal(ItemsConfig().build(data)(x), x.reshape(6, 64))


def test_more_items_than_a_chunk_get_the_features_of_each(data: Data) -> None:
    space, x = RandomConvConfig().build(data), images(CHUNK + 7)
    torch.testing.assert_close(extract_features(space, x), space(x))


# Random convolutions


def test_random_convolutions_are_decided_by_their_seed_alone(data: Data) -> None:
    torch.manual_seed(1)
    first = RandomConv((1, 8, 8), seed=5)
    torch.manual_seed(2)
    x = images()
    assert torch.equal(first(x), RandomConv((1, 8, 8), seed=5)(x))
    assert not torch.allclose(first(x), RandomConv((1, 8, 8), seed=6)(x))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (3, 32, 32)])
def test_random_convolutions_give_sixteen_features_for_each_channel(shape: tuple[int, int, int]) -> None:
    assert RandomConv(shape, channels=4)(torch.zeros(2, *shape)).shape == (2, 64)


def test_random_convolutions_refuse_points() -> None:
    with pytest.raises(DataError) as refusal:
        RandomConvConfig().build(RingConfig().build())
    expected = "features random_conv: needs images (C, H, W), but items have shape (2,): take items"
    assert str(refusal.value) == expected


# Torchvision


def test_a_backbone_gives_the_last_hidden_layer_of_its_file(data: Data, tmp_path: Path) -> None:
    from torchvision.models import resnet18

    torch.manual_seed(0)
    network, path = resnet18().eval(), tmp_path / "resnet.safetensors"
    save_file(network.state_dict(), path)
    space = TorchvisionFeaturesConfig(weights=str(path)).build(data)
    features = space(images(2))
    assert features.shape == (2, 512)
    mean, std = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    small = (images(2).expand(-1, 3, -1, -1) + 1) / 2
    large = nn.functional.interpolate(small, (224, 224), mode="bilinear", antialias=True)
    torch.testing.assert_close(network.fc(features), network((large - mean) / std), atol=1e-4, rtol=1e-4)


def test_a_backbone_reads_torchs_own_format_too(data: Data, tmp_path: Path) -> None:
    from torchvision.models import resnet18

    torch.save(resnet18().state_dict(), tmp_path / "weights.pt")
    space = load_backbone("resnet18", str(tmp_path / "weights.pt"), False, (3, 32, 32))
    assert not any(weight.requires_grad for weight in space.parameters())


def test_missing_weights_are_never_fetched_unasked(data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(DataError) as refusal:
        TorchvisionFeaturesConfig().build(data)
    place = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    assert str(refusal.value) == (
        f"features resnet18: its weights are not at {place}: "
        "put them there, set weights to another file, or download: true"
    )


def test_weights_of_another_network_are_refused(data: Data, tmp_path: Path) -> None:
    save_file({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(DataError, match=r"^features resnet18: the weights do not fit: .*conv1\.weight"):
        TorchvisionFeaturesConfig(weights=str(tmp_path / "other.safetensors")).build(data)


def test_a_damaged_file_of_weights_is_named(data: Data, tmp_path: Path) -> None:
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match=f"^features resnet18: weights '{path}' cannot be read: "):
        TorchvisionFeaturesConfig(weights=str(path)).build(data)


def test_a_backbone_needs_grey_or_coloured_images() -> None:
    with pytest.raises(DataError) as refusal:
        load_backbone("resnet18", "default", False, (4, 8, 8))
    assert str(refusal.value) == ("features resnet18: needs images of 1 or 3 channels, but items have shape (4, 8, 8)")


# The classifier


def test_the_classifier_tells_digits_apart_and_says_how_well(data: Data) -> None:
    space = load_classifier(data, TRAINING)
    assert isinstance(data, TensorData)
    right = space.labels(data.test_x) == data.test_labels
    assert space.facts["accuracy"] == pytest.approx(float(right.double().mean()))
    assert space.facts["accuracy"] > 0.9


def test_the_classifier_of_points_is_a_perceptron() -> None:
    space = load_classifier(RingConfig().build(), Training(iterations=100))
    assert space(torch.zeros(3, 2)).shape == (3, 128)
    assert space.facts["accuracy"] > 0.99


def test_training_a_classifier_twice_gives_the_same_and_leaves_the_global_generator_alone(data: Data) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, again = (train(data, Training(iterations=3)).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert torch.equal(before, torch.get_rng_state())


def test_a_classifier_that_is_first_asked_for_without_gradients_is_trained_all_the_same(data: Data) -> None:
    expected = train(data, Training(iterations=3)).state_dict()
    with torch.no_grad():
        found = train(data, Training(iterations=3)).state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_classifier_is_trained_once_and_then_read(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_CACHE", str(tmp_path))
    short = Training(iterations=5)
    first = load_classifier(data, short)
    (file,) = tmp_path.rglob("*.safetensors")
    written = file.stat().st_mtime_ns
    assert torch.equal(load_classifier(data, short)(images()), first(images()))
    assert file.stat().st_mtime_ns == written
    load_classifier(data, Training(iterations=6))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2


def test_a_damaged_cache_is_said_and_replaced(data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLMODES_CACHE", str(tmp_path))
    short = Training(iterations=5)
    first = load_classifier(data, short)
    (file,) = tmp_path.rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.warns(UserWarning, match=f"^the cached classifier {file} is damaged .*: training it again$"):
        again = load_classifier(data, short)
    assert torch.equal(again(images()), first(images()))
    with warnings.catch_warnings(action="error"):
        load_classifier(data, short)


def test_one_flipped_bit_in_the_cache_is_said_and_trained_again(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_CACHE", str(tmp_path))
    first = load_classifier(data, Training(iterations=2))
    (file,) = tmp_path.rglob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.warns(UserWarning, match=r"is damaged \(it is not what was written \(another sha256\)\)"):
        again = load_classifier(data, Training(iterations=2))
    assert torch.equal(again(images()), first(images()))


def test_a_cache_that_cannot_be_written_costs_a_warning(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ALLMODES_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="^the classifier could not be kept in "):
        assert isinstance(load_classifier(data, Training(iterations=2)), Classifier)


def test_a_classifier_needs_labels() -> None:
    x = torch.zeros(4, 2)
    with pytest.raises(DataError) as refusal:
        load_classifier(TensorData(x, test_x=x), TRAINING)
    assert str(refusal.value) == (
        "features classifier: the data have no labels: take data with labels, or other features"
    )
