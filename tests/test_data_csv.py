"""CSV files as programs and people write them: no column of numbers vanishes, doubtful ones are refused."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from allmodes.builtin.config.csv_file import CsvConfig
from allmodes.data import DataError, TensorData
from allmodes.data.files.cells import NumberFormat, looks_like_number

Text = str | bytes
OTHERS = "or set columns to those to learn"
POINT = "decimals take a point, or set decimal: ','"
SEPARATORS = "write numbers without separators, or set thousands"
COMMAS = "are decimals written with a comma? Then separate the cells by semicolons"
ENCODING = "save it as CSV in UTF-8, or set encoding, such as cp1252 (Windows) or latin-1"
CUT = "Compressed file ended before the end-of-stream marker was reached"
QUOTE = '"'
TWICE = "something follows a closing quote: a quote within quotes is written twice"
PLAIN = f"write plain numbers such as 1234.5; {OTHERS}"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(line: Callable[[int], str], header: str = "a,b") -> str:
    return "".join(f"{text}\n" for text in [*([header] if header else []), *map(line, range(20))])


def read(text: Text, **options: object) -> TensorData:
    Path("f.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    data = CsvConfig(path="f.csv", standardise=False, held_out=0.01, **options).build()
    assert isinstance(data, TensorData)
    return data


def columns(text: Text, **options: object) -> dict[str, set[float]]:
    """The numbers that are learned, by column."""
    data = read(text, **options)
    assert data.units is not None
    x = torch.cat([data.x, data.test_x]).T
    return {name: set(x[i].tolist()) for i, name in enumerate(data.units.columns)}


def refusal(text: Text, **options: object) -> str:
    with pytest.raises(DataError) as error:
        read(text, **options)
    return str(error.value).removeprefix("data: f.csv")


WHOLE = set(map(float, range(20)))
SQUARES = {float(i * i) for i in range(20)}
HALVES = {i + 0.5 for i in range(20)}


# Numbers that are written otherwise


@pytest.mark.parametrize(
    ("cell", "options", "remedy"),
    [
        ("{},5", {"decimal": ","}, POINT),
        ("1.0{:02d},5", {"decimal": ",", "thousands": "."}, f"{POINT} and thousands: '.'"),
        ("1 0{:02d},5", {"decimal": ",", "thousands": "space"}, f"{POINT} and thousands: space"),
        ("1,0{:02d}.5", {"thousands": ","}, f"{SEPARATORS}: ','"),
        ("1'0{:02d}.5", {"thousands": "'"}, f'{SEPARATORS}: "\'"'),
        ("1\u202f0{:02d}.5", {"thousands": "space"}, f"{SEPARATORS}: space"),
    ],
)
def test_a_column_of_numbers_written_otherwise_is_refused_until_the_option_is_set(
    cell: str, options: dict[str, object], remedy: str
) -> None:
    text = rows(lambda i: f"{cell.format(i)};{i}", "a;b")
    first = cell.format(0)
    assert refusal(text) == (
        f" has 1 column with cells that are not numbers: 'a' 20 of 20 (first in line 2: {first!r}): {remedy}; {OTHERS}"
    )
    above = 0 if cell == "{},5" else 1000
    assert columns(text, **options) == {"a": {above + i for i in HALVES}, "b": WHOLE}


def test_a_comma_that_may_mean_two_things_is_never_guessed() -> None:
    text = rows(lambda i: f'"1,{i:03d}",{i}')
    remedy = "a comma may stand before decimals or between thousands: set decimal: ',' or thousands: ','"
    assert refusal(text) == (
        f" has 1 column with cells that are not numbers: 'a' 20 of 20 (first in line 2: '1,000'): {remedy}; {OTHERS}"
    )
    assert columns(text, thousands=",")["a"] == {1000 + i for i in WHOLE}
    assert columns(text, decimal=",")["a"] == {float(torch.tensor(1 + i / 1000)) for i in WHOLE}


@pytest.mark.parametrize(
    "cell",
    ["{}%", "$ {}.50", "{} €", "{} kg", "{}cm", "{} km/h", "USD {}", "{}.5D+03", "1_0{:02d}", "~{}", "'{}'", "({})"],
)
def test_signs_around_numbers_do_not_make_a_column_vanish(cell: str) -> None:
    text = rows(lambda i: f"{cell.format(i)};{i}", "a;b")
    first = cell.format(0)
    have = f" has 1 column with cells that are not numbers: 'a' 20 of 20 (first in line 2: {first!r}): {PLAIN}"
    assert refusal(text) == have


def test_all_columns_that_are_doubtful_are_named_with_their_counts() -> None:
    text = rows(lambda i: f"{i},{'unknown' if i % 4 == 3 else i},{'n.b.' if i == 7 else i}", "a,b,c")
    remedy = "correct them, or list them in missing_values if they mean that a number is missing"
    assert refusal(text) == (
        " has 2 columns with cells that are not numbers: 'b' 5 of 20 (first in line 5: 'unknown'), "
        f"'c' 1 of 20 (first in line 9: 'n.b.'): {remedy}; {OTHERS}"
    )
    data = read(text, missing_values=["unknown", "n.b."], missing="leave_out")
    assert (data.items + data.test_items, data.origin.left_out) == (15, ("5 rows with missing cells ('b' 5, 'c' 1)",))


def test_a_point_is_not_a_decimal_beside_a_decimal_comma() -> None:
    text = rows(lambda i: f"{i},5;{'1.5' if i == 4 else i}", "a;b")
    assert "'b' 1 of 20 (first in line 6: '1.5')" in refusal(text, decimal=",")
    assert "'b' 1 of 20 (first in line 6: '1.5')" in refusal(text, decimal=",", thousands=".")


@pytest.mark.parametrize("cell", ["1,23", "12,34,5", ",123", "1,2345", "1234,567", "1,234,56", "1.234,567"])
def test_thousands_are_separated_in_groups(cell: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        NumberFormat(thousands=",").parse(cell)


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1,234", 1234), ("-12,345,678.5", -12345678.5), ("12,34,567", 1234567), ("999", 999), ("1,234e2", 123400)],
)
def test_numbers_with_and_without_separators_are_read(cell: str, number: float) -> None:
    assert NumberFormat(thousands=",").parse(cell) == number


@pytest.mark.parametrize(
    "cell", ["2020-01-31", "01.02.2020", "1/2/20", "10:30", "n12", "12 Main", "", "#1", "x" * 10**6]
)
def test_dates_and_words_do_not_look_like_numbers(cell: str) -> None:
    assert not looks_like_number(cell)


def test_a_decimal_that_is_also_a_separator_of_thousands_is_refused() -> None:
    with pytest.raises(ValidationError, match="decimal and thousands are both ','"):
        CsvConfig(path="f.csv", decimal=",", thousands=",")


# Columns that are left out


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("n{}", "text such as 'n0'"),
        ("2020-01-{:02d}", "dates or times such as '2020-01-00'"),
        ("10:{:02d}", "dates or times such as '10:00'"),
        ("True", "yes or no such as 'True'"),
        ("0x{:x}", "text such as '0x0'"),
        ("NA", "empty"),
        ("", "empty"),
        ("x" * 140_000, f"text such as '{30 * 'x'}...'"),
    ],
)
def test_a_column_without_numbers_is_left_out_and_reported(cell: str, why: str) -> None:
    data = read(rows(lambda i: f"{i},{cell.format(i)}"))
    assert data.units.columns == ("a",)
    assert data.origin.left_out == (f"column 'b' ({why})",)


def test_numbers_with_a_letter_each_are_names() -> None:
    data = read(rows(lambda i: f"{i},{i}{'abcdefgh'[i % 8]}"))
    assert data.origin.left_out == ("column 'b' (text such as '0a')",)


@pytest.mark.parametrize(
    ("header", "line", "index"),
    [
        (",b", "{0},{0}", "1"),
        (",b", "{1},{0}", "1"),
        ('"","b"', '"{0}",{0}', "1"),
        ("Unnamed: 0,b", "{0},{0}", "'Unnamed: 0'"),
        ("#,b", "{0},{0}", "1"),
        ('"b"', '"r{0}" {0}', None),
    ],
)
def test_the_index_of_a_data_frame_is_left_out_and_reported(header: str, line: str, index: str | None) -> None:
    text = rows(lambda i: line.format(i, 7 * i % 23), header) if index else rows(lambda i: line.format(i), header)
    data = read(text, delimiter="," if index else "auto")
    assert data.units.columns == ("b",)
    why = f"column {index} (the index of a data frame)" if index else "column 1 (text such as 'r0')"
    assert data.origin.left_out == (why,)


@pytest.mark.parametrize("header", [",b", "a,"])
def test_numbers_without_a_name_that_are_not_an_index_are_refused(header: str) -> None:
    place = header.split(",").index("") + 1
    assert refusal(rows(lambda i: f"{i}.5,{i}.5", header)) == (
        f": column {place} holds numbers but has no name: name it in line 1, {OTHERS}"
    )
    assert columns(rows(lambda i: f"{i}.5,{i}.5", header), columns=[place]) == {str(place): HALVES}


def test_chosen_columns_are_read_whatever_the_others_hold() -> None:
    data = read(rows(lambda i: f"{i},x,{i},{i}%", "a,a,c,d"), columns=["c"])
    assert (data.units.columns, data.origin.left_out) == (("c",), ())


# What stands before the data, between cells and at the ends of lines


@pytest.mark.parametrize(
    "text",
    [
        *(rows(lambda i, d=d: f"{i}{d}{i * i}", f"a{d}b") for d in ",;\t|"),
        rows(lambda i: f"  {i:5d}   {i * i}  ", "     a    b"),
        rows(lambda i: f" {i} , {i * i} ", " a , b "),
        rows(lambda i: f"{i},{i * i},", "a,b"),
        rows(lambda i: f"{i},{i * i},", "a,b,"),
        rows(lambda i: f"{i},{i * i}", "a,b,"),
        "sep=;\n" + rows(lambda i: f"{i};{i * i}", "a;b"),
        '\ufeff"sep=,"\r\n' + rows(lambda i: f"{i},{i * i}"),
        "SEP=\t\n" + rows(lambda i: f"{i}\t{i * i}", "a\tb"),
        "# by me, in May\n#\n\n" + rows(lambda i: f"{i},{i * i}"),
        rows(lambda i: f"{i},{i * i}", "# a,b"),
        rows(lambda i: f"{i:.18e} {i * i:.18e}", "# a b"),
        rows(lambda i: f"{i},{i * i}").replace("\n", "\r"),
        rows(lambda i: f"{i},{i * i}").replace("\n", "\r\n"),
        rows(lambda i: f"{i},{i * i}\n") + ",\n,\n",
        rows(lambda i: f"{i},{i * i}").encode("utf-16"),
        rows(lambda i: f"{i},{i * i}").encode("utf-32"),
        rows(lambda i: f"{i},{i * i}").encode("utf-8-sig"),
        "\ufeff\ufeff" + rows(lambda i: f"{i},{i * i}"),
        gzip.compress(rows(lambda i: f"{i},{i * i}").encode(), mtime=0),
        bz2.compress(rows(lambda i: f"{i},{i * i}").encode()),
        lzma.compress(rows(lambda i: f"{i},{i * i}").encode()),
    ],
)
def test_one_table_in_many_ways_of_writing_is_one_table(text: Text) -> None:
    data = read(text)
    assert columns(text) == {"a": WHOLE, "b": SQUARES}
    assert [what for what in data.origin.left_out if "(empty)" not in what] == []


def test_line_numbers_are_those_of_an_editor() -> None:
    text = "sep=;\n# x\n\n" + rows(lambda i: f'{i};"{i}\n{i}";{"x" if i == 2 else i}', "a;t;b")
    assert "'b' 1 of 20 (first in line 10: 'x')" in refusal(text)


def test_a_single_column_is_read_and_its_commas_are_decimals() -> None:
    assert columns(rows(lambda i: f"{i}", "a")) == {"a": WHOLE}
    assert "'a' 20 of 20 (first in line 2: '0,5'): decimals take a point" in refusal(rows(lambda i: f"{i},5", "a"))


@pytest.mark.parametrize("text", [rows(lambda i: f"{i}.1,{i}.2", ""), rows(lambda i: f"{i},{i},x", "")])
def test_a_first_line_that_looks_like_data_is_refused(text: str) -> None:
    first = text.splitlines()[0].replace(",", ", ")
    assert refusal(text) == (
        f", line 1 looks like data ({first}) and not like names of columns: "
        "set header: false, or header: true if it does name them"
    )
    assert len(columns(text, header=False)["1"]) == 20


def test_years_may_be_the_names_of_columns() -> None:
    text = rows(lambda i: f"{i},{i * i}", "2019,2020")
    assert refusal(text).startswith(", line 1 looks like data (2019, 2020)")
    assert columns(text, header=True) == {"2019": WHOLE, "2020": SQUARES}
    assert columns(rows(lambda i: f"{i},{i * i}", "a,2020")) == {"a": WHOLE, "2020": SQUARES}


def test_empty_rows_between_others_are_counted() -> None:
    data = read(rows(lambda i: f"{i},{i}" + ("\n,\n" if i % 9 == 0 else "")))
    assert (data.items + data.test_items, data.origin.left_out) == (20, ("3 empty rows",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rows(lambda i: f"{i},{QUOTE if i == 4 else ''}x"), ", line 6: a quote is opened and not closed"),
        (rows(lambda i: f'{i},"x"y'), f", line 2: {TWICE}"),
        (rows(lambda i: f"{i},5,{i},5"), ", line 2 has 4 cells, but there are 2 columns: " + COMMAS),
        (rows(lambda i: f"{i},{i}" + ("\n3" if i == 7 else "")), ", line 10 has 1 cell, but there are 2 columns"),
        (rows(lambda i: f"{i},{i}", "a,b\u00e9").encode("latin-1"), ", line 1 is not text in UTF-8: " + ENCODING),
        (rows(str).encode("utf-16-le"), " is not text in UTF-8: save it so, or set encoding, such as utf-16-le"),
        (gzip.compress(rows(str).encode(), mtime=0)[:40], " cannot be read: it is damaged (" + CUT + ")"),
        (b"PK\x03\x04...", " is not a CSV but a ZIP archive or a spreadsheet (.xlsx)"),
        ("# a\n# b\n", " is empty"),
        ("sep=;\n", " is empty"),
    ],
)
def test_errors_of_a_csv_name_the_line_and_a_remedy(text: Text, message: str) -> None:
    assert refusal(text) == message


def test_an_encoding_can_be_named_and_must_be_known() -> None:
    text = rows(lambda i: f"{i},{i * i}", "gr\u00f6\u00dfe,b")
    assert set(columns(text.encode("latin-1"), encoding="latin-1")) == {"gr\u00f6\u00dfe", "b"}
    assert set(columns(text.encode("utf-16-le"), encoding="utf-16-le")) == {"gr\u00f6\u00dfe", "b"}
    for wrong in ("rot13", "utf-99"):
        with pytest.raises(ValidationError, match="is not an encoding of text"):
            CsvConfig(path="f.csv", encoding=wrong)


def test_an_endless_cell_of_digits_takes_no_time() -> None:
    assert "'b' 1 of 20 (first in line 6: '111111111111111111111111111111...')" in refusal(
        rows(lambda i: f"{i},{'1' * 10**6 + 'x' if i == 4 else i}")
    )


# Labels


def test_missing_labels_are_counted_and_left_out_where_asked() -> None:
    text = rows(lambda i: f"{i},{'' if i % 5 == 3 else 'xy'[i % 2]}", "a,label")
    assert refusal(text).startswith(" has missing cells in 4 of 20 rows: 'label' has 4 (first: line 5)")
    data = read(text, missing="leave_out")
    assert (data.items + data.test_items, data.class_names) == (16, ("x", "y"))


def test_nan_among_numbers_is_a_missing_label_and_among_words_a_word() -> None:
    assert " 'label' has 1 (first: line 6)" in refusal(rows(lambda i: f"{i},{'NaN' if i == 4 else i % 3}", "a,label"))
    assert read(rows(lambda i: f"{i},{'NA' if i % 2 else 'DE'}", "a,label")).class_names == ("DE", "NA")


@pytest.mark.parametrize("written", ["-999", "-999.0", "-9.99e2", " -999.00"])
def test_a_number_that_means_missing_does_so_however_it_is_written(written: str) -> None:
    text = "a,b\n" + "".join(f"{i},{i * i % 7}\n" for i in range(20)) + f"{written},3\n"
    data = read(text, missing_values=["-999"], missing="leave_out")
    assert data.items + data.test_items == 20


@pytest.mark.parametrize(
    ("header", "columns", "classes"),
    [("a,b,Label", ("a", "b"), 2), ("a,b,LABEL", ("a", "b"), 2), ("a,label,Label", ("a",), 40)],
)
def test_the_column_called_label_in_any_case_has_the_labels(
    header: str, columns: tuple[str, ...], classes: int, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n" + "".join(f"{i / 7:.3f},{i},{('dog', 'cat')[i % 2]}\n" for i in range(40)))
    data = CsvConfig(path=str(path)).build()
    assert (data.units.columns, data.classes) == (columns, classes)
