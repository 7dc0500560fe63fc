"""The hooks of plugins: providers return the kinds that a plugin adds, observers are called as a run proceeds.

Providers take no arguments and return an iterable of config classes. Observers are called one by one; one that fails is
reported and neither stops the others nor alters the run, which it may ask to end: `run.stop("reason")`. A training
step is never a hook call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

from allmodes_schemas import (
    AuxiliaryConfig,
    DatasetConfig,
    FeatureConfig,
    LossTermConfig,
    MetricConfig,
    NetworkConfig,
    PriorConfig,
    ReferenceConfig,
    SamplerConfig,
)

if TYPE_CHECKING:
    from allmodes.runs.run import Outcome, Run

PROJECT = "allmodes"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Providers:
    """Hooks that return config classes."""

    @hookspec
    def allmodes_latent_priors(self) -> Iterable[type[PriorConfig]]:  # type: ignore[empty-body]
        """Distributions of the latent, for the slot `prior`."""

    @hookspec
    def allmodes_auxiliary_networks(self) -> Iterable[type[AuxiliaryConfig]]:  # type: ignore[empty-body]
        """Networks beside generator and discriminator, for `auxiliaries`."""

    @hookspec
    def allmodes_loss_terms(self) -> Iterable[type[LossTermConfig]]:  # type: ignore[empty-body]
        """Games, penalties and other terms, for `losses`."""

    @hookspec
    def allmodes_samplers(self) -> Iterable[type[SamplerConfig]]:  # type: ignore[empty-body]
        """Ways to draw samples from a trained model, for `sampler`."""

    @hookspec
    def allmodes_datasets(self) -> Iterable[type[DatasetConfig]]:  # type: ignore[empty-body]
        """Data to learn from, for `data`."""

    @hookspec
    def allmodes_networks(self) -> Iterable[type[NetworkConfig]]:  # type: ignore[empty-body]
        """Network bodies, for `generator`, `discriminator` and the network of an auxiliary."""

    @hookspec
    def allmodes_features(self) -> Iterable[type[FeatureConfig]]:  # type: ignore[empty-body]
        """Feature spaces for metrics and distances."""

    @hookspec
    def allmodes_metrics(self) -> Iterable[type[MetricConfig]]:  # type: ignore[empty-body]
        """Measures of a trained model, for `evaluation.metrics`."""

    @hookspec
    def allmodes_references(self) -> Iterable[type[ReferenceConfig]]:  # type: ignore[empty-body]
        """Samplers that no game trained, for `evaluation.references`."""

    @hookspec
    def allmodes_recipes(self) -> Path:  # type: ignore[empty-body]
        """A folder of ready specs: `<folder>/<plugin name>/<recipe>.yaml`."""

    @hookspec
    def allmodes_evidence(self) -> Path:  # type: ignore[empty-body]
        """A folder of what was measured, `<folder>/<study>.json`, for `allmodes suggest`."""


class Observers:
    """Hooks that are called as a run proceeds and return nothing."""

    @hookspec
    def allmodes_run_started(self, run: Run) -> None:
        """A run of one seed begins; its folder exists and holds the resolved spec."""

    @hookspec
    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        """Numbers of an iteration: `train/...` losses, `eval/...` metrics, `time/...`."""

    @hookspec
    def allmodes_samples_drawn(self, run: Run, iteration: int, figure: Path, name: str) -> None:
        """A figure of an iteration was written (PNG): `name` is `samples`, or the metric that drew it."""

    @hookspec
    def allmodes_run_finished(self, run: Run, outcome: Outcome) -> None:
        """The run of one seed ended: finished, failed or killed."""
