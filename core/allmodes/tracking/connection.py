"""Connects to a store; a database that is not there is created."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from allmodes.tracking import database
from allmodes.tracking.address import artifacts, for_mlflow, sqlite_address, sqlite_file

CHATTY = ("mlflow.store.db.utils", "alembic.runtime.migration", "urllib3.connectionpool")


def connect(address: str, warn: Callable[[str], None]) -> MlflowClient:
    """A client of a store.

    Raises StoreError where MLflow cannot use the SQLite file, or there is no file.
    """
    for name in CHATTY:  # they log the creation of a database, retries and errors; our own warning is enough
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if (file := sqlite_file(address)) is None:
        if address.startswith("sqlite"):
            remedy = "name a file, such as sqlite:///mlflow.db"
            raise database.StoreError(f"a database in memory is lost when the program ends: {remedy}")
        return MlflowClient(tracking_uri=address)
    file.parent.mkdir(parents=True, exist_ok=True)
    database.make_whole(file, _make_tables, warn)
    return _client(address, file)


def _client(address: str, file: Path) -> MlflowClient:
    try:
        return MlflowClient(tracking_uri=for_mlflow(address))
    except Exception as error:  # an older or newer MLflow's tables, or an upgrade that was broken off
        said = str(error).splitlines()[0]
        if "locked" in said:
            raise
        remedy = "move the file away, and a new one is made in its place"
        raise database.StoreError(f"MLflow cannot open {file} ({said[:150]}): {remedy}") from None


def _make_tables(file: Path) -> None:
    """Create all tables of a store in a new file; in an existing one, those that it lacks."""
    store = SqlAlchemyStore(  # type: ignore[no-untyped-call]
        for_mlflow(sqlite_address(file)), artifacts(sqlite_address(file))
    )
    store.engine.dispose()  # lets go of the file, which will be renamed
