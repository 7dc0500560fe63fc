"""Comparing specs: train the runs of a study that are not finished, in processes side by side, and tabulate all."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from allmodes.registry.given import KEYWORDS
from allmodes.registry.registry import Registry, installed
from allmodes.specs.axes import Axes
from allmodes.specs.axis_reader import to_axes
from allmodes.specs.executor_block import read_executor
from allmodes.studies.choices import Shown, parse_columns
from allmodes.studies.comparison import Comparison
from allmodes.studies.here import Here, check_blocks, check_here, find_unused
from allmodes.studies.live import LiveStudy
from allmodes.studies.load import load_study
from allmodes.studies.placing import Asked, Where, choose_executor, choose_for_search
from allmodes.studies.search import SearchTrainer, load_search, make_study
from allmodes.studies.trainer import StudyTrainer
from allmodes.system.notebook import is_notebook
from allmodes.text import redact


def compare(
    references: Iterable[str],
    *,
    seeds: Sequence[int] | None = None,
    overrides: Sequence[str] = (),
    jobs: int | None = None,
    folder: str | Path | None = None,
    name: str | None = None,
    track: bool = True,
    registry: Registry | None = None,
    baseline: str = "",
    figures: bool = True,
    labels: Mapping[str, str] | None = None,
    columns: str | Sequence[str] = (),
    progress: bool = True,
    vary: Mapping[str, Any] | None = None,
    on: Where | None = None,
    pack: int | None = None,
    ask: Mapping[str, Any] | None = None,
    networks: Mapping[str, Any] | None = None,
    losses: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> Comparison:
    """Train several specs with several seeds, or go on with that, and return the comparison.

    A spec that varies gives a method for each of its members; one with `search`, given alone, is searched.

    Args:
        references: Spec files, recipes, runs' folders, and patterns of recipes such as `study/ring-*`.
        seeds: The seeds of every method; by default those of its spec.
        overrides: Changes to every spec, such as `training.iterations=2000`.
        jobs: Processes side by side; by default as the specs' `executor` says, else one for each core.
        folder: The study's folder; finished runs in it are kept. By default `runs/comparison`, or, of one spec that
            varies, `runs` and its name.
        name: The study's name; by default the folder's.
        track: Whether runs are logged to MLflow.
        registry: The plugins; by default all that are installed.
        baseline: The method that statistics compare the others with, or a pattern such as `*-gan` with one for each
            data set; by default the first.
        figures: Whether samples and curves are drawn, which takes about two seconds for ten methods.
        labels: What tables and figures call a method or a column, by its name.
        columns: Metrics and costs that tables show, by name or pattern, in that order; by default all. Labels, columns
            and baseline are kept in the folder for the next command.
        progress: Whether a notebook shows a table of the runs and curves while they train; elsewhere nothing is shown.
        vary: Settings of every spec that vary, as in a spec's `vary`: `{"training.batch_size": [64, 128]}`.
        on: `local` trains all runs here; `join` shares them with other commands in the same folder, on any host;
            `slurm` submits an array of jobs that do so, and `ray` starts tasks of Ray. By default as the specs' block
            `executor` says, else `local`.
        pack: The most runs that one process claims and trains together, but for `local`.
        ask: What is asked of Slurm or Ray, such as `{"workers": 8, "partition": "gpu"}`; over what `executor` says.
        networks: Networks that specs name as `kind: python:name`, by name, as `Experiment` takes them. No other process
            can have them: with any such object, all runs are trained in this process, and `jobs` is 1.
        losses: Losses that specs name so.
        metrics: Metrics that specs name so.

    Ctrl-C and SIGTERM save the runs in training, as they do with `Experiment.run`; after SIGTERM the program ends.

    Raises:
        SpecError: With a line for each problem, before any training.
    """
    shown, place = Shown(labels or {}, parse_columns(columns)), None if folder is None else Path(folder)
    axes, references = Axes() if vary is None else to_axes(vary), list(references)
    objects = dict(zip(KEYWORDS.values(), (networks or {}, losses or {}, metrics or {}), strict=True))
    registry = registry or installed()
    if any(objects.values()):
        check_here(jobs, on)
        registry = _with_objects(registry, objects)
    here, asked = Here(registry, objects) if any(objects.values()) else None, Asked(on, jobs, pack, ask or {})
    if trainer := _make_search(references, registry, place, name, overrides, seeds, axes, here, asked, track):
        comparison = trainer.run()
        trainer.stop.pass_on()
        return comparison
    study = load_study(references, registry, place, name, overrides, seeds, baseline, shown, axes)
    if here and on is None:
        check_blocks(study.blocks)
    for line in find_unused(study.entries, objects):
        warnings.warn(line, stacklevel=2)
    executor = here or choose_executor(asked, study.blocks)
    trainer = StudyTrainer(
        *(study, executor, track, lambda text: warnings.warn(redact.text(text), stacklevel=3)),
        view=LiveStudy() if progress and is_notebook() else None,
        baseline=baseline,
        figures=figures,
        registry=registry,
    )
    comparison = trainer.run()
    trainer.stop.pass_on()
    return comparison


def _make_search(
    references: Sequence[str],
    registry: Registry,
    folder: Path | None,
    name: str | None,
    overrides: Sequence[str],
    seeds: Sequence[int] | None,
    vary: Axes,
    here: Here | None,
    asked: Asked,
    track: bool,
) -> StudyTrainer | None:
    """The search of a single spec, if it has one."""
    trials = load_search(references, registry, folder, overrides, seeds, vary)
    if trials is None:
        return None
    executor = here or choose_for_search(asked, read_executor(trials.plan.source))
    study = make_study(trials, name)
    return SearchTrainer(study, executor, track, _warn_in_python, trials=trials, registry=registry)


def _with_objects(registry: Registry, objects: Mapping[str, Mapping[str, Any]]) -> Registry:
    """The plugins, and objects of Python as kinds. Raises SpecError where one of them cannot stand in its place."""
    from allmodes.experiments.given import with_objects  # which loads torch

    return with_objects(registry, objects)


def _warn_in_python(text: str) -> None:
    warnings.warn(redact.text(text), stacklevel=4)
