"""The picture of the README: samples of finished runs side by side, over the true modes.

allmodes run gan/grid --seeds 0
allmodes run veegan/grid --seeds 0
python docs/collapse.py runs/gan-grid-... runs/veegan-grid-...
"""

import sys
from pathlib import Path

from allmodes import figures, load_run
from allmodes.experiment import load_results

PICTURE = Path(__file__).parent / "images" / "collapse.png"


def title(folder: Path) -> str:
    """What the run of the first seed ended with."""
    results = next(iter(load_results(folder).values()))["results"]
    method = folder.name.partition("-")[0].upper()
    return f"{method}: {results['modes']:.0f} modes, {results['high_quality']:.0%} high quality"


def main() -> None:
    """Draw the runs that are named on the command line."""
    folders = [Path(argument) for argument in sys.argv[1:]]
    models = [load_run(folder) for folder in folders]
    panels = [(title(folder), model.sample(2500)) for folder, model in zip(folders, models, strict=True)]
    figures.compare(panels, models[0].spec.data.build(), PICTURE)


if __name__ == "__main__":
    main()
