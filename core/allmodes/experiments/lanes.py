"""What an engine trains of a run, built from its spec and seed."""

from __future__ import annotations

from collections.abc import Mapping

from allmodes.data.base import Data
from allmodes.data.labelled import LabelledItems
from allmodes.engine.eager import EagerEngine
from allmodes.engine.loop import Average, Lane
from allmodes.experiments.batches import make_loader
from allmodes.game.compose import compose
from allmodes.game.contracts import Functions
from allmodes.game.noise import rng
from allmodes.game.parts import Refits
from allmodes.runs.run import Run


def build_lane(run: Run, data: Data, functions: Functions, labelled: Mapping[str, LabelledItems] | None = None) -> Lane:
    """Build what an engine trains of a run, before its first iteration."""
    spec, seed, device = run.spec, run.seed, run.device
    composition = compose(spec, data.to("cpu"), seed, functions)
    for module in composition.modules.values():
        module.to(device).train()
    return Lane(
        composition,
        EagerEngine(composition),
        make_loader(spec, data, seed, labelled),
        rng(seed, "noise", device),
        Average(spec.training.ema, composition) if spec.training.ema else None,
        Refits(composition.modules, data, seed, functions),
    )
