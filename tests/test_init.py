"""`allmodes init`: what it writes for data of one's own, what it says, and that the spec trains at once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from allmodes.cli import main as cli_main
from allmodes.drafts.draft import _about_training, draft, hint
from allmodes.drafts.kinds import block_of
from allmodes.runs.results import load_results
from allmodes.specs.source import SpecError
from files import picture
from fixtures.distributions import first_party

Capture = pytest.CaptureFixture[str]
QUICK = ("training.iterations=20", "training.engine=eager", "evaluation.figure=false", "seeds=[0]")


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALLMODES_REFERENCES", "off")
    return tmp_path


def rows(n: int, seed: int = 0) -> list[tuple[float, float, str]]:
    """Rows of two clusters, with the name of each."""
    rng = np.random.default_rng(seed)
    names = ["adelie", "gentoo"] * (n // 2)
    return [(*(rng.normal(size=2) + 5 * i).round(4).tolist(), name) for i, name in enumerate(names)]


def begun(arguments: str, capsys: Capture) -> tuple[int, list[str]]:
    """The exit code and the lines of a command."""
    code = cli_main.execute(arguments.split())
    captured = capsys.readouterr()
    return code, (captured.out + captured.err).splitlines()


def tree(spec: str) -> dict[str, Any]:
    return json.loads(json.dumps(YAML(typ="safe").load(Path(spec).read_text())))


def trained(spec: str) -> set[str]:
    """Train a spec that was written, without any edit but a small budget; returns the metrics that were measured."""
    sets = [word for change in QUICK for word in ("--set", change)]
    assert cli_main.execute(["run", spec, "--no-tracking", "--quiet", *sets]) == 0
    (folder,) = Path("runs").iterdir()
    outcome = load_results(folder)[0]
    assert (outcome.status, outcome.iteration) == ("finished", 20)
    return {name for name in outcome.results if not name.startswith("recent_")}


def test_a_csv_of_fifty_rows_with_all_sorts_of_columns_trains_at_once(capsys: Capture) -> None:
    lines = [f"{a},{b},2007,{name},bird {i}" for i, (a, b, name) in enumerate(rows(50))]
    lines[4] = lines[4].replace(lines[4].split(",")[0], "NA", 1)
    Path("Birds of 2007.csv").write_text("\n".join(["height,weight,year,species,note", *lines]) + "\n")
    code = cli_main.execute(["init", "Birds of 2007.csv"])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "data.missing: leave_out, since Birds of 2007.csv has missing cells in 1 of 50 rows: 'height' has 1 (first: "
        "line 6): correct them or choose other columns, or set missing: leave_out to learn from the rows without",
        "data.columns: [height, weight], since column 'year' of Birds of 2007.csv is constant (2007 in all 44 rows "
        "that are trained on): leave it out, or set standardise: false",
        "data.label: species, since 'species' names classes: metrics can say which are missing",
        "data.held_out: 0.3, since there are few items: with a tenth held out, metrics would compare with 5 alone",
        "data: Birds of 2007.csv: 34 items to train on, 15 held out; columns height, weight; 2 classes: adelie, "
        "gentoo; left out: column 'note' (text such as 'bird 0'), 1 row with missing cells ('height' 1)",
        "spec     birds-of-2007.yaml, with bourgan/every-mode-grid",
        "schema   allmodes.schema.json, for editors",
        "train    allmodes run birds-of-2007.yaml",
    ]
    spec = tree("birds-of-2007.yaml")
    assert spec["data"] == {
        "kind": "csv",
        "path": "Birds of 2007.csv",
        "missing": "leave_out",
        "columns": ["height", "weight"],
        "label": "species",
        "held_out": 0.3,
    }
    assert (spec["training"]["batch_size"], spec["evaluation"]["samples"]) == (34, 15)
    assert {"w1", "coverage_items", "classes", "memorisation"} <= trained("birds-of-2007.yaml")


def test_a_folder_of_grey_and_colour_pictures_of_uneven_sizes_trains_at_once(capsys: Capture) -> None:
    for i in range(30):
        picture(Path(f"pics/{'ab'[i % 2]}/{i:02d}.png"), i, (20 + i, 40 - i // 2), "L" if i % 3 else "RGB")
    code, lines = begun("init pics", capsys)
    assert code == 0
    assert lines[0] == (
        "data.size: 16, since pics/a/00.png has 20 x 40 px but pics/a/02.png has 22 x 39 px: set size, to which all "
        "are resized"
    )
    assert lines[2] == "data: pics: 21 items to train on, 9 held out; RGB images of 16 x 16 px; 2 classes: a, b"
    spec = tree("pics.yaml")
    assert spec["data"] == {"kind": "image_folder", "root": "pics", "size": 16, "held_out": 0.3}
    assert [spec[block]["kind"] for block in ("generator", "discriminator")] == ["dcgan", "dcgan"]
    assert {"coverage_random_conv", "kid_random_conv", "classes"} <= trained("pics.yaml")


def test_a_parquet_file_trains_at_once_without_the_column_of_which_most_is_missing(capsys: Capture) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    a, b, names = zip(*rows(200), strict=True)
    sparse = [float(i) if i % 10 == 0 else None for i in range(200)]
    pq.write_table(
        pa.table({"a": a, "b": b, "sparse": sparse, "target": [int(name == "gentoo") for name in names]}), "t.parquet"
    )
    code, lines = begun("init t.parquet --no-schema", capsys)
    assert code == 0
    assert lines[:3] == [
        "data.columns: [a, b, target], since t.parquet has missing cells in 180 of 200 rows: 'sparse' has 180 (first: "
        "t.parquet, row 2): correct them or choose other columns, or set missing: leave_out to learn from the rows "
        "without",
        "data.label: target, since 'target' names classes: metrics can say which are missing",
        "data.held_out: 0.3, since there are few items: with a tenth held out, metrics would compare with 20 alone",
    ]
    assert tree("t.yaml")["data"]["columns"] == ["a", "b"]
    assert not Path("allmodes.schema.json").exists()
    assert "w1" in trained("t.yaml")


def drafted(data: str, *plugins: str, **settings: Any) -> tuple[dict[str, Any], list[str]]:
    """The spec that is written with some plugins, and what was said."""
    said: list[str] = []
    made = draft(data, first_party(*plugins), settings, "mine.yaml", None, said.append)
    return YAML(typ="safe").load(made.text), said


def test_without_evidence_the_core_alone_gives_the_method() -> None:
    np.save("v.npy", np.random.default_rng(0).normal(size=(60, 40)))
    spec, _ = drafted("v.npy", "benchmarks")
    assert [term["kind"] for term in spec["losses"]] == ["non_saturating", "r1"]
    assert spec["generator"] == {"kind": "mlp", "hidden": [256, 256]}


def test_a_method_whose_plugin_is_not_installed_is_passed_over() -> None:
    np.save("v.npy", np.random.default_rng(0).normal(size=(60, 2)))
    with_all, _ = drafted("v.npy", "study", "bourgan")
    without, _ = drafted("v.npy", "study")
    assert with_all["prior"] == {"kind": "bourgan.atlas"}
    assert not any("bourgan" in str(block) for block in without.values())


@pytest.mark.parametrize("end", [0, 1e-4])
def test_a_spec_whose_rate_falls_to_0_does_not_say_how_to_train_longer(end: float) -> None:
    ramped = {"kind": "adam", "lr": {"start": 1e-3, "end": end, "over": 400}}
    told = ["The budget: 400 updates of 64 items."]
    if end:
        told.append("A finished run is trained longer by: allmodes resume latest --set training.iterations=...")
    training = {"iterations": 400, "batch_size": 64}
    assert list(_about_training({**training, "optimizer": ramped})) == told
    assert list(_about_training({**training, "optimizers": {"generator": ramped}})) == told


def test_evidence_of_ten_dimensions_says_nothing_about_forty() -> None:
    np.save("v.npy", np.random.default_rng(0).normal(size=(60, 40)))
    said: list[str] = []
    made = draft("v.npy", first_party("study", "bourgan"), {}, "mine.yaml", None, said.append)
    assert made.method == "a plain game with R1"
    assert "# No method of study/honest that is installed was tried on data of 40 coordinates.\n" in made.text


def test_arrays_of_a_file_are_told_apart_by_their_names_and_shapes() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 12, 12), np.float32), np.arange(40) % 4
    np.savez("a.npz", y_test=y[:10], x_test=x[:10], x_train=x, y_train=y, note=np.arange(3))
    spec, said = drafted("a.npz", "benchmarks")
    assert spec["data"] == {
        "kind": "arrays",
        "path": "a.npz",
        "x": "x_train",
        "labels": "y_train",
        "test_x": "x_test",
        "test_labels": "y_test",
        "range": [0, 1],
    }
    assert said[0] == "data.x: x_train, since its shape is (40, 12, 12), one item a row"


def test_what_the_user_sets_stays_and_is_not_looked_for() -> None:
    Path("t.csv").write_text("a,b,class\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows(40)))
    spec, _ = drafted("t.csv", "benchmarks", held_out=0.5, columns=["a"], label="class")
    assert spec["data"] == {"kind": "csv", "path": "t.csv", "held_out": 0.5, "columns": ["a"], "label": "class"}


def test_decimal_commas_are_set_and_said() -> None:
    Path("t.csv").write_text("a;b\n" + "".join(f"{a};{b}\n".replace(".", ",") for a, b, _ in rows(40)))
    spec, said = drafted("t.csv", "benchmarks")
    assert spec["data"]["decimal"] == ","
    assert said[0].startswith(
        "data.decimal: ',', since t.csv has 2 columns with cells that are not numbers: 'a' 40 of 40"
    )


def test_every_column_that_is_not_learned_is_named_with_its_reason() -> None:
    lines = [f"2024-01-{i % 28 + 1:02d},{a},{b},5,7,{100 + i},note {i}," for i, (a, b, _) in enumerate(rows(60))]
    Path("t.csv").write_text("\n".join(["day,a,b,c,d,id,note,empty", *lines]) + "\n")
    spec, said = drafted("t.csv", "benchmarks")
    assert spec["data"]["columns"] == ["a", "b"]
    assert said[:2] == [
        "data.columns: [a, b, id], since columns 'c' (5), 'd' (7) of t.csv are constant in all 54 rows that are "
        "trained on: leave them out, or set standardise: false",
        "data.columns: [a, b], since 'id' only counts the rows, so there is nothing to learn",
    ]
    assert said[3] == (
        "data: t.csv: 42 items to train on, 18 held out; columns a, b; no labels; left out: column 'day' (dates or "
        "times such as '2024-01-01'), column 'note' (text such as 'note 0'), column 'empty' (empty)"
    )
    text = " ".join(draft("t.csv", first_party("benchmarks"), {}, "t.yaml", None, said.append).text.split(" # "))
    assert "and 'id' only counts the rows" in " ".join(text.replace("#", "").split())


@pytest.mark.parametrize("kind", ["dictionary", "string", "csv"])
def test_a_column_of_a_few_words_is_taken_for_labels(kind: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    a, b, names = zip(*rows(60), strict=True)
    file = "t.csv" if kind == "csv" else "t.parquet"
    if kind == "csv":
        Path(file).write_text("a,b,who\n" + "".join(f"{x},{y},{z}\n" for x, y, z in zip(a, b, names, strict=True)))
    else:
        words = pa.array(names).dictionary_encode() if kind == "dictionary" else pa.array(names)
        pq.write_table(pa.table({"a": a, "b": b, "who": words, "tags": [["x"]] * 60}), file)
    spec, said = drafted(file, "benchmarks")
    assert spec["data"]["label"] == "who"
    assert said[0] == "data.label: who, since 'who' holds 2 words (adelie, gentoo): metrics can say which are missing"
    assert ("column 'tags' (list<element: string>)" in said[-1]) == (kind != "csv")


def test_of_several_columns_of_a_few_words_none_is_taken_and_all_are_said() -> None:
    lines = [f"{a},{b},{name},{'yn'[i % 2]}" for i, (a, b, name) in enumerate(rows(60))]
    Path("t.csv").write_text("\n".join(["a,b,who,well", *lines]) + "\n")
    spec, said = drafted("t.csv", "benchmarks")
    assert "label" not in spec["data"]
    assert said[0] == (
        "no labels are read: 'who' (2) and 'well' (2) may name classes: choose with --set data.label=who"
    )


@pytest.mark.parametrize("data", ["three.csv", "three"])
def test_too_few_items_are_told_loudly_and_in_the_spec(data: str, capsys: Capture) -> None:
    Path("three.csv").write_text("x,y\n1,2\n2,3\n4,1\n")
    for i in range(3):
        picture(Path(f"three/{i}.png"), i, (16, 16), "RGB")
    told = (
        "2 items to train on and 1 held out are too few: no method learns a distribution from them, and no number "
        "measured on them means much: collect more"
    )
    assert cli_main.execute(["init", data, "--no-schema"]) == 0
    assert capsys.readouterr().err == f"warning: {told}\n"
    assert f"WARNING: {told}." in " ".join(Path("three.yaml").read_text().replace("#", " ").split())


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        ("x has I;16: convert it to 8 bits per channel", ""),
        ("x is constant: leave it out, or set standardise: false", " (tell init: --set data.standardise=false)"),
        (
            "x is odd: set decimal: ',' or thousands: ','; or set columns to those to learn",
            " (tell init: --set data.decimal=',' or --set data.thousands=',' or --set data.columns=...)",
        ),
        ("x has both: set layout to NHWC or NCHW", ""),
    ],
)
def test_what_to_tell_init_is_said_where_something_can_be_set(problem: str, told: str) -> None:
    assert hint(problem, ["standardise", "decimal", "thousands", "columns"]) == told


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.xlsx", "x.xlsx: this is a spreadsheet: save the sheet as CSV"),
        ("x.zip", "x.zip: this is an archive: unpack it, and name the folder"),
        ("x.pkl", "x.pkl: this is a pickle, which is never loaded: save numbers as .npy, or a table as Parquet"),
        ("x.png", "x.png: this is one picture: name the folder that holds all of them"),
        ("x.yaml", "x.yaml: this is a spec already: train it with allmodes run"),
        (
            "x.thing",
            "x.thing: this is not known by its ending: give a CSV, Parquet, .npz or .npy file, or a folder of images "
            "or Parquet files",
        ),
    ],
)
def test_what_is_not_read_is_named_with_the_way_out(name: str, message: str) -> None:
    Path(name).touch()
    with pytest.raises(SpecError) as error:
        block_of(name)
    assert str(error.value) == message


def test_a_folder_that_is_no_data_is_named() -> None:
    for folder in ("empty", "run", "both", "tables"):
        Path(folder).mkdir()
    Path("run/spec.yaml").touch()
    for file in ("both/a.png", "both/b.parquet", "tables/a.csv", "tables/b.csv"):
        Path(file).touch()
    messages = []
    for folder in ("empty", "run", "both", "tables", "nowhere"):
        with pytest.raises(SpecError) as error:
            block_of(folder)
        messages.append(str(error.value))
    give = "give a CSV, Parquet, .npz or .npy file, or a folder of images or Parquet files"
    assert messages == [
        f"empty holds no files: {give}",
        "run: this is the folder of a run: train its spec again with allmodes run run",
        "both holds 1 image and 1 Parquet file: name the folder or pattern of one of them",
        f"tables holds neither images nor Parquet files but 2 others, of which one can be named (a.csv, b.csv): {give}",
        f"nowhere: no such file or folder in {Path.cwd()}",
    ]


def test_nothing_is_overwritten_without_being_told(capsys: Capture) -> None:
    Path("t.csv").write_text("a,b\n" + "".join(f"{a},{b}\n" for a, b, _ in rows(40)))
    Path("t.yaml").write_text("mine")
    Path("allmodes.schema.json").write_text("mine, too")
    said = "error: t.yaml already exists: choose another file with --out, or replace it with --overwrite"
    assert begun("init t.csv", capsys) == (2, [said])
    assert begun("init t.csv --overwrite", capsys)[0] == 0
    assert (tree("t.yaml")["name"], Path("allmodes.schema.json").read_text()) == ("t", "mine, too")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("init t.csv -o t.json", "error: --out t.json: a spec's file ends in .yaml"),
        ("init t.csv -o no/t.yaml", "error: --out no/t.yaml: there is no folder no"),
        (
            "init t.csv --set seeds=3",
            "error: --set seeds=3: init takes settings of data only, as data.label=species: change the spec, or give "
            "the others to run",
        ),
        (
            "init t.csv --set data.labl=c",
            "error: --set data.labl: unknown key (did you mean 'label'?): `allmodes show csv` lists them",
        ),
        (
            "init t.csv --set data.label=c",
            "error: data: t.csv has no column 'c'; it has a, b",
        ),
    ],
)
def test_wrong_words_are_refused_with_the_way_out(arguments: str, message: str, capsys: Capture) -> None:
    Path("t.csv").write_text("a,b\n1,2\n3,4\n")
    assert begun(arguments, capsys) == (2, [message])
    assert not Path("t.yaml").exists()
