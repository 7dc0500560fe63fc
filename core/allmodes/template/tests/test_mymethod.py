"""mymethod keeps the contracts of its slots, and its formulas are those of its paper."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from allmodes import Experiment, load_run, seeded, training_items
from allmodes.testing import (
    AuxiliaryContract,
    LossTermContract,
    MetricContract,
    NetworkContract,
    PriorContract,
    RecipeContract,
    compose,
    load_spec,
    make_step,
    take_turn,
)
from allmodes_mymethod import LayerConfig, ReaderConfig, ReadingConfig, UnderstoodConfig, WordsConfig
from allmodes_mymethod.model import Reader, Words

RECIPE = "mymethod/ring"


class TestWords(PriorContract):
    config = WordsConfig(noise=3, words=5)


class TestReader(AuxiliaryContract):
    config = ReaderConfig()
    parts = {"code": 7, "mode": 5}


class TestReading(LossTermContract):
    config = ReadingConfig()
    recipe = RECIPE


class TestLayer(NetworkContract):
    config = LayerConfig()
    sees, gives = ((1, 3, 3),), (4,)


class TestUnderstood(MetricContract):
    config = UnderstoodConfig()
    recipe = RECIPE


class TestRing(RecipeContract):
    recipe = RECIPE


def test_all_words_are_equally_frequent_and_independent_of_the_noise() -> None:
    latent = Words(noise=2, words=4)(seeded(0), 40_000)
    word, noise = latent.part("mode"), latent.z[:, :2]
    assert torch.equal(latent.z[:, 2:], word)
    torch.testing.assert_close(word.mean(0), torch.full((4,), 0.25), atol=0.01, rtol=0)
    torch.testing.assert_close(noise.T @ word / len(word), torch.zeros(2, 4), atol=0.02, rtol=0)


def test_a_word_may_be_given_for_all_draws_or_for_each() -> None:
    prior = Words(noise=2, words=4)
    assert prior(seeded(0), 3, {"mode": 2}).part("mode").argmax(1).tolist() == [2, 2, 2]
    assert prior(seeded(0), 3, {"mode": torch.tensor([3, 0, 1])}).part("mode").argmax(1).tolist() == [3, 0, 1]


@pytest.mark.parametrize(("sharpness", "loss"), [(0.0, math.log(8)), (5.0, math.log(math.exp(5) + 7) - 5)])
def test_the_loss_is_the_cross_entropy_of_the_word_and_what_is_read(sharpness: float, loss: float) -> None:
    composition = compose(RECIPE)
    step = make_step(composition, torch.zeros(6, 2))
    reader = composition.modules["reader"]
    assert isinstance(reader, Reader)
    reader.forward = lambda seen: sharpness * step.latent.part("mode")  # type: ignore[method-assign]
    term = composition.terms["mymethod.reading"]
    torch.testing.assert_close(term.loss(step, "generator"), torch.tensor(loss))


def test_the_reader_is_a_player_of_its_own() -> None:
    composition = compose(RECIPE)
    assert take_turn(composition, "reader", torch.randn(6, 2)) == {"reader"}
    assert take_turn(composition, "generator", torch.randn(6, 2)) == {"generator"}


def test_the_reader_sees_data_that_are_standardised() -> None:
    data = load_spec(RECIPE).data.build()
    reader = compose(RECIPE, data=data).modules["reader"]
    assert isinstance(reader, Reader)
    x = training_items(data, 40_000, torch.Generator().manual_seed(0)).x
    torch.testing.assert_close((x - reader.mean) / reader.std, x / x.std(), atol=0.1, rtol=0)


def test_a_trained_model_draws_the_word_that_is_asked_for(tmp_path: Path) -> None:
    changes = ["training.iterations=20", "training.device=cpu", "evaluation.samples=64"]
    results = Experiment.from_recipe(RECIPE, changes, folder=tmp_path, track=False).run(seeds=[0])
    assert results.status == "finished"
    assert load_run(results.folder).sample(5, mode=3).shape == (5, 2)


def test_checking_a_spec_loads_no_torch() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "allmodes", "validate", RECIPE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "allmodes_mymethod.config" in imported
    assert "torch" not in imported
