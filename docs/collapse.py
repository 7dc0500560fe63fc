"""The picture of the README: a plain GAN and VEEGAN with equal networks, batch, optimiser and number of updates.

python docs/collapse.py [folder for the runs]
"""

import sys
from pathlib import Path

from allmodes import Experiment, figures, load_run

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
PICTURE = Path(__file__).parent / "images" / "collapse.png"


def main() -> None:
    """Train both on seed 0 and draw their samples side by side."""
    veegan = Experiment.from_recipe("veegan/demo", folder=FOLDER, track=False)
    spec = veegan.spec.model_dump(mode="json", exclude={"auxiliaries", "losses"})
    spec["name"], spec["losses"] = "gan-demo", [{"kind": "non_saturating"}]
    spec["discriminator"]["joint"] = None
    # A GAN that runs from mode to mode has a meaningless average: show it as it is, trained in the usual order.
    spec["training"]["ema"], spec["training"]["schedule"] = None, "alternating"
    gan = Experiment.from_spec(spec, folder=FOLDER, track=False)
    panels = []
    for name, experiment in (("GAN", gan), ("VEEGAN", veegan)):
        results = experiment.run([0])
        title = f"{name}: {results.mean('modes'):.0f} of 8 modes, {results.mean('high_quality'):.0%} high quality"
        panels.append((title, load_run(results.folder).sample(2500, seed=0)))
    figures.compare(panels, veegan.data, PICTURE)


if __name__ == "__main__":
    main()
