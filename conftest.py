"""What holds for the tests of the core and of every plugin here."""

import os

os.environ["ALLMODES_FLOORS"] = "off"  # a test measures what it compares, and leaves nothing in the user's cache
os.environ["ALLMODES_REFERENCES"] = "off"  # tests of references switch them on: all others train tiny runs
