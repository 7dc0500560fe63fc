"""Files of specs that train for as long as a test needs to break in, with a checkpoint every 100 iterations."""

import os
from pathlib import Path

LONG = int(os.environ.get("ALLMODES_LONG", 12_000))
"""Iterations of runs that a cluster breaks into: enough for it to cancel them, which takes seconds."""

TEXT = """
name: {name}
data: {{kind: ring}}
prior: {{kind: gaussian, dim: 2}}
generator: {{kind: mlp, hidden: [8]}}
discriminator: {{kind: mlp, hidden: [8]}}
losses: [{{kind: {loss}}}]
training:
  iterations: {iterations}
  batch_size: 8
  threads: 1
  engine: eager
  log_every: 100
  checkpoints: {{every: 100}}
evaluation: {{every: {iterations}, samples: 50, metrics: [modes], figure: false, references: []}}
seeds: [0, 1]
"""
LOSSES = {"plain": "non_saturating", "pairs": "relativistic"}


def write_specs(folder: Path, iterations: int) -> list[str]:
    """Write two specs of two seeds, `plain` and `pairs`; returns their files."""
    files = []
    for name, loss in LOSSES.items():
        files.append(str(folder / f"{name}.yaml"))
        Path(files[-1]).write_text(TEXT.format(name=name, loss=loss, iterations=iterations))
    return files
