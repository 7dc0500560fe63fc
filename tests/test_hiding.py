"""Addresses and texts hold no password, token or query, whatever characters those have."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from allmodes.cli import main as cli_main
from allmodes.runs.journal import Journal
from allmodes.text import redact
from allmodes.tracking import events
from allmodes.tracking.address import without_secrets
from allmodes.tracking.sender import reason
from allmodes.tracking.server import _print_output
from tracked import FINISHED, runs_in

ADDRESSES = {
    "http://me:SEC/RET@127.0.0.1:9/": "http://me:***@127.0.0.1:9/",
    "http://me:SEC@RET@127.0.0.1:9": "http://me:***@127.0.0.1:9",
    "http://127.0.0.1:9/?token=SECRET": "http://127.0.0.1:9/?***",
    "http://me:SEC?RET@host": "http://me:***@host",
    "http://me:SEC#RET@host": "http://me:***@host",
    "http://me:SEC;RET@host/x": "http://me:***@host/x",
    "http://me:SEC%2FRET@host:5/a": "http://me:***@host:5/a",
    "http://me:SEC:RET@host": "http://me:***@host",
    "http://me:SEC RET@host": "http://me:***@host",
    "https://me:SEC\\RET@host": "https://me:***@host",
    "http://SECRET@host/x": "http://***@host/x",
    "http://SECRET:@host/x": "http://***@host/x",
    "https://SECRET:x-oauth-basic@host": "https://***@host",
    "http://host/#SECRET": "http://host/#***",
    "http://host/x;key=SECRET": "http://host/x;***",
    "http://host/%3Ftoken=SECRET": "http://host/%3F***",
    "http://host:5000/?token=SEC@RET": "http://***",
    "http://me:123/SECRET@host": "http://***",
    "postgresql://me:SECRET@host:5432/db?password=SECRET": "postgresql://me:***@host:5432/db?***",
    "postgresql+psycopg2://me@host/db": "postgresql+psycopg2://me@host/db",
    "mysql+pymysql://root:SE'CRET@host/db": "mysql+pymysql://root:***@host/db",
    "mssql+pyodbc:///?odbc_connect=PWD%3DSECRET": "mssql+pyodbc:///?***",
    "s3://KEY:SECRET@bucket/x": "s3://KEY:***@bucket/x",
    "me:SEC@RET@host:5000": "me:***@host:5000",
    "//me:SECRET@host": "//me:***@host",
    "mlflow-artifacts:/x?token=SECRET": "mlflow-artifacts:/x?***",
    "databricks://profile": "databricks://profile",
    "databricks": "databricks",
    "http://localhost:5000": "http://localhost:5000",
    "http://[::1]:5000/a:b": "http://[::1]:5000/a:b",
    "m:SECRET@host:5000": "m:***@host:5000",
    "//m:SECRET@host": "//m:***@host",
    "file://me:SECRET@host/share": "file://me:***@host/share",
    "C:/runs@home/mlruns": "C:/runs@home/mlruns",
    "file:///home/a@b/mlruns": "file:///home/a@b/mlruns",
    "./q?x": "./q?x",
}


@pytest.mark.parametrize(("address", "right"), ADDRESSES.items())
def test_an_address_is_shown_without_what_is_secret(address: str, right: str) -> None:
    assert without_secrets(address) == right


@pytest.mark.parametrize(
    "said",
    [
        "Invalid url: http://me:SEC/RET@host/api",
        "Failed to parse: 'me:SEC/RET@host'",
        "Port could not be cast to integer value as 'SEC'",
        "no host called RET",
        "Max retries exceeded with url: /api?name=SEC%2FRET",
        "Authorization: Basic bWU6U0VDL1JFVA==",
    ],
)
def test_a_message_about_a_store_contains_no_part_of_its_password(said: str) -> None:
    try:
        raise ValueError("no store") from RuntimeError(said)
    except ValueError as error:
        told = [reason(error, "http://me:SEC/RET@host"), reason(ValueError(said), "http://me:SEC/RET@host")]
    assert all(part not in "".join(told) for part in ("SEC", "RET", "bWU6U0VDL1JFVA"))
    assert all(told)


def test_a_text_without_secrets_stays_as_it_is() -> None:
    said = "table webhooks already exists"
    assert reason(ValueError(said), "http://me:ex@host") == said
    assert redact.text("token: 3 of 5, see docs#password and a@b") == "token: 3 of 5, see docs#password and a@b"


def test_secrets_of_the_environment_are_hidden_in_every_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc/def ghi")
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "https://me:pass-word@minio:9000?x=queried")
    monkeypatch.setenv("HF_TOKEN", "1")
    text = redact.text("1 abc/def ghi, abc%2Fdef+ghi; pass-word queried")
    assert text == "1 ***, ***; *** ***"


@pytest.mark.parametrize("word", ["token", "MLFLOW_TRACKING_PASSWORD", "api_key", "X-Amz-Signature"])
def test_what_is_called_a_secret_is_one(word: str) -> None:
    assert redact.text(f"http://host/?a=1&{word}=SECRET&b=2 failed") == f"http://host/?a=1&{word}=***&b=2 failed"


def test_an_address_on_the_command_line_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_main.execute(["run", "http://me:SEC/RET@host/spec.yaml"]) == 2
    assert "http://me:***@host/spec.yaml" in (err := capsys.readouterr().err)
    assert all(part not in err for part in ("SEC", "RET"))


def test_the_output_of_an_mlflow_server_is_printed_without_its_password(capsys: pytest.CaptureFixture[str]) -> None:
    redact.learn("foo://me:SEC/RET@host")
    code = "print('unsupported URI foo://me:SEC/RET@host, SEC%2FRET')"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as said:
        _print_output(said)
    assert capsys.readouterr().err == "unsupported URI foo://me:***@host, ***\n"


def test_what_a_run_writes_contains_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "SECRET")
    (run,) = runs_in(tmp_path, 0)
    source = replace(run, data={"kind": "from ftp://me:SECRET@host/x"})
    log = Journal(run.folder / "metrics.jsonl", pytest.fail)
    log.add("mlflow", **events.describe(source, "http://127.0.0.1/?token=SECRET"))
    log.end(vars(replace(FINISHED, error="OSError: SECRET was refused")))
    assert "SECRET" not in log.path.read_text()
    described, end = map(json.loads, log.path.read_text().splitlines())
    assert described["store"] == "http://127.0.0.1/?***"
    assert end["error"] == "OSError: *** was refused"
