"""MLflow as one observer of runs, and its UI: the only module that imports mlflow, and only when a run begins."""

from __future__ import annotations

import atexit
import contextlib
import errno
import getpass
import io
import json
import logging
import os
import posixpath
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from allmodes.hookspecs import hookimpl

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric
    from mlflow.entities import Run as MlflowRun

    from allmodes.run import Outcome, Run

PERIOD = 2.0  # s between batches of metrics: rare enough to cost nothing, often enough to watch a run
FINISH_WAIT = 2.0  # s that the end of the last seed waits, so that short runs are complete when they return
EXIT_WAIT = 30.0  # s that the end of the process waits for what is still to be sent
SQLITE_WAIT = 20.0  # s for another process that writes to the SQLite store, as long as MLflow itself waits
METRICS_PER_BATCH, PARAMS_PER_BATCH, TAGS_PER_BATCH = 1000, 100, 100  # MLflow's own limits
KEY_LENGTH, PARAM_LENGTH, TAG_LENGTH, DIGEST_LENGTH = 250, 6000, 5000, 36  # what every store takes
STATUS = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}
DEFAULTS = {
    # Training at home or in a closed network should call nobody.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # MLflow's own defaults keep trying a dead server for four minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    # Standard output belongs to the run's own results.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
THREAD = "allmodes-tracking"
CHATTY = ("mlflow.store.db.utils", "alembic.runtime.migration", "urllib3.connectionpool")

T = TypeVar("T")


class TrackingError(Exception):
    """The MLflow UI cannot be opened; the message says why and what to do."""


def default_store() -> str:
    """`MLFLOW_TRACKING_URI` if set, else a SQLite file `mlflow.db` in the working folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(Path.cwd() / 'mlflow.db').as_posix()}"


# What the training thread hands over ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Started:
    """A run began, at a time in ms since 1970."""

    run: Run
    timestamp: int
    what = "start a run"


@dataclass(frozen=True)
class Numbers:
    """Metrics of a run at an iteration, with the time in ms since 1970."""

    run: Run
    iteration: int
    metrics: Mapping[str, float]
    timestamp: int
    what = "write metrics"


@dataclass(frozen=True)
class Figure:
    """A picture at an iteration; its bytes, since the file may be replaced before it is sent."""

    run: Run
    iteration: int
    png: bytes
    timestamp: int
    what = "write a figure"


@dataclass(frozen=True)
class Ended:
    """A run ended."""

    run: Run
    outcome: Outcome
    timestamp: int
    what = "end a run"


Event: TypeAlias = Started | Numbers | Figure | Ended


class MlflowObserver:
    """Logs runs to MLflow from a thread of its own.

    The hooks only note what happened. A store that cannot be used is reported once through `warn`, and from then on
    nothing is sent. No hook raises, and none waits for the store, except that the end of the last seed, or of one that
    failed, waits up to `FINISH_WAIT` seconds. Whoever runs an experiment calls `close()` when it is over.
    """

    def __init__(self, store: str | None = None, warn: Callable[[str], None] | None = None) -> None:
        self.store = store or default_store()
        self._warn = warn or logging.getLogger(__name__).warning
        self._sender = _Sender(self.store)
        self._writer = _Writer(self._send)
        self._failed = False
        _before_python_ends(self.close)

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """Open a run in MLflow, and one for the experiment if this is its first seed."""
        self._put(Started(run, _now()))

    @hookimpl
    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        """Note the numbers for the next batch."""
        self._put(Numbers(run, iteration, dict(metrics), _now()))

    @hookimpl
    def allmodes_samples_drawn(self, run: Run, iteration: int, figure: Path) -> None:
        """Note the picture; one that is gone already is no reason to stop tracking."""
        with contextlib.suppress(OSError):
            self._put(Figure(run, iteration, figure.read_bytes(), _now()))

    @hookimpl
    def allmodes_run_finished(self, run: Run, outcome: Outcome) -> None:
        """End the run in MLflow with its true status."""
        self._put(Ended(run, outcome, _now()))
        if run.position == run.seeds - 1 or outcome.status != "finished":
            self._writer.flush(FINISH_WAIT)

    def close(self, timeout: float = EXIT_WAIT) -> None:
        """Send what is still waiting, for at most `timeout` seconds; happens by itself when Python ends."""
        if not self._writer.stop(timeout) and not self._failed:
            self._failed = True
            self._warn(f"MLflow: {_shown(self.store)} did not take everything within {timeout:g} s; the rest is lost.")

    def _put(self, event: Event) -> None:
        if not self._failed:
            self._writer.put(event)

    def _send(self, events: Sequence[Event]) -> None:
        """Send events in order (on the writer's thread) until one fails."""
        for event in _merged(events):
            if self._failed:
                return
            try:
                self._sender.send(event)
            except Exception as error:  # whatever the store does, training must not notice
                self._failed = True
                self._warn(_complaint(event[0], self.store, error))


def _before_python_ends(call: Callable[[], None]) -> None:
    """Register a call for the end of Python while thread pools, which MLflow uploads with, still work.

    They close before `atexit` has its turn, so this takes the (private) list that they use; the last to enter is called
    first, hence the import.
    """
    import concurrent.futures.thread  # noqa: F401

    getattr(threading, "_register_atexit", atexit.register)(call)


def _complaint(event: Event, store: str, error: Exception) -> str:
    return (
        f"MLflow: could not {event.what} in {_shown(store)} ({_shown(_reason(error))}). "
        f"The run goes on without tracking; its numbers are in {event.run.folder / 'metrics.jsonl'}. "
        "Check that the store can be reached and written, choose another with MLFLOW_TRACKING_URI, "
        "or pass --no-tracking."
    )


def _reason(error: BaseException) -> str:
    """The innermost answer of the operating system if there is one, else the error's first line."""
    answer, link = "", error
    while link is not None:
        answer = link.strerror if isinstance(link, OSError) and link.strerror else answer
        link = link.__cause__ or link.__context__  # type: ignore[assignment]
    return answer or next(iter(str(error).splitlines()), "")[:300] or type(error).__name__


def _shown(text: str) -> str:
    """The text without a password that a store's address may hold."""
    return re.sub(r"://([^:/@\s]*):[^@/\s]+@", r"://\1:***@", text)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _merged(events: Iterable[Event]) -> Iterator[tuple[Event, ...]]:
    """The events in order, except that each run's numbers in between come together."""
    numbers: dict[tuple[str, int], list[Event]] = {}
    for event in events:
        if isinstance(event, Numbers):
            numbers.setdefault(_key(event.run), []).append(event)
            continue
        yield from (tuple(several) for several in numbers.values())
        numbers.clear()
        yield (event,)
    yield from (tuple(several) for several in numbers.values())


def _key(run: Run) -> tuple[str, int]:
    return run.experiment, run.seed


# The thread ----------------------------------------------------------------------------------------------------------


class _Writer:
    """One daemon thread that hands on events in batches: numbers every `PERIOD` seconds, all else at once."""

    def __init__(self, send: Callable[[Sequence[Event]], None]) -> None:
        self._send = send
        self._queue: SimpleQueue[Event | threading.Event | None] = SimpleQueue()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, event: Event) -> None:
        """Note an event."""
        self._queue.put(event)
        if not isinstance(event, Numbers):
            self._hurry.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=THREAD, daemon=True)
            self._thread.start()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was noted so far is sent; returns whether it was."""
        if self._thread is None:
            return True
        done = threading.Event()
        self._queue.put(done)
        self._hurry.set()
        return done.wait(timeout)

    def stop(self, timeout: float) -> bool:
        """Send what was noted and end the thread; returns whether it ended."""
        if (thread := self._thread) is None:
            return True
        self._queue.put(None)
        self._hurry.set()
        thread.join(timeout)
        self._thread = None
        return not thread.is_alive()

    def _work(self) -> None:
        _mute_this_thread()
        while True:
            first = self._queue.get()
            self._hurry.wait(PERIOD)
            self._hurry.clear()
            if self._hand_on([first, *_drained(self._queue)]):
                return

    def _hand_on(self, noted: Sequence[Event | threading.Event | None]) -> bool:
        """Send the events, tell those who wait, and return whether this was the end."""
        self._send([one for one in noted if one is not None and not isinstance(one, threading.Event)])
        for one in noted:
            if isinstance(one, threading.Event):
                one.set()
        return None in noted


def _drained(queue: SimpleQueue[T]) -> Iterator[T]:
    with contextlib.suppress(Empty):
        while True:
            yield queue.get_nowait()


def _mute_this_thread() -> None:
    """Drop what libraries tell of creating a database, of retries and errors: our own warning says what matters."""
    for name in CHATTY:
        logging.getLogger(name).addFilter(_not_from_writer)


def _not_from_writer(record: logging.LogRecord) -> bool:
    return record.threadName != THREAD


# From events to MLflow -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Ids:
    """Where a run lives in MLflow; stored beside the run so that resuming can continue it."""

    run_id: str
    parent_run_id: str
    tracking_uri: str
    experiment_id: str


def _stored_ids(run: Run) -> _Ids | None:
    """Where the run of this folder was logged to before it was resumed."""
    try:
        return _Ids(**json.loads((run.folder / "mlflow.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


class _Sender:
    """Says in MLflow's words what happened; used by the writer's thread alone."""

    def __init__(self, store: str) -> None:
        self._store = store
        self._connection: MlflowClient | None = None
        self._ids: dict[tuple[str, int], _Ids] = {}
        self._parents: dict[str, str] = {}

    def send(self, events: Sequence[Event]) -> None:
        """Send one event, or several `Numbers` of one run."""
        match events[0]:
            case Started(run, timestamp):
                self._start(run, timestamp)
            case Numbers(run):
                self._log(run, [metric for event in events for metric in _metrics(event)])
            case Figure(run, iteration, png, timestamp):
                self._draw(run, iteration, png, timestamp)
            case Ended(run, outcome, timestamp):
                self._end(run, outcome, timestamp)

    @property
    def _client(self) -> MlflowClient:
        if self._connection is None:
            self._connection = _connect(self._store)
        return self._connection

    def _start(self, run: Run, timestamp: int) -> None:
        ids = self._continued(_stored_ids(run)) or self._created(run, timestamp)
        self._ids[_key(run)] = ids
        self._parents[run.experiment] = ids.parent_run_id
        (run.folder / "mlflow.json").write_text(json.dumps(vars(ids), indent=2) + "\n")

    def _continued(self, ids: _Ids | None) -> _Ids | None:
        """The run that a folder was logged to before, set running again, if this store has it."""
        if ids is None or ids.tracking_uri != _shown(self._store):
            return None
        client = self._client  # connected before anything else imports mlflow, for the environment that this sets
        try:
            for run_id in (ids.run_id, ids.parent_run_id):
                client.update_run(run_id, status="RUNNING")
        except _mlflow_exception():
            return None
        return ids

    def _created(self, run: Run, timestamp: int) -> _Ids:
        experiment = _experiment(self._client, self._store)
        parent = self._parents.get(run.experiment) or self._parent(run, experiment, timestamp)
        tags = {"allmodes.kind": "seed", "allmodes.seed": str(run.seed), "mlflow.parentRunId": parent}
        child = self._create(run, experiment, f"seed-{run.seed}", tags, timestamp)
        return _Ids(child, parent, _shown(self._store), experiment)

    def _parent(self, run: Run, experiment: str, timestamp: int) -> str:
        """The experiment's run: another process may have opened it for another seed."""
        mine = f"tags.`allmodes.kind` = 'experiment' and tags.`allmodes.experiment` = '{run.experiment}'"
        for found in self._client.search_runs([experiment], mine, max_results=1):
            return str(found.info.run_id)
        seeds = ", ".join(str(seed) for seed in run.spec.seeds)
        tags = {"allmodes.kind": "experiment", "allmodes.seeds": seeds[:TAG_LENGTH]}
        return self._create(run, experiment, run.spec.name, tags, timestamp)

    def _create(self, run: Run, experiment: str, name: str, tags: Mapping[str, str], timestamp: int) -> str:
        client = self._client
        run_id = str(client.create_run(experiment, timestamp, {**_tags(run), **tags}, name).info.run_id)
        for params in _batches(_params(run), PARAMS_PER_BATCH):
            client.log_batch(run_id, params=params)
        client.log_inputs(run_id, [_dataset(run)])
        self._upload(run_id, run.folder / "spec.yaml")
        return run_id

    def _log(self, run: Run, metrics: Sequence[Metric]) -> None:
        for batch in _batches(metrics, METRICS_PER_BATCH):
            self._client.log_batch(self._ids[_key(run)].run_id, metrics=batch)

    def _draw(self, run: Run, iteration: int, png: bytes, timestamp: int) -> None:
        from PIL import Image

        with Image.open(io.BytesIO(png)) as image:
            run_id = self._ids[_key(run)].run_id
            self._client.log_image(run_id, image, key="samples", step=iteration, timestamp=timestamp)

    def _end(self, run: Run, outcome: Outcome, timestamp: int) -> None:
        ids = self._ids.pop(_key(run))
        results = {f"final/{name}": value for name, value in outcome.results.items()}
        floors = {f"floor/{name}": value for name, value in outcome.floors.items()}
        last = _metrics(Numbers(run, outcome.iteration, {**results, **floors}, timestamp))
        self._client.log_batch(ids.run_id, metrics=last)
        for path in (run.folder / "model", run.folder / "results.json"):
            self._upload(ids.run_id, path)
        if outcome.error is not None:
            self._client.set_tag(ids.run_id, "allmodes.error", outcome.error[:TAG_LENGTH])
        self._client.set_terminated(ids.run_id, STATUS[outcome.status], timestamp)
        self._summarise(run, ids, timestamp)

    def _summarise(self, run: Run, ids: _Ids, timestamp: int) -> None:
        """Bring the experiment's run up to date from its seeds as the store has them, whichever process ran them."""
        mine = f"tags.`mlflow.parentRunId` = '{ids.parent_run_id}'"
        seeds = self._client.search_runs([ids.experiment_id], mine, max_results=10_000)
        finished = [seed.data.metrics for seed in seeds if seed.info.status == "FINISHED"]
        means = _metrics(Numbers(run, len(finished), _means(finished), timestamp))
        self._client.log_batch(ids.parent_run_id, metrics=means)
        if status := _overall(seeds, run):
            self._client.set_terminated(ids.parent_run_id, status, timestamp)

    def _upload(self, run_id: str, path: Path) -> None:
        """Store a file, or a folder under its name; what is not there is not stored."""
        if path.is_dir():
            self._client.log_artifacts(run_id, str(path), path.name)
        elif path.exists():
            self._client.log_artifact(run_id, str(path))


def _overall(seeds: Sequence[MlflowRun], run: Run) -> str | None:
    """Status of an experiment from its seeds: the worst of them, or None while it still runs."""
    statuses = {seed.info.status for seed in seeds}
    for bad in ("KILLED", "FAILED"):
        if bad in statuses:
            return bad
    ended = run.position == run.seeds - 1 or len(seeds) >= run.seeds
    return "FINISHED" if ended and statuses == {"FINISHED"} else None


def _means(finished: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean over the seeds of each final metric that all of them have."""
    shared = set.intersection(*map(set, finished)) if finished else set()
    return {name: fmean(metrics[name] for metrics in finished) for name in sorted(shared) if name.startswith("final/")}


def _connect(store: str) -> MlflowClient:
    """A client of the store; imports mlflow."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    if (file := _sqlite_file(store)) is None:
        return MlflowClient(tracking_uri=store)
    file.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(file.parent):
        _try_writing(file)
        return MlflowClient(tracking_uri=store)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time open a SQLite store: two that create its tables at once disturb each other."""
    if sys.platform == "win32":  # no lock without a file that stays behind
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems lock no folders
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # which lets go, as does the death of the process


def _try_writing(file: Path) -> None:
    """Fail at once on a SQLite file that cannot be written: MLflow would try again for 100 seconds."""
    with contextlib.closing(sqlite3.connect(file, timeout=SQLITE_WAIT)) as database:
        database.execute("BEGIN IMMEDIATE")
        database.rollback()


def _mlflow_exception() -> type[Exception]:
    from mlflow.exceptions import MlflowException

    return MlflowException  # type: ignore[no-any-return]


def _experiment(client: MlflowClient, store: str) -> str:
    """Id of the experiment that runs go to, created if it is not there."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "allmodes"
    if (known := client.get_experiment_by_name(name)) is not None:
        return str(known.experiment_id)
    try:
        return str(client.create_experiment(name, artifact_location=_artifacts(store)))
    except _mlflow_exception():  # another process was faster, or the store is at fault
        if (known := client.get_experiment_by_name(name)) is None:
            raise
        return str(known.experiment_id)


def _sqlite_file(store: str) -> Path | None:
    """The file of a SQLite store."""
    path = store.partition("?")[0].removeprefix("sqlite:///")
    return Path(path).absolute() if store.startswith("sqlite:///") and path not in ("", ":memory:") else None


def _artifacts(store: str) -> str | None:
    """Where artifacts of a SQLite store lie: beside it; other stores decide for themselves."""
    file = _sqlite_file(store)
    return (file.parent / "mlartifacts").as_uri() if file else None


# From runs to MLflow's entities --------------------------------------------------------------------------------------


def _tags(run: Run) -> dict[str, str]:
    games = [term.kind for term in run.spec.losses if type(term).is_game]
    ours = {
        "spec": run.spec.name,
        "experiment": run.experiment,
        "game": ", ".join(games),
        "prior": run.spec.prior.kind,
        "data": run.spec.data.kind,
        "device": run.device,
        "rerunnable": str(run.rerunnable).lower(),
    }
    plugins = {f"plugin.{name}": version for name, version in sorted(run.plugins.items())[: TAGS_PER_BATCH // 2]}
    return {f"allmodes.{name}": value for name, value in ours.items()} | plugins | _origin()


def _origin() -> dict[str, str]:
    """Who ran what, for the columns that MLflow's UI shows."""
    tags = {"mlflow.source.name": "allmodes", "mlflow.source.type": "LOCAL"}
    with contextlib.suppress(KeyError, OSError, ImportError):  # a container's user may have no name
        tags["mlflow.user"] = getpass.getuser()
    return tags


def _params(run: Run) -> list[Any]:
    from mlflow.entities import Param

    flat = _flat(run.spec.model_dump(mode="json", serialize_as_any=True))
    return [Param(_name(key), str(value)[:PARAM_LENGTH]) for key, value in flat]


def _flat(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Leaves of nested settings by their path: `losses.0.kind`."""
    if isinstance(value, dict | list) and value:
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _metrics(event: Event) -> list[Metric]:
    from mlflow.entities import Metric

    if not isinstance(event, Numbers):
        return []
    return [Metric(_name(key), float(value), event.timestamp, event.iteration) for key, value in event.metrics.items()]


def _name(key: str) -> str:
    """The key with what MLflow refuses replaced: odd characters (a colon on Windows), and anything like `../x`."""
    return posixpath.normpath(re.sub(r"[^/\w.\- ]", "_", key)).lstrip("./")[:KEY_LENGTH] or "_"


def _dataset(run: Run) -> DatasetInput:
    """The data set as MLflow's input; made by hand, since MLflow's own classes load pandas."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    settings = run.spec.data.model_dump(mode="json", serialize_as_any=True)
    dataset = Dataset(
        name=str(run.data.get("kind", run.spec.data.kind)),
        digest=str(run.data.get("fingerprint", "unknown"))[:DIGEST_LENGTH],
        source_type="code",
        source=json.dumps({"tags": {"mlflow.source.name": "allmodes", **settings}}),
        profile=json.dumps({name: run.data.get(name) for name in ("items", "shape")}, default=str),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


# The UI --------------------------------------------------------------------------------------------------------------


def ui(store: str | None = None, host: str = "127.0.0.1", port: int = 5000) -> int:
    """Serve the MLflow UI of a store until Ctrl-C.

    Args:
        store: Address of the store; by default where runs are logged to.
        host: Interface to listen on; the default is reached from this machine only.
        port: Port to listen on.

    Returns:
        The exit code: 0 after Ctrl-C, or where a server is there already.

    Raises:
        TrackingError: There are no runs yet, or the port is taken.
    """
    store = store or default_store()
    if store.startswith(("http://", "https://")):
        print(f"The MLflow server of this store is already there: {_shown(store)}", flush=True)
        return 0
    _check_store(store)
    _check_port(host, port)
    print(f"MLflow UI: http://{host}:{port} (Ctrl-C ends it), runs of {_shown(store)}", flush=True)
    return _serve(store, host, port)


def _check_store(store: str) -> None:
    file = _sqlite_file(store)
    if file is not None and not file.exists():
        raise TrackingError(f"no runs yet: {file} does not exist; start one with `allmodes run veegan/demo`")


def _check_port(host: str, port: int) -> None:
    """Bind the port for a moment: MLflow's own message comes late and buried in a traceback."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} on {host} is in use: choose another with --port {port + 1}"
        else:
            message = f"cannot listen on {host}, port {port}: {error.strerror or error}"
        raise TrackingError(message) from error


def _serve(store: str, host: str, port: int) -> int:
    with contextlib.suppress(ValueError):  # only the main thread may; then being told to end is like Ctrl-C
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    # A session of its own: Ctrl-C reaches us alone, and we end the server and its helpers in order.
    server = subprocess.Popen([*command, *_quiet()], env=_server_environment(store), start_new_session=True)  # noqa: S603
    try:
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _end_server(server)


def _quiet() -> list[str]:
    return ["--uvicorn-opts", "--log-level warning"]


def _server_environment(store: str) -> dict[str, str]:
    """Environment of the server; the store goes here, since a command line would show its password to everybody."""
    ours = {"MLFLOW_BACKEND_STORE_URI": store, "MLFLOW_REGISTRY_STORE_URI": store}
    ours |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}  # jobs take 2 GB and serve none
    if (artifacts := _artifacts(store)) is not None:
        ours["MLFLOW_ARTIFACTS_DESTINATION"] = artifacts
    return DEFAULTS | dict(os.environ) | ours


def _end_server(server: subprocess.Popen[bytes]) -> None:
    """End the server and its helpers; the hard way if it does not listen."""
    if server.poll() is not None:
        return
    _signal(server, signal.SIGTERM)
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        _signal(server, getattr(signal, "SIGKILL", signal.SIGTERM))
        server.wait()


def _signal(server: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, number) if hasattr(os, "killpg") else server.terminate()
