"""Four processes send the runs of a study to a server on PostgreSQL, without locks: one tree, and every number once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from allmodes import compare
from allmodes.tracking.sender import open_store
from server import Server
from test_tracking_postgres import database

__all__ = ["database"]

SPEC = """
name: {name}
data: {{kind: ring}}
prior: {{kind: gaussian, dim: 2}}
generator: {{kind: mlp, hidden: [8]}}
discriminator: {{kind: mlp, hidden: [8]}}
losses: [{{kind: non_saturating}}]
training: {{iterations: 200, batch_size: {batch}, threads: 1, log_every: 1}}
evaluation: {{every: 50, samples: 50, metrics: [modes], figure: false, references: []}}
seeds: [0, 1]
"""


@pytest.mark.slow
def test_four_senders_make_one_tree(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = []
    for name, batch in (("small", 8), ("large", 16)):
        files.append(str(tmp_path / f"{name}.yaml"))
        Path(files[-1]).write_text(SPEC.format(name=name, batch=batch))
    server = Server(tmp_path, database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)  # where nobody answers yet: all waits
    monkeypatch.setenv("ALLMODES_LOCKS", "off")
    study = compare(files, folder=tmp_path / "study", jobs=1, figures=False).study
    server.start()
    try:
        words = [sys.executable, "-m", "allmodes", "sync"]
        senders = [subprocess.Popen([*words, str(run.folder)]) for run in study.runs]
        assert [sender.wait(600) for sender in senders] == [0, 0, 0, 0]
        client = open_store(server.address).client
        (experiment,) = [one for one in client.search_experiments() if one.name == "allmodes"]
        runs = client.search_runs([experiment.experiment_id])
        kinds = sorted(run.data.tags["allmodes.kind"] for run in runs)
        assert kinds == ["method", "method", "seed", "seed", "seed", "seed", "study"]
        assert {run.info.status for run in runs} == {"FINISHED"}
        for run in runs:
            if run.data.tags["allmodes.kind"] == "seed":
                steps = [point.step for point in client.get_metric_history(run.info.run_id, "eval/modes")]
                assert sorted(steps) == [50, 100, 150, 200]
    finally:
        server.kill()
