"""Notebooks: the example runs end to end in a kernel, and what is shown there while runs train is what they did."""

import json
import math
import os
import signal
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from allmodes import Experiment, Run, hookimpl
from allmodes.registry.registry import installed
from allmodes.studies.live import LiveStudy
from allmodes.studies.load import load_study
from allmodes.studies.monitor import StudyMonitor
from allmodes.studies.trainer import StudyTrainer
from allmodes.system import notebook
from markup import Page
from tiny import SPEC

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "first_steps.ipynb"
FEWER = ("iterations: 1200", "iterations: 80")
INTERRUPTED = """
import os, signal, threading
changes = ["training.iterations=1000000", "training.engine=eager", "evaluation.references=[]"]
long = Experiment.from_recipe("plain.yaml", changes, track=False)
threading.Timer(2, os.kill, (os.getpid(), signal.SIGINT)).start()
killed = long.run()
at = killed.outcomes[0].iteration
print(killed.status, at > 0, load_run(killed.folder).iteration == at)
"""


def outputs(cell: Any) -> str:
    """All that a cell shows, as text."""
    shown = [output.get("data", {}).get("text/html") or output.get("text", "") for output in cell["outputs"]]
    return "\n".join("".join(one) for one in shown)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The cells of the example after they ran in a kernel, with few iterations, and one more, which is interrupted."""
    pages = nbformat.reads(EXAMPLE.read_text("utf-8").replace(*FEWER).replace("every: 200", "every: 40"), 4)
    more = nbformat.v4.new_code_cell(INTERRUPTED)
    more["id"] = "interrupted"
    pages["cells"].append(more)
    folder = tmp_path_factory.mktemp("notebook")
    NotebookClient(pages, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    return {cell["id"]: cell for cell in pages["cells"]}


def test_the_example_is_stored_without_outputs() -> None:
    assert not [cell for cell in json.loads(EXAMPLE.read_text("utf-8"))["cells"] if cell.get("outputs")]


def test_a_run_has_one_output_that_ends_where_the_run_did(executed: dict[str, Any]) -> None:
    (output,) = executed["run"]["outputs"]
    page = Page("".join(output["data"]["text/html"]))
    assert {"seed 0", "80/80", "finished", "losses", "modes"} <= set(page.texts)
    assert {"img", "svg", "polyline"} <= set(page.tags)
    assert "seed 0  80/80" in output["data"]["text/plain"]


def test_the_example_shows_results_frames_and_pictures(executed: dict[str, Any]) -> None:
    assert "real data" in outputs(executed["results"])
    assert all(f"<td>{at}</td>" in outputs(executed["history"]) for at in (40, 80))
    for name in ("plot", "compare-plot"):
        assert [list(one["data"]) for one in executed[name]["outputs"]] == [["text/plain", "image/png"]]
    assert {"img", "circle"} & set(Page(outputs(executed["data"])).tags) == {"circle"}


def test_a_comparison_has_a_table_of_runs_and_then_its_own(executed: dict[str, Any]) -> None:
    live, table = executed["compare"]["outputs"]
    texts = Page("".join(live["data"]["text/html"])).texts
    assert {"4 of 4 runs finished", "plain/seed-0", "relativistic/seed-1"} <= set(texts)
    assert "relativistic" in Page("".join(table["data"]["text/html"])).texts


def test_interrupting_the_kernel_saves_the_run_and_says_how_to_go_on(executed: dict[str, Any]) -> None:
    shown = outputs(executed["interrupted"])
    assert "killed True True" in shown
    assert "Interrupted, and saved. Go on with" in shown
    assert "Experiment.resume(&quot;runs/plain-" in shown


# Without a kernel


class Screen:
    """What a frontend of IPython is sent."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.displays = 0

    def display(self, shown: Any, display_id: bool) -> "Screen":
        assert display_id
        self.displays += 1
        self.update(shown)
        return self

    def update(self, shown: Any) -> None:
        self.shown.append(shown._repr_html_())


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A kernel's IPython."""
    screen, ipython, display = Screen(), ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    display.display = screen.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return screen


def tiny(folder: Path, **options: Any) -> Experiment:
    return Experiment.from_spec({**SPEC, "seeds": [0, 1]}, folder=folder, track=False, **options)


def test_seeds_share_one_display_with_the_numbers_of_their_ends(screen: Screen, tmp_path: Path) -> None:
    results = tiny(tmp_path).run()
    assert screen.displays == 1
    texts = Page(screen.shown[-1]).texts
    for seed in (0, 1):
        at = texts.index(f"seed {seed}")
        assert "20/20" in texts[at : at + 3]
        assert f"{results.outcomes[seed].results['modes']:.0f} modes" in texts[at:]
    assert texts.count("finished") == 2


def test_nothing_is_shown_where_it_is_not_wanted_or_there_is_no_kernel(
    screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(tmp_path, progress=False).run()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    tiny(tmp_path).run()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not notebook.is_notebook()
    assert "IPython" not in sys.modules
    assert screen.displays == 0


@pytest.mark.parametrize("presses", [1, 2])
def test_the_advice_after_an_interrupt_goes_on_where_the_run_was(
    presses: int, screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    class Interrupt:
        @hookimpl
        def allmodes_metrics_logged(self, iteration: int) -> None:
            for _ in range(presses if iteration == 15 else 0):
                os.kill(os.getpid(), signal.SIGINT)

    results = tiny(Path("runs"), observers={"interrupt": Interrupt()}).run()
    assert results.status == "killed"
    said, advice = Page(screen.shown[-1]).texts[-2:]
    assert said.startswith(("Interrupted, and saved.", "Interrupted twice")[presses - 1])
    assert advice == f'Experiment.resume("{results.folder.relative_to(tmp_path)}").run()'
    again = eval(advice, {"Experiment": Experiment})
    assert again.status == "finished"
    assert again.outcomes[0].iteration == 20


def test_a_run_that_an_observer_stopped_says_so(screen: Screen, tmp_path: Path) -> None:
    class Enough:
        def allmodes_metrics_logged(self, run: Run, iteration: int) -> None:
            if iteration == 10:
                run.stop("it is <good>")

    results = tiny(tmp_path, observers=[Enough()]).run([0])
    assert "finished early: it is <good>" in Page(screen.shown[-1]).texts
    assert "seed 0: stopped at iteration 10: it is <good>" in Page(results._repr_html_()).texts


def test_a_display_that_fails_costs_a_warning_and_not_the_run(
    screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no connection")

    monkeypatch.setattr(screen, "update", fail)
    with pytest.warns(UserWarning, match="no progress is shown: OSError: no connection") as caught:
        assert tiny(tmp_path).run().status == "finished"
    assert len(caught) == 1


def test_a_display_is_drawn_twice_a_second_and_seldom_where_that_takes_long(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, cost = [100.0], [0.0]

    def draw() -> str:
        clock[0] += cost[0]
        return ""

    monkeypatch.setattr(notebook.time, "monotonic", lambda: clock[0])
    display = notebook.LiveDisplay(draw, str)

    def drawn_within(seconds: float) -> int:
        before, until = len(screen.shown), clock[0] + seconds
        while clock[0] < until:
            display.draw()
            clock[0] += 0.0625
        return len(screen.shown) - before

    assert drawn_within(10) == 20
    cost[0] = 0.25
    assert drawn_within(100) == math.ceil(100 / (0.25 / notebook.SHARE + 0.25))


def test_a_study_shows_its_runs_as_they_begin_and_end(screen: Screen, tmp_path: Path) -> None:
    files = [str(tmp_path / "one.json")]
    Path(files[0]).write_text(json.dumps({**SPEC, "name": "one", "seeds": [0, 1, 2]}))
    first, second, _ = (study := load_study(files, installed(), tmp_path / "out")).runs
    view = LiveStudy()
    monitor = StudyMonitor(print, {}, view)
    view.begin(study.runs, [first, second])
    monitor.handle(first, {"event": "progress", "iteration": 10, "measured": {"modes": 3.0}})
    monitor.handle(first, {"event": "progress", "iteration": 20, "measured": {"modes": 5.0}})
    monitor.handle(first, {"event": "done", "status": "finished", "error": None})
    monitor.handle(second, {"event": "progress", "iteration": 10, "measured": {}})
    texts = Page(view.html()).texts
    assert texts.index("one/seed-1") < texts.index("one/seed-0"), "those in training stand first"
    assert texts[texts.index("one/seed-0") :][:4] == ["one/seed-0", "20/20", "5", "finished"]
    assert "2 of 3 runs finished" in texts
    assert not any("same call" in text for text in texts)
    monitor.handle(second, {"event": "done", "status": "killed", "error": None})
    view.close()
    assert "The same call to compare() goes on" in screen.shown[-1]


def test_a_view_is_given_to_a_study_in_a_notebook_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    views: list[object] = []

    def run(self: StudyTrainer) -> None:
        views.append(self.view)

    monkeypatch.setattr(StudyTrainer, "run", run)
    from allmodes import compare

    for is_kernel, progress in ((True, True), (True, False), (False, True)):
        monkeypatch.setattr("allmodes.studies.compare.is_notebook", lambda found=is_kernel: found)
        compare(["gan/ring"], folder=tmp_path / "out", progress=progress)
    assert [type(view) for view in views] == [LiveStudy, type(None), type(None)]
