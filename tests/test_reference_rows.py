"""The rows of reference samplers: directly below real data, in every table, with the numbers that were measured."""

import csv
import io
import json
import math
from pathlib import Path

from rich.console import Console

from allmodes import Outcome
from allmodes.cli.tables import references_table
from allmodes.experiments.results import Results
from allmodes.models.card import Card
from allmodes.runs.results import load_results
from allmodes.studies import tables
from allmodes.studies.comparison import Comparison, Group, Row
from allmodes.studies.latex import tabular
from allmodes.studies.sheets import make_sheet
from allmodes.tracking import events, summary
from allmodes.tracking.summary import final, note
from allmodes_schemas import Key
from test_withheld import spec_of

COPY, EM = "copy of the training set", "mixture by EM"
REFERENCES = {COPY: {"modes": 8.0, "high_quality": 0.987}, EM: {"modes": 7.5, "high_quality": math.nan}}
OUTCOME = Outcome(
    *("finished", 10, 2.0, {"modes": 6.0, "high_quality": 0.5}, {"modes": 8.0, "high_quality": 0.989}),
    references=REFERENCES,
)
GROUP = Group("ring", (Row("plain", {0: OUTCOME}, {0: "finished"}),), {"high_quality": Key(unit="share")})


def test_rows_of_a_comparison_stand_below_real_data() -> None:
    assert [line.texts for line in make_sheet(GROUP, ("seconds",)).lines] == [
        ["real data", "", "8", "98.9 %", ""],
        [COPY, "", "8", "98.7 %", ""],
        [EM, "", "7.5", "-", ""],
        ["plain", "1", "6", "50 %", "2.0"],
    ]


def test_latex_has_a_rule_below_the_references() -> None:
    lines = tabular(make_sheet(GROUP)).splitlines()
    rules = [i for i, line in enumerate(lines) if line == r"\midrule"]
    assert [line.split(" & ")[0] for line in lines[rules[0] + 1 : rules[1]]] == ["real data", COPY, EM]
    assert lines[rules[1] + 1].startswith("plain & 1 & 6 & 50 \\%")


class One(Comparison):
    groups = [GROUP]  # type: ignore[assignment]


def test_csv_has_a_line_for_each_number_of_a_reference() -> None:
    text = tables.long_csv(One.__new__(One))
    rows = [(row["method"], row["metric"], row["value"]) for row in csv.DictReader(io.StringIO(text))]
    assert rows[2:6] == [
        (COPY, "modes", "8.0"),
        (COPY, "high_quality", "0.987"),
        (EM, "modes", "7.5"),
        (EM, "high_quality", ""),
    ]


def test_methods_that_measured_different_metrics_share_rows() -> None:
    other = Outcome("finished", 10, 2.0, {"w1": 1.0}, {"w1": 0.1}, references={COPY: {"w1": 0.2}})
    group = Group("ring", (*GROUP.rows, Row("other", {0: other}, {0: "finished"})))
    assert group.references[COPY] == {"modes": 8.0, "high_quality": 0.987, "w1": 0.2}


def test_the_table_of_a_run_has_a_column_for_each_reference() -> None:
    table = references_table(["modes", "high_quality"], [OUTCOME.results, {"modes": 7.0}], OUTCOME.floors, REFERENCES)
    with io.StringIO() as file:
        Console(file=file, width=200).print(table)
        lines = [[cell.strip() for cell in line.strip("┃│").split("│")] for line in file.getvalue().splitlines()]
    assert ["modes", "6.5", "8", "8", "7.5"] in lines
    assert ["high_quality", "0.5", "0.989", "0.987", "-"] in lines


def test_the_card_has_a_column_for_each_reference() -> None:
    beside = {"real data": OUTCOME.floors, **REFERENCES}
    text = Card(spec_of({}), (2,), None, 10, {}, OUTCOME.results, beside).text()
    assert f"\n| metric | model | real data | {COPY} | {EM} |\n" in text
    assert "\n| high_quality | 0.5 | 0.989 | 0.987 | - |\n" in text


def test_mlflow_gets_a_metric_for_each_number_and_a_column_in_the_description() -> None:
    line = json.dumps({"event": "end", "time": 1, **{key: vars(OUTCOME)[key] for key in ("iteration", "status")}})
    values = {**json.loads(line), "results": OUTCOME.results, "floors": OUTCOME.floors, "error": None}
    end = events.End.model_validate({**values, "references": REFERENCES})
    metrics = final(end)
    assert metrics[f"reference/{COPY}/high_quality"] == 0.987
    assert math.isnan(metrics[f"reference/{EM}/high_quality"])
    text = note("", metrics)
    assert text.startswith(f"| metric | model | real data | {COPY} | {EM} |\n")
    assert "\n| modes | 6 | 8 | 8 | 7.5 |\n" in text
    assert summary.beside([metrics]).keys() == metrics.keys() - {"modes", "high_quality"}
    assert "reference/bootstrap k_5/modes" in final(
        end.model_copy(update={"references": {"bootstrap k=5": {"modes": 1.0}}})
    )


def test_an_end_of_an_older_version_has_no_references() -> None:
    end = {"event": "end", "time": 1, "iteration": 3, "status": "finished", "results": {}, "floors": {}, "error": None}
    assert events.End.model_validate(end).references == {}


def test_references_are_on_disk_beside_floors(tmp_path: Path) -> None:
    results = Results(spec_of({}), tmp_path, {0: OUTCOME})
    results.write()
    again = load_results(tmp_path)[0]
    assert repr(again.references) == repr(REFERENCES)
    page = json.loads((tmp_path / "results.json").read_text())
    assert page["0"]["references"][EM] == {"modes": 7.5, "high_quality": None}
