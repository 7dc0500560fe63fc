"""The application that commands register with, and the parameters that several of them share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

import allmodes

app = App(
    name="allmodes",
    help="Compose generative adversarial networks that keep every mode of the data.",
    version=allmodes.__version__,
    default_parameter=Parameter(negative_iterable=()),  # no --empty-set for a list that may be left out
)

Reference = Annotated[str, Parameter(help="a spec file, a recipe such as gan/ring, or a run's folder")]
Overrides = Annotated[
    list[str] | None, Parameter(name="--set", consume_multiple=False, help="override: training.iterations=2000")
]
Quiet = Annotated[bool, Parameter(name=("--quiet", "-q"), negative=(), help="neither progress bar nor log lines")]
AsJson = Annotated[bool, Parameter(name="--json", negative=(), help="a line of JSON for each event, and no table")]
Trained = Annotated[str, Parameter(help="a run's folder, an exported model, or MLflow's runs:/ID")]
Checkpoint = Annotated[str | None, Parameter(help="best, last, or an iteration; default: the model at the end")]
