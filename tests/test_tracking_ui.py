"""`allmodes ui` serves MLflow on the store of the runs."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from allmodes.builtin.config.metrics import ModesConfig, WassersteinConfig
from allmodes.runs.run import Run
from allmodes.tracking import TrackingError, ui, view
from allmodes.tracking.view import pages
from allmodes_schemas import EvaluationConfig, MetricConfig
from tracked import Training, free_port, runs_in


def test_the_ui_refuses_a_port_in_use(store: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TrackingError) as caught:
            ui(store, port=port)
    assert str(caught.value) == f"port {port} on 127.0.0.1 is in use: choose another with --port {port + 1}"


def test_the_ui_of_a_store_without_runs_explains_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(TrackingError) as caught:
        ui(f"sqlite:///{tmp_path}/mlflow.db")
    message = f"no runs yet: {tmp_path}/mlflow.db does not exist; start one with `allmodes run gan/ring`"
    assert str(caught.value) == message


def test_the_ui_of_a_server_is_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert ui("http://tracking.example:5000") == 0
    assert capsys.readouterr().out == "The MLflow server of this store is already there: http://tracking.example:5000\n"


def answers(address: str, seconds: float = 240) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
        time.sleep(0.2)
    return False


def test_the_ui_serves_until_interrupted(store: str) -> None:
    port = free_port()
    code = f"import sys; from allmodes.tracking import ui; sys.exit(ui({store!r}, port={port}))"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as served:
        try:
            assert answers(f"http://127.0.0.1:{port}/health")
        finally:
            os.kill(served.pid, signal.SIGINT)
        out, err = served.communicate(timeout=120)
    assert served.returncode == 0, err
    assert out.startswith(f"MLflow UI: http://127.0.0.1:{port} (Ctrl-C ends it), runs of {store}\n")
    assert "Traceback" not in err
    assert not answers(f"http://127.0.0.1:{port}/health", seconds=0.1)


def measuring(run: Run, *metrics: MetricConfig) -> Run:
    """The run with these metrics."""
    evaluation = EvaluationConfig(metrics=metrics)
    return replace(run, spec=run.spec.model_copy(update={"evaluation": evaluation}))


def test_the_ui_names_the_place_where_modes_captured_are_a_column(store: str, client: Any, tmp_path: Path) -> None:
    assert pages(store) == {}  # nothing was logged yet
    with contextlib.closing(Training(store)) as observer:
        observer.allmodes_run_started(measuring(runs_in(tmp_path, 0)[0], ModesConfig()))
    (number,) = (e.experiment_id for e in client.search_experiments() if e.name == "allmodes")
    start = f"#/experiments/{number}/runs?workflowType=machine_learning&viewStateShareKey="
    assert list(pages(store).values()) == [f"{start}modes", f"{start}curves&compareRunsMode=CHART"]
    saved = json.loads(client.get_experiment(number).tags["mlflow.sharedViewState.modes"])
    assert saved["name"] == "Modes captured"
    assert json.loads(saved["state"])["selectedColumns"][:2] == ["metrics.`modes`", "metrics.`high_quality`"]
    with contextlib.closing(Training(store)) as observer:
        observer.allmodes_run_started(measuring(runs_in(tmp_path, 1)[0], WassersteinConfig()))
    saved = json.loads(client.get_experiment(number).tags["mlflow.sharedViewState.modes"])
    columns = json.loads(saved["state"])["selectedColumns"]
    assert columns == ["metrics.`modes`", "metrics.`high_quality`", "metrics.`w1`", *view.TAGS]


def test_the_view_gets_a_column_for_each_labelled_number_of_later_runs() -> None:
    first = view.tag(["modes", "w1"])
    second = view.tag(["acme.captured", "modes"], first)
    columns = json.loads(json.loads(second)["state"])["selectedColumns"]
    assert columns == ["metrics.`modes`", "metrics.`w1`", "metrics.`acme.captured`", *view.TAGS]
    assert view.tag(["modes"], second) == second
    assert view.tag(["modes"], "of somebody else") == view.tag(["modes"])


def test_the_charts_of_the_views_show_final_numbers_their_course_and_pictures_without_settings() -> None:
    table = view.tag(["modes", "w1"])
    for text in (table, view.curves(table)):
        state = json.loads(json.loads(text)["state"])
        charts = [(one["metricSectionId"], one["type"], one["metricKey"]) for one in state["compareRunCharts"]]
        assert charts[:4] == [
            ("At the end", "BAR", "modes"),
            ("At the end", "BAR", "w1"),
            ("By iteration", "LINE", "eval/modes"),
            ("By iteration", "LINE", "eval/w1"),
        ]
        (picture,) = [one for one in state["compareRunCharts"] if one["type"] == "IMAGE"]
        assert (picture["imageKeys"], picture["showRunParams"]) == (["samples"], False)
    assert state["searchFilter"] == "tags.`allmodes.kind` = 'seed'"
    assert state["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": "allmodes.seeds_of"}]


def test_views_of_many_numbers_have_fewer_charts_and_fit_into_a_tag() -> None:
    table = view.tag([f"some.rather.long.name.of.a.number.{i}" for i in range(12)])
    assert max(map(len, (table, view.curves(table)))) <= 5000
    assert len(json.loads(json.loads(table)["state"])["selectedColumns"]) == 15


def test_other_stores_have_no_link_to_the_view(tmp_path: Path) -> None:
    (tmp_path / "odd.db").write_text("not a database")
    assert pages("http://tracking.example:5000") == {}
    assert pages(f"sqlite:///{tmp_path / 'odd.db'}") == {}
