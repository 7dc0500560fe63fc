"""The discriminator and auxiliaries of a trained model: where they are found, and what they say."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from allmodes import Experiment, ModelError, load_run
from allmodes.models.format import read_tensors
from tiny import SPEC


def train(folder: Path, **changes: Any) -> Path:
    return Experiment.from_spec({**SPEC, **changes}, folder=folder, track=False).run().folder / "seed-3"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose data are standardised and whose generator is averaged."""
    folder = tmp_path_factory.mktemp("runs")
    table = folder / "x.csv"
    table.write_text("\n".join(["a,b", *(f"{i % 7 * 30},{i % 5 + 500}" for i in range(100))]))
    evaluation = {"samples": 64, "metrics": ["wasserstein"], "figure": False}
    training = {**SPEC["training"], "ema": {"decay": 0.9}}
    return train(folder, data={"kind": "csv", "path": str(table)}, evaluation=evaluation, training=training)


def test_items_are_scored_by_the_stored_discriminator_in_the_units_of_the_data(run: Path) -> None:
    model = load_run(run)
    x = torch.tensor([[30.0, 501.0], [90.0, 504.0], [0.0, 500.0]])
    assert model.units is not None
    seen = ((x.double() - torch.tensor(model.units.mean)) / torch.tensor(model.units.std)).float()
    weights = read_tensors(torch.nn.Identity(), run / "checkpoints" / "00000020", "discriminator")
    assert model.score(x).shape == (3,)
    torch.testing.assert_close(model.score(x), model.networks["discriminator"](seen)[0])
    for name, value in model.networks["discriminator"].state_dict().items():
        assert torch.equal(value, weights[name])
    assert torch.equal(model.score(x.numpy()), model.score(x))
    assert model.score(x[:0]).shape == (0,)
    assert torch.equal(load_run(run, checkpoint="last").score(x), model.score(x))
    assert torch.equal(model.networks["generator"](seen), model.modules["generator"](seen))


def test_an_export_leaves_the_discriminator_out_and_says_so(run: Path, tmp_path: Path) -> None:
    exported = load_run(run).export(tmp_path / "model")
    with pytest.raises(ModelError) as error:
        load_run(exported).score(torch.zeros(1, 2))
    left = "leaves discriminator and auxiliaries out: load the run that it came from"
    assert str(error.value) == f"{exported} is an exported model, which {left}"


def test_a_checkpoint_that_is_not_there_or_of_another_way_is_not_taken(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "seed-3"))
    (saved,) = (copy / "checkpoints").iterdir()
    model = load_run(copy)
    with torch.no_grad():
        next(model.modules["generator"].parameters()).add_(1)
    expected = (
        f"{copy / 'model'} holds neither discriminator nor auxiliaries, and its run keeps no checkpoint with these "
        "weights of iteration 20: load one that it keeps, checkpoint='last'"
    )
    with pytest.raises(ModelError) as error:
        model.score(torch.zeros(1, 2))
    assert str(error.value) == expected
    shutil.rmtree(saved)
    with pytest.raises(ModelError) as error:
        load_run(copy).score(torch.zeros(1, 2))
    assert str(error.value) == expected


def test_packed_items_share_a_score(tmp_path: Path) -> None:
    discriminator = {"kind": "mlp", "hidden": [8], "pack": 2}
    model = load_run(train(tmp_path, discriminator=discriminator, losses=[{"kind": "non_saturating"}]))
    x = model.sample(4)
    scores = model.score(x)
    assert scores[0] == scores[1] != scores[2] == scores[3]
    judge = model.networks["discriminator"].network
    torch.testing.assert_close(scores[::2], judge(x.reshape(2, 4))[:, 0])


def test_codes_are_those_of_the_auxiliary(tmp_path: Path) -> None:
    spec = {
        "prior": {"kind": "gaussian", "dim": 3},
        "discriminator": {"kind": "mlp", "hidden": [8], "joint": "encoder"},
        "auxiliaries": {"encoder": {"kind": "baselines.encoder", "network": {"kind": "mlp", "hidden": [8]}}},
        "losses": [{"kind": "baselines.ali"}],
    }
    run = train(tmp_path, **spec)
    model = load_run(run)
    x = model.sample(5)
    output = model.networks["encoder"](x)
    torch.testing.assert_close(model.encode(x), getattr(output, "mean", output))
    assert torch.equal(model.encode(x, "encoder"), model.encode(x))
    assert model.score(x).shape == (5,)
    with pytest.raises(ModelError) as error:
        model.encode(x, "encodr")
    assert str(error.value) == f"{run}: its spec has no auxiliary 'encodr' (did you mean 'encoder'?): it has encoder"


def test_a_spec_without_auxiliaries_has_no_code(run: Path) -> None:
    with pytest.raises(ModelError) as error:
        load_run(run).encode(torch.zeros(1, 2))
    assert str(error.value) == f"{run}: its spec has no auxiliary, which alone maps items to a code"


def test_what_is_no_item_is_refused(run: Path) -> None:
    with pytest.raises(ModelError) as error:
        load_run(run).score(torch.zeros(4, 3))
    assert str(error.value) == f"{run}: x has shape (4, 3): give items of shape (n, 2)"
