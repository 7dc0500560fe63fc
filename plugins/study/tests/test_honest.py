"""The study at equal budgets: what it says is equal is equal, and its budgets are what they say."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from allmodes import Spec
from allmodes.testing import load_spec
from allmodes_study.honest import __main__ as command
from allmodes_study.honest import evidence, samplers, specs
from allmodes_study.honest.datasets import DATA, TUNING, Dataset
from allmodes_study.honest.methods import METHODS
from allmodes_study.honest.plan import BASELINE, POINTS, Plan, Trial
from allmodes_study.honest.stages import Study, affordable, unpaid_fit

PLAN, TRIAL = Plan(), Trial(1e-3, 0.5)


def load(folder: Path, method: str, data: Dataset, iterations: int = 3000) -> Spec:
    return load_spec(str(specs.write(specs.spec(PLAN, method, data, iterations, TRIAL), folder)))


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_a_valid_spec_with_what_all_have(method: str, tmp_path: Path) -> None:
    training = load(tmp_path, method, DATA["grid"]).training
    common = {"batch_size": 128, "ema": {"decay": 0.99, "start": 0}, "iterations": 3000}
    assert {name: training.model_dump()[name] for name in common} == common
    assert training.optimizers == {}


@pytest.mark.parametrize("data", [*DATA.values(), TUNING], ids=[*DATA, "tuning"])
def test_data_have_the_traits_that_they_are_listed_with(data: Dataset, tmp_path: Path) -> None:
    found: Any = load(tmp_path, BASELINE, data).data
    weights = found.mode_weights()
    assert (found.shape(), found.classes(), found.items) == ((data.dims,), data.modes, 8192)
    assert max(weights) / min(weights) == pytest.approx(data.weight_ratio, rel=0.5 if data.curved else 1e-5)
    assert getattr(found, "width_ratio", 1.0) == data.width_ratio


@pytest.mark.parametrize("method", METHODS)
def test_the_recipe_of_a_method_has_its_prior_and_its_losses(method: str, tmp_path: Path) -> None:
    spec, recipe = load(tmp_path, method, DATA["grid"]), load_spec(METHODS[method].recipe or f"study/grid-{method}")
    assert recipe.prior.kind == spec.prior.kind
    assert [term.kind for term in recipe.losses] == [term.kind for term in spec.losses]


def test_methods_that_are_told_the_number_of_modes_are_told_that_of_the_data(tmp_path: Path) -> None:
    for data in (DATA["ring"], DATA["grid"]):
        assert load(tmp_path, "infogan", data).prior.model_dump()["modes"] == data.modes
        assert load(tmp_path, "nemgan", data).prior.model_dump()["dim"] == max(16, data.modes)


def test_no_data_of_the_comparison_are_those_of_the_search() -> None:
    assert all(dict(data.block) != dict(TUNING.block) for data in DATA.values())
    assert not set(PLAN.seeds) & set(PLAN.tuning_seeds)


def test_seeds_are_enough_for_a_corrected_test_to_be_clear() -> None:
    assert (len(METHODS) - 1) * 2.0 ** (1 - len(PLAN.seeds)) <= 0.05


@pytest.mark.parametrize("method", METHODS)
def test_equal_images_are_equal_but_for_less_than_four_iterations(method: str) -> None:
    each = PLAN.batch * specs.draws(PLAN, method)
    assert PLAN.images - POINTS * each < each * specs.iterations(PLAN, method) <= PLAN.images


@pytest.mark.parametrize(("method", "draws"), {"veegan": 1, "switch": 1, "gan": 2, "nemgan": 3, "wgan-gp": 6}.items())
def test_every_turn_draws_a_batch(method: str, draws: int) -> None:
    assert specs.draws(PLAN, method) == draws


def test_the_iterations_for_a_time_lie_on_the_line_through_what_was_measured() -> None:
    line = [(at, 0.4 + 0.001 * at) for at in (250, 500, 1000)]
    assert affordable(1.5, line) == 1100
    assert affordable(0.1, line) == 4  # the start alone takes longer
    assert affordable(2.0, [(100, 0.5)]) == 400


def test_a_fit_that_runs_share_counts_whole(tmp_path: Path) -> None:
    for folder, starts in {"alone/ring/every-mode": (6.3, 0.1), "images/ring/every-mode": (5.8, 0.2, 0.0)}.items():
        for seed, seconds in enumerate(starts):
            (tmp_path / folder / f"seed-{seed}").mkdir(parents=True)
            page = {"start_cpu_seconds": seconds}
            (tmp_path / folder / f"seed-{seed}" / "results.json").write_text(json.dumps(page))
    assert unpaid_fit(tmp_path, tmp_path / "images" / "ring" / "every-mode") == pytest.approx(6.3 - 3.0)
    assert unpaid_fit(tmp_path, tmp_path / "images" / "grid" / "every-mode") == 0


def test_draws_of_samplers_are_kept_and_methods_are_tested_against_them(tmp_path: Path) -> None:
    found, file = specs.experiment(specs.beside(replace(PLAN, samples=50), DATA["ring"])), tmp_path / "ring.json"
    draws = samplers.draw(found, 6, file)
    assert {row: len(values) for row, values in draws.items()} == {"bootstrap": 6, "mixture by EM": 6}
    assert samplers.draw(found, 6, file) == draws
    judged = samplers.judge({"far": [9.0 + i / 9 for i in range(6)], "near": draws["bootstrap"]}, draws)
    assert judged == {"far": {"bootstrap": "worse", "mixture by EM": "worse"}, "near": {}}


def test_methods_that_were_no_better_than_the_plain_gan_in_the_search_are_left_there(tmp_path: Path) -> None:
    best = {"gan": 0.3, "r3gan": 0.29, "msgan": 0.31, "veegan": 0.9}
    trials = {
        name: [{"lr": 1e-3, "beta": 0.5, "w1": w1}, {"lr": 1e-2, "beta": 0.5, "w1": 1}] for name, w1 in best.items()
    }
    (tmp_path / "tuning.json").write_text(json.dumps(trials))
    kept = Study(PLAN, tmp_path).screen(dict.fromkeys(best, TRIAL))
    assert list(kept) == ["gan", "r3gan", "veegan"]


def test_tables_and_statistics_become_evidence(tmp_path: Path) -> None:
    plan = Plan(
        methods={name: METHODS[name] for name in ("gan", "msgan")},
        data={"ring": DATA["ring"]},
        rates=(1e-3,),
        betas=(0.5,),
    )
    folder = tmp_path / "images" / "ring"
    folder.mkdir(parents=True)
    (tmp_path / "tuning.json").write_text(
        json.dumps({name: [{"lr": 1e-3, "beta": 0.5, "w1": 0.3}] for name in ("gan", "msgan")})
    )
    (folder / "table.csv").write_text(
        "data,method,seed,status,metric,value\nring,real data,,,w1,0.05\nring,bootstrap,,,w1,0.06\n"
        "ring,gan,0,finished,images,100\nring,gan,1,finished,images,300\nring,gan,2,failed,,\n"
        "ring,msgan,0,failed,,\nring,msgan,1,failed,,\n"
    )
    (folder / "statistics.csv").write_text(
        "data,metric,method,seeds,mean,low,high,difference,pairs,p,p_holm,verdict\nring,w1,gan,2,0.5,0.4,,,,,,better\n"
    )
    page = evidence.gather(plan, tmp_path, {"commit": "abc"})
    assert page["data"]["ring"]["real"] == {"w1": 0.05}
    assert page["data"]["ring"]["references"] == {"bootstrap": {"w1": 0.06}}
    assert page["methods"]["gan"]["setting"] == "learning rate 0.001, first decay 0.5"
    result, dead = page["results"]
    assert (dead["method"], dead["seeds"], dead["of"], dead["numbers"], dead["costs"]) == ("msgan", 0, 2, {}, {})
    assert (result["seeds"], result["of"], result["costs"]["images"]) == (2, 3, 200)
    assert result["numbers"] == {"w1": {"mean": 0.5, "low": 0.4, "high": None, "seeds": None}}
    assert result["verdicts"] == {"w1": "better"}


def test_latents_alone_stand_beside_reference_samplers_with_the_fit_that_a_lone_run_pays(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(
        "data,method,seed,status,metric,value\nring,real data,,,w1,0.05\nring,every-mode,0,finished,w1,0.1\n"
        "ring,every-mode,1,finished,w1,0.3\n"
    )
    for seed, seconds in enumerate((6.3, 0.01)):  # the second finds the fit of the first
        (tmp_path / "every-mode" / f"seed-{seed}").mkdir(parents=True)
        page = {"start_cpu_seconds": seconds}
        (tmp_path / "every-mode" / f"seed-{seed}" / "results.json").write_text(json.dumps(page))
    assert evidence.latents_alone(tmp_path) == {"every-mode": {"w1": 0.2, "fit_seconds": 6.3}}
    assert evidence.latents_alone(tmp_path / "nowhere") == {}


@pytest.mark.slow
def test_one_command_searches_compares_and_writes_its_page_and_goes_on(tmp_path: Path) -> None:
    arguments = ["--small", "--folder", str(tmp_path / "runs"), "--docs", str(tmp_path), "--jobs", "2"]
    assert command.main(arguments) == 0
    text = (tmp_path / "honest_study.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("## ring")] != []
    assert text.count("| bourgan | 2 |") == 4  # two data sets at two budgets
    models = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.safetensors")}
    assert command.main(arguments) == 0
    assert models == {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.safetensors")}
