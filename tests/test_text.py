"""Numbers and tables as people read them."""

import math

import pytest

from allmodes.text.markdown import table
from allmodes.text.numbers import number


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (7.5, None, "7.5"),
        (7.5, 0.2867, "7.5 ± 0.29"),
        (7.5, math.nan, "7.5"),
        (123456.0, None, "1.235e+05"),
        (0.0, 0.0, "0 ± 0"),
        (math.inf, None, "inf"),
        (math.nan, 0.1, "-"),
        (None, None, ""),
    ],
)
def test_a_number_has_four_digits_its_error_two_and_nan_is_a_dash_and_none_is_empty(
    value: float | None, error: float | None, text: str
) -> None:
    assert number(value, error) == text


def test_cells_cannot_break_a_markdown_table() -> None:
    assert table(("metric", "a"), [("x|y", "1"), ("two\nlines", "")]) == (
        "| metric | a |\n|---|---:|\n| x\\|y | 1 |\n| two lines |  |\n"
    )
