"""The evidence of a study: one page of JSON out of the tables and statistics of its stages."""

from __future__ import annotations

import csv
import json
import math
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from allmodes_study.honest import samplers
from allmodes_study.honest.datasets import Dataset
from allmodes_study.honest.plan import BASELINE, Plan, Trial
from allmodes_study.honest.stages import BUDGETS, LATENTS, starts, unpaid_fit

PAGE = Path(__file__).parents[1] / "evidence" / "honest.json"
COSTS = ("images", "generator_updates", "cpu_seconds")
NOT_TRIED = (
    "images and any data beyond ten dimensions",
    "other networks than perceptrons of 64 x 64, and longer training",
    "other settings than the learning rate and Adam's first decay",
    "labels",
)
Table = dict[str, dict[str, dict[str, float]]]
"""Numbers by method (or `real data`, or a reference sampler), seed (empty for those two) and metric."""


def gather(plan: Plan, folder: Path, made: Mapping[str, str]) -> dict[str, Any]:
    """Gather what the stages in a folder have written, whole or not."""
    stages = [
        (data, budget) for data in plan.data for budget in BUDGETS if (folder / budget / data / "table.csv").exists()
    ]
    done = {data for data, _ in stages}
    trials = json.loads((folder / "tuning.json").read_text("utf-8"))
    return {
        "title": f"{len(plan.methods)} methods, small perceptrons, the best of {len(plan.trials)} settings for each",
        "made": {**made, **_seeds(plan), **versions()},
        "criterion": "w1",
        "baseline": BASELINE,
        "budgets": budgets(plan),
        "limits": {"images": {"images": plan.images}, "cpu": {"cpu_seconds": plan.cpu_seconds}},
        "not_tried": [*NOT_TRIED, *(one.description for name, one in plan.data.items() if name not in done)],
        "methods": {name: _method(plan, name, trials) for name in plan.methods},
        "data": {name: _data(plan.data[name], folder, name) for name in dict.fromkeys(data for data, _ in stages)},
        "results": [one for data, budget in stages for one in _results(folder / budget / data, data, budget)],
    }


def write(page: Mapping[str, Any], path: Path = PAGE) -> Path:
    """Write a page; returns its file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(page, indent=1) + "\n", encoding="utf-8")
    return path


def budgets(plan: Plan) -> dict[str, str]:
    """What the budgets mean."""
    seconds = f"{plan.cpu_seconds:g} s of one CPU core a seed, of {len(plan.seeds)} that train together"
    return {"images": f"{plan.images:,} real images seen", "cpu": seconds}


def _seeds(plan: Plan) -> dict[str, str]:
    """The seeds of the comparisons, and those of the search, which are others."""
    compared, searched = (", ".join(map(str, seeds)) for seeds in (plan.seeds, plan.tuning_seeds))
    return {"seeds": compared, "of the search": searched}


def versions() -> dict[str, str]:
    """Date and versions."""
    found = {name: metadata.version(name) for name in ("torch", "numpy", "scipy")}
    return {"date": f"{datetime.now(UTC):%Y-%m-%d}", "Python": platform.python_version(), **found}


def best_of(trials: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The trial that was chosen."""
    return min(trials, key=lambda one: one["w1"])


def read_table(file: Path) -> tuple[Table, dict[str, dict[str, str]]]:
    """Read the numbers of a comparison, and the states of its runs by method and seed."""
    numbers: Table = {}
    states: dict[str, dict[str, str]] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            if line["status"]:
                states.setdefault(line["method"], {})[line["seed"]] = line["status"]
            if line["value"] and line["status"] in ("", "finished"):
                seeds = numbers.setdefault(line["method"], {})
                seeds.setdefault(line["seed"], {})[line["metric"]] = float(line["value"])
    return numbers, states


def _kept(numbers: Mapping[str, float], real: Mapping[str, float]) -> dict[str, float]:
    """The numbers that real data have, too, and the time of the fit: no costs of a run."""
    return {key: value for key, value in numbers.items() if key in real or key == "fit_seconds"}


def latents_alone(folder: Path) -> dict[str, dict[str, float]]:
    """The mean numbers of latents without any training, and `fit_seconds`: processor time of the fit of a lone run.

    Runs of one process share fits of the same items, so it is the longest start of all that counts.
    """
    if not (folder / "table.csv").exists():
        return {}
    table, states = read_table(folder / "table.csv")
    fit = max((seconds for method in states for seconds in starts(folder / method)), default=0.0)
    return {method: {**_means(table[method]), "fit_seconds": fit} for method in states if method in table}


def latent_row(method: str) -> str:
    """The row of a method's latent alone."""
    return f"the latent of {method}"


def _means(seeds: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Means over the seeds of the numbers that each has."""
    keys = dict.fromkeys(key for one in seeds.values() for key in one)
    return {key: _mean([one[key] for one in seeds.values() if key in one]) for key in keys}


def _method(plan: Plan, name: str, trials: Mapping[str, list[dict[str, Any]]]) -> dict[str, str]:
    method, best = plan.methods[name], best_of(trials[name])
    setting = Trial(best["lr"], best["beta"])
    text = (
        f"learning rate {setting.lr:g}, first decay {setting.beta:g}"
        if math.isfinite(best["w1"])
        else "no trial finished"
    )
    recipe = method.recipe or f"study/grid-{name}"
    return {"description": method.description, "told": method.told, "setting": text, "recipe": recipe}


def _data(data: Dataset, folder: Path, name: str) -> dict[str, Any]:
    file = next(path for budget in BUDGETS if (path := folder / budget / name / "table.csv").exists())
    beside = {title: seeds[""] for title, seeds in read_table(file)[0].items() if "" in seeds}
    real = beside.pop("real data", {})
    alone = {method: _kept(numbers, real) for method, numbers in latents_alone(folder / "alone" / name).items()}
    traits = {"dims": data.dims, "modes": data.modes, "items": 8192, "weight_ratio": data.weight_ratio}
    return {
        "description": data.description,
        "block": dict(data.block),
        "traits": {**traits, "width_ratio": data.width_ratio, "curved": data.curved, "images": False},
        "real": real,
        "references": {**beside, **{latent_row(method): numbers for method, numbers in alone.items()}},
    }


def _results(folder: Path, data: str, budget: str) -> Iterator[dict[str, Any]]:
    table, states = read_table(folder / "table.csv")
    lines = _statistics(folder / "statistics.csv")
    against = _against(folder.parents[1], data, {method: table[method] for method in states if method in table})
    for method, seeds in states.items():
        finished, numbers = table.get(method, {}), lines.get(method, {})
        if not finished and "failed" not in seeds.values():  # not begun; a method that always fails is a result
            continue
        yield {
            "data": data,
            "budget": budget,
            "method": method,
            "seeds": len(finished),
            "of": len(seeds),
            "costs": _costs(folder, method, finished),
            "numbers": {metric: _number(line, len(finished)) for metric, line in numbers.items()},
            "verdicts": {metric: line["verdict"] for metric, line in numbers.items() if line["verdict"]},
            "against": against.get(method, {}),
        }


def _against(study: Path, data: str, methods: Table) -> dict[str, dict[str, str]]:
    """Which samplers without a game each method is better or worse than, once their draws were measured."""
    draws = samplers.read(study / "samplers" / f"{data}.json")
    alone = study / "alone" / data / "table.csv"
    latents = read_table(alone)[0] if alone.exists() else {}
    draws |= {latent_row(method): _criterion(latents[method]) for method in LATENTS if method in latents}
    return samplers.judge({method: _criterion(seeds) for method, seeds in methods.items()}, draws)


def _criterion(seeds: Mapping[str, Mapping[str, float]]) -> list[float]:
    return [one[samplers.KEY] for one in seeds.values() if samplers.KEY in one]


def _costs(stage: Path, method: str, finished: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Means over the seeds, if any finished, and the whole fit of a lone run where runs of a process share one."""
    if not finished:
        return {}
    found = {cost: _mean([one[cost] for one in finished.values() if cost in one]) for cost in COSTS}
    unpaid = unpaid_fit(stage.parents[1], stage / method) if method in LATENTS else 0.0
    return {**found, "cpu_seconds": float(f"{found['cpu_seconds'] + unpaid:.5g}")}


def _statistics(file: Path) -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            found.setdefault(line["method"], {})[line["metric"]] = line
    return found


def _number(line: Mapping[str, str], finished: int) -> dict[str, float | None]:
    seeds = int(line["seeds"])
    numbers = {name: _rounded(line[name]) for name in ("mean", "low", "high")}
    return {**numbers, "seeds": seeds if seeds < finished else None}


def _rounded(text: str) -> float | None:
    return float(f"{float(text):.5g}") if text else None


def _mean(values: list[float]) -> float:
    return float(f"{sum(values) / len(values):.5g}") if values else 0.0
