"""The outages of outage.py, as a test of minutes."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_no_outage_loses_or_repeats_anything() -> None:
    subprocess.run([sys.executable, Path(__file__).with_name("outage.py")], check=True)
