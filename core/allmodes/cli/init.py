"""The command `init`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from allmodes.cli import completing
from allmodes.cli.console import OK, print_line, print_warning
from allmodes.drafts.writing import SCHEMA
from allmodes.registry.registry import installed
from allmodes.specs import loading, safe_yaml
from allmodes.specs.source import SpecError
from allmodes.system.durable import replace_text
from allmodes.system.paths import at_home
from allmodes.text.printable import printable


def init(
    data: Annotated[
        str,
        Parameter(
            help="a CSV, Parquet, .npz or .npy file, or a folder of images or Parquet files",
            completer=completing.files,
        ),
    ],
    *,
    to: Annotated[
        Path | None, Parameter(name=("--out", "-o"), help="the spec's file; default: named after DATA")
    ] = None,
    overrides: Annotated[
        list[str] | None, Parameter(name="--set", consume_multiple=False, help="how DATA are read: data.label=species")
    ] = None,
    overwrite: Annotated[bool, Parameter(negative=(), help="replace the spec's file if there is one")] = False,
    schema: Annotated[bool, Parameter(help=f"also write {SCHEMA}, from which editors complete")] = True,
) -> int:
    """Write a commented spec for data of your own, ready for `allmodes run`."""
    from allmodes.drafts.draft import draft, name_of

    to = Path(f"{name_of(data)}.yaml") if to is None else at_home(to)
    _check(to, overwrite)
    beside = SCHEMA if schema else None
    made = draft(data, installed(), _settings(overrides or ()), str(to), beside, print_line, print_warning)
    _check(to, overwrite)
    replace_text(to, made.text)
    print_line(f"spec     {to}, with {made.method}")
    if schema and not (file := to.parent / SCHEMA).exists():
        replace_text(file, json.dumps(loading.schema(installed()), indent=2) + "\n")
        print_line(f"schema   {file}, for editors")
    print_line(f"train    allmodes run {to}")
    return OK


def _check(to: Path, overwrite: bool) -> None:
    if to.suffix not in (".yaml", ".yml"):
        raise SpecError(printable(f"--out {to}: a spec's file ends in .yaml"))
    if to.is_dir():
        raise SpecError(printable(f"--out {to}: is a folder: name a file in it"))
    if to.exists() and not overwrite:
        raise SpecError(
            printable(f"{to} already exists: choose another file with --out, or replace it with --overwrite")
        )
    if not to.parent.is_dir():
        raise SpecError(printable(f"--out {to}: there is no folder {to.parent}"))


def _settings(overrides: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """Settings of the data's block."""
    found = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        name = key.removeprefix("data.")
        if not equals or name == key or "." in name or name in ("kind", "path", "root", ""):
            what = "init takes settings of data only, as data.label=species: change the spec, or give the others to run"
            raise SpecError(printable(f"--set {text}: {what}"))
        try:
            found[name] = loading.plain(safe_yaml.load(value))
        except safe_yaml.UnreadableError as error:
            raise SpecError(printable(f"--set {text}: {error}")) from None
    return found
