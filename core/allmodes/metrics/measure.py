"""The evaluation of a trained model, the numbers of its metrics and their figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from allmodes.data.base import Data
from allmodes.data.batch import Batch
from allmodes.figures.files import save
from allmodes.game.composition import Composition
from allmodes.game.noise import rng
from allmodes.game.parts import fit_sampler
from allmodes.game.sampling import draw, eval_mode
from allmodes.game.untouched import LostError, Untouched
from allmodes.metrics import Evaluation, Metric
from allmodes.metrics.base import READERS, as_numbers, check_keys, owners_of, title_of
from allmodes.registry.faults import calling, describe
from allmodes_schemas import Given

Warn = Callable[[str], None]


def make_evaluation(
    composition: Composition,
    modules: Mapping[str, nn.Module],
    data: Data,
    n: int,
    seed: int,
    iteration: int,
    device: str,
) -> Evaluation:
    """Draw n samples of the model and as many held-out items.

    `modules` are those that samples are drawn with; a sampler among them is fitted first. Randomness comes from streams
    of the seed and the iteration alone, so that measuring neither changes training nor depends on what was measured
    before.
    """
    fit_sampler(modules, data, seed, iteration)
    generator = rng(seed, f"evaluation/{iteration}", device)
    real = data.held_out(n, generator)

    def sample(n: int, given: Given) -> Tensor:
        return draw(modules, n, generator, given)

    @torch.no_grad()
    def encode(name: str, x: Tensor) -> Any:
        if name not in composition.heads:
            with eval_mode(modules[name]):
                return modules[name](x.to(device))
        discriminator = composition.discriminator
        with eval_mode(modules[name], discriminator):
            return modules[name](discriminator.network.trunk(x.to(device)))

    on_cpu = Batch(real.x.cpu(), None if real.labels is None else real.labels.cpu())
    cpu = rng(seed, f"metrics/{iteration}")
    return Evaluation(sample(n, {}), data, on_cpu, cpu, sample, encode, modules)


def measure(metrics: Mapping[str, Metric], evaluation: Evaluation, warn: Warn) -> dict[str, float]:
    """Compute all metrics' numbers by key. One that fails is left out with a warning: it must not cost the run.

    A metric fails, too, that gives the number of another one, or changes what it only reads, which is put back. Raises
    LostError where that is too large to be put back.
    """
    results, owners, untouched = dict[str, float](), owners_of(metrics.values()), evaluation.untouched()
    for name, metric in metrics.items():
        try:
            with calling(f"metric {name}", metric), untouched.kept():
                numbers = as_numbers(metric.compute(evaluation))
                check_keys(metric, numbers, owners)
        except LostError:
            raise
        except Exception as error:
            warn(f"{describe(error)}: its numbers are left out")
            continue
        results |= numbers
        owners |= dict.fromkeys(numbers, metric)
    return results


def measure_chance(metrics: Iterable[Metric], data: Data, warn: Warn) -> dict[str, float]:
    """The numbers by key of a sampler that knows only the range of the data; a metric that fails has none."""
    chance, owners = dict[str, float](), owners_of(metrics := tuple(metrics))
    untouched = Untouched(READERS, data=data)
    for metric in metrics:
        try:
            with calling(f"chance of metric {title_of(metric)}", metric), untouched.kept():
                numbers = as_numbers(metric.chance(data))
                check_keys(metric, numbers, owners)
                chance |= numbers
        except LostError:
            raise
        except Exception as error:
            warn(describe(error))
    return chance


def save_figures(
    metrics: Mapping[str, Metric], evaluation: Evaluation, folder: Path, iteration: int, warn: Warn
) -> Iterator[tuple[str, Path]]:
    """Write the figures of the metrics that have one to `<folder>/<name>-<iteration>.png`; yield names and paths."""
    untouched = evaluation.untouched()
    for name, metric in metrics.items():
        try:
            with calling(f"figure of metric {name}", metric), untouched.kept():
                figure = metric.figure(evaluation)
                path = None if figure is None else save(figure, folder / f"{name}-{iteration:08d}.png")
        except LostError:
            raise
        except Exception as error:
            warn(describe(error))
            continue
        if path is not None:
            yield name, path
