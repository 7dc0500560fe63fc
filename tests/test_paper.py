"""What a comparison looks like in a paper: chosen columns, labels, marks that tests stand behind, and files of it."""

import csv
import io
import json
import math
import re
import shutil
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from allmodes import SpecError, compare, report
from allmodes.cli import main as cli_main
from allmodes.runs.lock import take_turns
from allmodes.runs.run import Outcome
from allmodes.studies import study as study_page
from allmodes.studies import tables
from allmodes.studies.best import rank
from allmodes.studies.choices import Shown, parse_columns, parse_labels, settle
from allmodes.studies.comparison import Comparison, Group, Row
from allmodes.studies.latex import escape, tabular
from allmodes.studies.report import load_comparison
from allmodes.studies.sheets import make_sheet
from allmodes.studies.study import PAGE, StudyPage, look_again
from allmodes.system import json_pages
from allmodes.system.durable import write_json
from allmodes_schemas import Key
from one_process import in_one_process
from tiny import SPEC

NUMBERS = {"modes": Key("higher"), "w1": Key("lower"), "share": Key("higher", unit="share"), "size": Key()}


def row(method: str, **values: list[float]) -> Row:
    """A method with the values of its seeds by metric."""
    seeds = range(len(next(iter(values.values()))))
    outcomes = {seed: Outcome("finished", 1, 1.0, {name: one[seed] for name, one in values.items()}) for seed in seeds}
    return Row(method, outcomes, dict.fromkeys(seeds, "finished"))


def group(*rows: Row) -> Group:
    return Group("ring", rows, NUMBERS)


EIGHT = list(map(float, range(8)))
FAR = [value + 10 for value in EIGHT]
NEAR = [value + (0.5 if value % 2 else -0.25) for value in EIGHT]


@pytest.mark.parametrize(("metric", "best"), [("modes", "far"), ("w1", "plain")])
def test_bold_is_the_best_mean_in_the_metric_s_direction(metric: str, best: str) -> None:
    marks = rank(group(row("plain", **{metric: EIGHT}), row("far", **{metric: FAR})), metric).marks
    assert marks == {best: "best"}  # and the other differs by a test: 2^(1 - 8) < 0.05


def test_a_method_that_no_test_tells_from_the_best_is_tied() -> None:
    found = rank(group(row("plain", w1=EIGHT), row("near", w1=NEAR), row("far", w1=FAR)), "w1")
    assert found.marks == {"plain": "best", "near": "tied"}
    assert found.needed == 0


def test_a_method_without_a_seed_in_common_with_the_best_is_not_called_tied() -> None:
    none = [math.nan] * 8
    rows = row("plain", w1=EIGHT + none), row("near", w1=NEAR + none), row("apart", w1=none + FAR)
    assert rank(group(*rows), "w1").marks == {"plain": "best", "near": "tied"}


def test_equal_means_are_both_best_and_metrics_without_a_direction_have_no_mark() -> None:
    assert rank(group(row("a", modes=[8.0, 8.0]), row("b", modes=[7.9999999999999, 8.0])), "modes").marks == {
        "a": "best",
        "b": "best",
    }
    assert rank(group(row("a", size=EIGHT), row("b", size=FAR)), "size").marks == {}
    assert rank(group(row("a", modes=EIGHT)), "modes").marks == {}


def test_too_few_seeds_tie_nobody_and_the_table_says_how_many_could_tell() -> None:
    few = group(row("a", w1=[1.0, 2.0, 3.0]), row("b", w1=[2.0, 3.0, 4.0]), row("c", w1=[2.0, 1.0, 4.0]))
    found = rank(few, "w1")
    assert (found.marks, found.needed) == ({"a": "best"}, 7)  # 2 tests: 2 * 2^(1 - 7) <= 0.05 < 2 * 2^(1 - 6)
    notes = make_sheet(few, ()).notes
    assert notes[-1] == "Too few seeds for any test to tell a method from the best: 7 seeds could."


def test_withheld_and_infinite_numbers_are_never_best() -> None:
    found = rank(group(row("a", w1=[math.nan, math.nan]), row("b", w1=[5.0, 6.0]), row("c", w1=[7.0, 8.0])), "w1")
    assert found.marks == {"b": "best"}


def lacking(one: Row, *seeds: int) -> Row:
    """A method of which some seeds failed."""
    return replace(one, states={**one.states, **dict.fromkeys(seeds, "failed")})


def test_a_better_mean_over_the_seeds_that_did_not_fail_is_not_bold_and_named() -> None:
    lucky = lacking(row("lucky", w1=[0.1, 5.0, 0.2]), 1)
    rows = row("plain", w1=[2.0, 1.0, 3.0]), lucky, lacking(row("worse", w1=[7.0, 8.0, 9.0]), 0)
    assert rank(group(*rows), "w1").marks == {"plain": "best"}
    sheet = make_sheet(group(*rows), (), Shown({"w1": "W1"}), lambda name: name.title())
    assert (
        sheet.notes[-1]
        == "**Not bold**, as more of their seeds are missing than of others: W1 of Lucky (2 of 3 seeds)."
    )
    assert sheet.cautions == [sheet.notes[-1].replace("**", "")]


def test_numbers_that_seeds_withheld_are_missing_seeds_too() -> None:
    found = rank(group(row("plain", modes=[2.0, 1.0]), row("shy", modes=[math.nan, 8.0])), "modes")
    assert (found.marks, found.passed_over) == ({"plain": "best"}, ("shy",))


def test_where_every_method_lacks_a_seed_the_best_mean_is_bold() -> None:
    rows = [lacking(row(name, w1=[value] * 3), 0) for name, value in (("a", 1.0), ("b", 2.0))]
    assert rank(group(*rows), "w1").marks == {"a": "best"}


def test_a_best_mean_over_fewer_seeds_by_choice_is_bold_and_said() -> None:
    both = group(row("few", w1=[1.0, 2.0]), row("many", w1=EIGHT))
    assert rank(both, "w1").marks["few"] == "best"
    note = "**Bold over fewer seeds** than others have: w1 of few (2 of 2 seeds)."
    assert note in make_sheet(both, ()).notes


def test_columns_are_chosen_in_their_order_and_by_patterns_and_labelled() -> None:
    both = group(row("a", modes=EIGHT, w1=EIGHT, share=EIGHT), row("b", modes=FAR, w1=FAR, share=EIGHT))
    sheet = make_sheet(both, shown=Shown({"w1": "Wasserstein"}, ("seconds", "w*", "modes")))
    assert sheet.header == ["method", "seeds", "seconds", "Wasserstein ↓", "modes ↑"]
    assert make_sheet(both, (), Shown(columns=("s*",))).header == ["method", "seeds", "share ↑", "seconds"]


def test_what_a_command_says_goes_over_what_was_said_before() -> None:
    before = Shown({"a": "A", "b": "B"}, ("modes",), "a")
    assert Shown({"b": "", "c": "C"}).over(before) == Shown({"a": "A", "c": "C"}, ("modes",), "a")
    assert Shown(columns=("all",), baseline="b").over(before) == Shown({"a": "A", "b": "B"}, (), "b")


def test_a_label_is_of_the_longest_name_that_it_begins_with(study: Path) -> None:
    entries = [
        replace(entry, name=name)
        for entry in load_comparison(study).study.entries[:1]
        for name in ("lr=0.1", "lr=0.1,w=2")
    ]
    settled = settle(Shown(parse_labels(["lr=0.1=Slow = 1", "lr=0.1,w=2=Fast", "modes=Modes"])), entries)
    assert settled.labels == {"lr=0.1": "Slow = 1", "lr=0.1,w=2": "Fast", "modes": "Modes"}
    with pytest.raises(
        SpecError, match=r"^--label lr=0\.2: the study has no such method or column \(did you mean 'lr=0\.1'"
    ):
        settle(Shown(parse_labels(["lr=0.2=Slow"])), entries)


def test_labels_and_columns_are_read() -> None:
    assert parse_labels(["wide=Wide", "plain="]) == {"wide": "Wide", "plain": ""}
    assert parse_columns(" modes, w1,") == ("modes", "w1")
    with pytest.raises(SpecError, match=r"^--label 'wide': give a method or a column and its label: wide='Wide gen"):
        parse_labels(["wide"])


PAPER = r"""
\documentclass{article}
\usepackage{booktabs,graphicx}
\begin{document}
\begin{table}\centering\input{table}\caption{As it is}\end{table}
\begin{table}\resizebox{\linewidth}{!}{\input{table}}\caption{Scaled}\end{table}
\end{document}
"""
HOSTILE = "50% & $x_1^2$ \\input{secret} #{~} <b> [t] 3e-07"


def test_latex_is_escaped_and_balanced() -> None:
    sheet = make_sheet(group(row("a", w1=[1e-7, 3e-7]), row("b", w1=[1.0, 2.0])), label=lambda name: f"{HOSTILE}{name}")
    text = tabular(sheet)
    body = re.sub(r"(?m)^%.*$", "", text)
    assert body.splitlines()[-2:] == [
        r"Too few seeds for any test to tell a method from the best: 6 seeds could.\par",
        r"\end{minipage}\endgroup",
    ]
    assert r"\textbf{(2.0 $\pm$ 1.0)$\times10^{-7}$}" in body
    unescaped = re.sub(r"\\[&%$#_{}]", "", body)
    assert not re.search(r"[#_~\"]|\\input", unescaped.replace(r"\textbackslash{}input", ""))
    assert unescaped.count("{") == unescaped.count("}")
    assert unescaped.count("$") % 2 == 0
    lines = [line for line in unescaped.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") for line in lines} == {len(sheet.header) - 1}
    assert escape("a\nb") == r"a\textbackslash{}nb"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of two methods with three evaluations and two seeds."""
    place = tmp_path_factory.mktemp("paper")
    specs = []
    for name, hidden in {"plain": 4, "wide": 8}.items():
        spec = {**SPEC, "name": name, "generator": {"kind": "mlp", "hidden": [hidden]}}
        spec |= {"label": f"<{name}> & co"} if name == "wide" else {}
        (place / f"{name}.json").write_text(json.dumps(spec))
        specs.append(str(place / f"{name}.json"))
    folder = place / "out"
    with in_one_process():
        compare(specs, seeds=[0, 1], folder=folder, track=False, figures=False, columns="modes,high_quality")
    return folder


def test_the_numbers_of_the_table_are_those_of_table_csv(study: Path) -> None:
    with (study / "table.csv").open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["metric"] == "modes" and line["seed"]]
    wide = list(csv.DictReader(io.StringIO(tables.wide_csv(load_comparison(study)))))
    for method in ("plain", "wide"):
        each = [float(line["value"]) for line in lines if line["method"] == method]
        shown = next(line for line in wide if line["method"] == method)
        assert float(shown["modes"]) == pytest.approx(sum(each) / 2)
        assert float(shown["modes_se"]) == pytest.approx(abs(each[0] - each[1]) / 2)
        assert shown["modes_seeds"] == "2"
    assert [line["label"] for line in wide] == ["plain", "<wide> & co"]


def test_columns_of_compare_stand_in_its_tables_and_are_kept(study: Path) -> None:
    header = next(line for line in (study / "table.md").read_text().splitlines() if line.startswith("| method"))
    assert [cell.strip(" |") for cell in header.split(" | ")] == ["method", "seeds", "modes ↑", "high_quality ↑"]
    page = json_pages.read(study / PAGE, StudyPage)
    assert page.columns == ("modes", "high_quality")
    assert page.entries == {"plain": "plain", "wide": "wide"}
    assert (
        r"<wide> \& co".replace("<", r"\textless{}").replace(">", r"\textgreater{}")
        in (study / "table.tex").read_text()
    )


def test_cautions_are_set_below_a_table_in_latex() -> None:
    rows = row("plain", w1=[2.0, 1.0]), lacking(row("a_b", w1=[0.1, 5.0]), 1)
    caution = r"\textbf{Not bold}, as more of their seeds are missing than of others: w1 of a\_b (1 of 2 seeds).\par"
    assert caution in tabular(make_sheet(group(*rows))).splitlines()
    alone = tabular(make_sheet(group(rows[0])))
    assert alone.splitlines()[1].startswith(r"\begin{tabular}")  # nothing to say: a plain table


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_sets_tables_with_notes_within_their_width(tmp_path: Path) -> None:
    sheet = make_sheet(group(row("a", w1=EIGHT), row("b", w1=NEAR)), label=lambda name: f"{HOSTILE}{name}")
    (tmp_path / "table.tex").write_text(tabular(sheet))
    (tmp_path / "paper.tex").write_text(PAPER)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").is_file()


def test_two_commands_that_change_a_page_at_once_keep_what_both_said(study: Path) -> None:
    one = load_comparison(study, Shown({"plain": "One"})).study
    other = load_comparison(study, Shown({"wide": "Other"})).study  # loaded before the first was written
    for loaded in (one, other):
        study_page.write_page(loaded)
    assert json_pages.read(study / PAGE, StudyPage).labels == {"plain": "One", "wide": "Other"}
    with take_turns(study, "page"):
        waiting = threading.Thread(target=study_page.write_page, args=(replace(one, said=Shown({"plain": "New"})),))
        waiting.start()
        waiting.join(0.2)  # it waits for the page; without a lock it would have written by now
        page = json_pages.read(study / PAGE, StudyPage)
        write_json(study / PAGE, {**page.model_dump(mode="json"), "labels": {"wide": "Newer"}})
    waiting.join()
    assert json_pages.read(study / PAGE, StudyPage).labels == {"plain": "New", "wide": "Newer"}
    study_page.write_page(replace(one, said=Shown({"plain": "", "wide": ""})))
    assert look_again(one).shown.labels == {}


def test_a_report_is_made_again_without_training(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {file: file.read_bytes() for file in study.glob("*/seed-*/results.json")}
    stamps = [file.stat().st_mtime_ns for file in before]
    (study / "table.csv").unlink()
    arguments = ["report", str(study), "--label", "plain=Plain GAN", "--columns", "modes,seconds", "--no-figures"]
    assert cli_main.execute([*arguments, "--latex", str(tmp_path / "new" / "t.tex")]) == 0
    assert (study / "table.csv").is_file()
    assert "Plain GAN" in (study / "table.md").read_text()
    assert "Plain GAN & 2 & " in (tmp_path / "new" / "t.tex").read_text()
    assert [file.stat().st_mtime_ns for file in before] == stamps
    assert "Plain GAN" in capsys.readouterr().out
    assert load_comparison(study).label("plain") == "Plain GAN"
    cli_main.execute([*arguments[:2], "--label", "plain=", "--columns", "all", "--no-figures"])
    assert load_comparison(study).study.shown == Shown()


def test_a_table_is_written_over_our_own_alone(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "thesis.tex"
    mine.write_text("my thesis")
    assert cli_main.execute(["report", str(study), "--latex", str(mine), "--no-figures"]) == 2
    assert mine.read_text() == "my thesis"
    assert "already exists, and no `allmodes report` made it: choose another name" in capsys.readouterr().err
    ours = [tmp_path / name for name in ("a.tex", "a.md", "a.csv")]
    for _ in range(2):
        options = [
            word
            for option, file in zip(("latex", "markdown", "csv"), ours, strict=True)
            for word in (f"--{option}", str(file))
        ]
        assert cli_main.execute(["report", str(study), *options, "--no-figures"]) == 0
    assert all(file.stat().st_size for file in ours)


def test_a_wrong_name_of_a_report_says_what_there_is(study: Path) -> None:
    with pytest.raises(SpecError) as error:
        report(study, labels={"wine": "W"}, columns="modez", figures=False)
    columns, label = str(error.value).splitlines()
    assert columns.startswith("--columns modez: the study has no such column (did you mean 'modes'?): it has modes, ")
    assert label.startswith(
        "--label wine: the study has no such method or column (did you mean 'wide'?): it has plain, wide, "
    )


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"holds neither a comparison \(study\.json\) nor a run: give the folder that "):
        report(tmp_path)
    with pytest.raises(SpecError, match=r"no such file or folder"):
        report(tmp_path / "missing")


def test_a_page_of_an_older_version_names_no_methods_and_they_are_found(study: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(study, old)
    (old / PAGE).write_text(json.dumps({"name": "old", "id": "old-1", "varied": {"wide": {"generator.hidden": [8]}}}))
    found = load_comparison(old)
    assert [row.method for row in found.groups[0].rows] == ["plain", "wide"]
    assert found.study.name == "old"
    assert [dict(entry.varied) for entry in found.study.entries] == [{}, {"generator.hidden": [8]}]


def test_a_method_that_cannot_be_read_is_left_out_with_a_warning(study: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    shutil.copytree(study, half)
    shutil.rmtree(half / "plain")
    with pytest.warns(UserWarning, match=r"^left out: .*plain"):
        found = load_comparison(half)
    assert [entry.name for entry in found.study.entries] == ["wide"]
    assert isinstance(found, Comparison)
