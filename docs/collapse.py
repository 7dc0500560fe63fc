"""The picture of the README: pictures of two runs at the same iteration, side by side.

allmodes run gan/grid --seeds 0
allmodes run veegan/grid --seeds 0
python docs/collapse.py runs/{gan,veegan}-grid-*/seed-0/figures/samples-00075000.png
"""

import sys
from pathlib import Path

from PIL import Image

PICTURE = Path(__file__).parent / "images" / "collapse.png"


def main() -> None:
    """Join the pictures that are named on the command line."""
    pictures = [Image.open(path) for path in sys.argv[1:]]
    joined = Image.new("RGB", (sum(p.width for p in pictures), max(p.height for p in pictures)), "white")
    for i, picture in enumerate(pictures):
        joined.paste(picture, (sum(p.width for p in pictures[:i]), 0))
    joined.save(PICTURE)


if __name__ == "__main__":
    main()
