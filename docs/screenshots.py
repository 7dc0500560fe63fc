"""Pictures of MLflow's UI for these pages, from runs in a store: what a user sees, at 1280 x 800.

    allmodes compare gan/ring veegan/demo --seeds 0-1 --folder ring-study --set training.iterations=4000
    allmodes run gan/digits --set training.iterations=400 --set evaluation.every=100
    python docs/screenshots.py sqlite:///mlflow.db docs/images

It needs Chromium, chromedriver, and `pip install selenium`.
"""

from __future__ import annotations

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
    server = subprocess.Popen(command)  # noqa: S603
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


BEFORE = """
localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
localStorage.setItem('mlflow.workflowType_v1', '"machine_learning"');
"""
"""What a user clicks away or chooses once."""
AFTER = "document.head.insertAdjacentHTML('beforeend', '<style>.modebar {display: none}</style>')"
"""Without a mouse the tools of a chart never hide."""


EXPAND = """
document.querySelectorAll('button[data-component-id*=runnamecellrenderer]').forEach(e => {
  if (!e.dataset.seen) { e.dataset.seen = 1; e.click() }
})
"""
"""Shows the methods of every study; called again, the seeds of every method."""
SCROLL = """
document.querySelectorAll('*').forEach(e => {
  if (e.scrollHeight > e.clientHeight + 50 && getComputedStyle(e).overflowY != 'visible') e.scrollTop += arguments[0]
})
"""
"""Scrolls whatever can be scrolled by so many pixels."""


class Tour:
    """Visits pages and takes pictures of them."""

    def __init__(self, driver: Any, address: str, folder: Path) -> None:
        self.driver, self.address, self.folder, self.visits = driver, address, folder, 0
        driver.get(address)
        time.sleep(3)
        driver.execute_script(BEFORE)

    def visit(self, place: str) -> None:
        """Open a page afresh and wait until it is drawn."""
        self.visits += 1
        self.driver.get(f"{self.address}/?visit={self.visits}{place}")
        time.sleep(8)

    def one(self, path: str) -> Any:
        """The first element of a path."""
        return self.driver.find_elements("xpath", path)[0]

    def show_last_picture(self) -> None:
        """Move a chart's slider to its end, and scroll to the picture below the run's parameters."""
        from selenium.webdriver import ActionChains

        slider = self.one("//*[@role='slider']")
        ActionChains(self.driver).move_to_element_with_offset(slider, 209, 0).click().perform()
        time.sleep(4)
        self.driver.execute_script("document.querySelector('img[src*=samples]').scrollIntoView({block: 'nearest'})")

    def shoot(self, name: str) -> None:
        """Save what is shown, in 128 colours."""
        self.driver.execute_script(AFTER)
        time.sleep(4)
        file = self.folder / f"mlflow-{name}.png"
        self.driver.save_screenshot(str(file))
        Image.open(file).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)


def tour(visitor: Tour, store: str) -> None:
    """The pictures of the documentation."""
    from mlflow import MlflowClient

    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("allmodes").experiment_id
    runs = {run.info.run_name: run.info.run_id for run in client.search_runs([experiment])}
    runs_page = f"#/experiments/{experiment}/runs"
    visitor.visit(f"{runs_page}?viewStateShareKey=modes")
    for _ in range(2):
        visitor.driver.execute_script(EXPAND)
        time.sleep(6)
    visitor.shoot("runs")
    visitor.visit(f"{runs_page}?viewStateShareKey=curves&compareRunsMode=CHART")
    visitor.driver.execute_script(SCROLL, 780)
    visitor.shoot("curves")
    visitor.visit(f"{runs_page}/{runs['veegan-demo']}")
    visitor.shoot("run")
    visitor.visit(f"{runs_page}/{runs['gan-digits/seed-0']}/model-metrics")
    visitor.one("//input[contains(@placeholder, 'Search metric charts')]").send_keys("samples")
    time.sleep(4)
    visitor.show_last_picture()
    visitor.shoot("samples")
    visitor.visit(f"{runs_page}/{runs['gan-digits/seed-0']}/artifacts/model/MLmodel")
    visitor.shoot("model")
    visitor.visit(f"#/experiments/{experiment}/models")
    visitor.shoot("models")


if __name__ == "__main__":
    with served(sys.argv[1]) as address, browser() as driver:
        tour(Tour(driver, address, Path(sys.argv[2])), sys.argv[1])
