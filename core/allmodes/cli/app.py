"""The application with its commands, each loaded when it is called, and the parameters that several of them share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

import allmodes
from allmodes.cli import completing

app = App(
    name="allmodes",
    help="Compose generative adversarial networks, and see which modes they keep.",
    version=allmodes.__version__,
    help_format="plaintext",  # Markdown's packages take longer to load than all else that a help needs
    default_parameter=Parameter(negative_iterable=()),  # no --empty-set for a list that may be left out
)

COMMANDS = {
    "init:init": "Write a commented spec for data of your own, ready for `allmodes run`.",
    "train:run": "Train a spec on its seeds, measure, log to MLflow, and print a table. Ctrl-C ends cleanly and saves.",
    "train:resume": "Go on with an interrupted run, or train a finished one longer: --set training.iterations=20000.",
    "compare:compare": "Train several specs with several seeds side by side, and tabulate them. Run it again to go on.",
    "report:report": "Make tables, figures and a page of a comparison or a run again, finished or not. Trains nothing.",
    "work:work": "Take part in a study that other commands train, on this host or on others that share its folder.",
    "film:film": "Make a film of a training: the pictures of its evaluations, or its checkpoints, one after another.",
    "runs:runs": "List runs with their status and main metric, newest first.",
    "models:sample": "Draw from a trained model into a file or a folder.",
    "interpolate:interpolate": "Draw the items between pairs of latents: images in a grid, points as ways over the "
    "data, or a moving picture.",
    "models:export": "Write a trained model to a folder to give away: spec, weights as safetensors, a model card.",
    "models:evaluate": "Measure a trained run again, with any metric, and log the numbers where the run was logged.",
    "references:references": "Measure real data and reference samplers on a spec's metrics: what a model has to beat. "
    "Trains nothing.",
    "show:validate": "Check a spec without training: types, ranges, and whether its parts fit together.",
    "show:recipes": "List the ready specs of everything that is installed.",
    "show:show": "Show a kind with its options, what it requires and provides, "
    "or a spec with every default written out.",
    "suggest:suggest": "Say which methods did best on the tried data nearest to yours, with their numbers.",
    "show:schema": "Print the JSON Schema of a spec in this environment, third-party kinds included.",
    "tracking:sync": "Send to MLflow what could not be sent while runs trained.",
    "tracking:register": "Register a run's model in MLflow's registry, of several runs the best one's.",
    "tracking:ui": "Open the MLflow UI on the store that runs are logged to.",
    "new_plugin:new_plugin": "Write a plugin to begin with, which works and passes its tests, "
    "or one around a file of yours: allmodes-NAME.",
}
"""By module and function, the first sentence of its docstring: the list of commands is printed without loading them."""

for _function, _help in COMMANDS.items():
    app.command(f"allmodes.cli.{_function}", help=_help)

app.command(  # a group of commands, of which the list is the default
    "allmodes.cli.plugins:group",
    name="plugins",
    help="List plugins with version, origin, kinds and recipes, and why one could not be loaded.",
)

app.register_install_completion_command(help="Let Tab complete commands, recipes, kinds and runs in your shell.")

Reference = Annotated[
    str,
    Parameter(
        help="a spec file, a recipe such as gan/ring, a run's folder, or latest", completer=completing.references
    ),
]
Overrides = Annotated[
    list[str] | None, Parameter(name="--set", consume_multiple=False, help="override: training.iterations=2000")
]
Vary = Annotated[
    list[str] | None,
    Parameter(name="--vary", consume_multiple=False, help="train every value: training.batch_size=64,128"),
]
Quiet = Annotated[bool, Parameter(name=("--quiet", "-q"), negative=(), help="neither progress bar nor log lines")]
SystemMetrics = Annotated[bool, Parameter(negative=(), help="log the machine's load to MLflow, too")]
AsJson = Annotated[bool, Parameter(name="--json", negative=(), help="a line of JSON for each event, and no table")]
Labels = Annotated[
    list[str] | None,
    Parameter(name="--label", consume_multiple=False, help="call a method or a column: wide='Wide generator'"),
]
Columns = Annotated[
    str | None, Parameter(help="what tables show, in that order: modes,w1; default: as before; all: everything")
]
Register = Annotated[str | None, Parameter(help="register the model in MLflow under this name; of several, the best")]
Trained = Annotated[
    str,
    Parameter(help="a run's folder, latest, an exported model, or MLflow's runs:/ID", completer=completing.trained),
]
Begun = Annotated[
    str, Parameter(help="a run's folder (of an experiment: all its seeds), or latest", completer=completing.trained)
]
Checkpoint = Annotated[str | None, Parameter(help="best, last, or an iteration; default: the model at the end")]
