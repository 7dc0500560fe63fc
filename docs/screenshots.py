"""Pictures of MLflow's UI for these pages, from runs in a store: what a user sees, at 1280 x 800.

    allmodes run gan/ring ... ; allmodes run veegan/demo ... ; allmodes run gan/digits ...
    python docs/screenshots.py sqlite:///mlflow.db docs/images

It needs Chromium, chromedriver, and `pip install selenium`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

SIZE = (1280, 800)
PATIENCE = 60  # seconds until the server answers
QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
)


@contextmanager
def served(store: str) -> Iterator[str]:
    """The address of a UI on the store, as `allmodes ui` opens it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "allmodes", "ui", "--store", store, "--port", str(port)]
    server = subprocess.Popen(command)
    try:
        _wait(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def _wait(port: int) -> None:
    for _ in range(PATIENCE):
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(1)
    raise TimeoutError(f"no UI on port {port} after {PATIENCE} s")


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium with a profile of its own."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory() as profile:
        for argument in (*QUIET, f"--user-data-dir={profile}", f"--window-size={SIZE[0]},{SIZE[1]}"):
            options.add_argument(argument)
        driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": SIZE[0], "height": SIZE[1], "deviceScaleFactor": 1, "mobile": False},
        )
        try:
            yield driver
        finally:
            driver.quit()


def shoot(driver: Any, file: Path, seconds: float = 2) -> None:
    """Save what is shown, in 128 colours."""
    time.sleep(seconds)
    driver.save_screenshot(str(file))
    Image.open(file).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)


if __name__ == "__main__":
    os.environ.setdefault("MLFLOW_TRACKING_URI", sys.argv[1])
