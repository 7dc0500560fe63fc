"""What an engine trains of a run, built from its spec and seed."""

from __future__ import annotations

from collections.abc import Mapping

from allmodes.data.base import Data
from allmodes.data.labelled import LabelledItems
from allmodes.engine.eager import EagerEngine
from allmodes.engine.joint import JointUpdates
from allmodes.engine.loop import Average, Lane
from allmodes.engine.peers import Peers
from allmodes.experiments.batches import make_loader
from allmodes.game.compose import compose
from allmodes.game.contracts import Functions
from allmodes.game.noise import rng
from allmodes.game.parts import Refits
from allmodes.runs.run import Run


def build_lane(
    run: Run,
    data: Data,
    functions: Functions,
    labelled: Mapping[str, LabelledItems] | None = None,
    peers: Peers | None = None,
) -> Lane:
    """Build what an engine trains of a run, before its first iteration; of `peers`, each has a part of each batch."""
    spec, seed, device = run.spec, run.seed, run.device
    rank = peers.rank.number if peers else 0
    composition = compose(spec, data.to("cpu"), seed, functions)
    for module in composition.modules.values():
        module.to(device).train()
    loader = make_loader(spec, data, seed, labelled)
    return Lane(
        composition,
        EagerEngine(composition, JointUpdates(peers, spec.training.iterations) if peers else None),
        loader.part(rank, peers.rank.processes) if peers else loader,
        rng(seed, f"noise/{rank}" if rank else "noise", device),
        Average(spec.training.ema, composition) if spec.training.ema and rank == 0 else None,
        Refits(composition.modules, data, seed, functions),
    )
