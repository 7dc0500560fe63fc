"""Numbers and tables as people read them."""

import math

import pytest

from allmodes.text.markdown import table
from allmodes.text.numbers import number


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (7.5, None, "7.5"),
        (7.5, 0.2867, "7.5 ± 0.3"),
        (0.012345, 0.0004, "0.0123 ± 0.0004"),
        (0.5, 0.01234, "0.500 ± 0.012"),
        (7.9666, 0.0963, "7.97 ± 0.10"),
        (-0.004, 0.3, "0.0 ± 0.3"),
        (0.003, 20.0, "0 ± 20"),
        (98.76, 9.8, "99 ± 10"),
        (12345.0, 678.0, "12300 ± 700"),
        (1.234e9, 3.4e7, "(1.23 ± 0.03)e+09"),
        (1.234e-6, 4.2e-8, "(1.23 ± 0.04)e-06"),
        (7.5, 3e-12, "7.5 ± 3e-12"),
        (math.inf, 0.1, "inf ± 0.1"),
        (7.5, math.nan, "7.5"),
        (123456.0, None, "1.235e+05"),
        (0.0, 0.0, "0 ± 0"),
        (math.inf, None, "inf"),
        (math.nan, 0.1, "-"),
        (None, None, ""),
    ],
)
def test_a_number_has_four_digits_or_those_that_its_error_leaves_and_nan_is_a_dash_and_none_is_empty(
    value: float | None, error: float | None, text: str
) -> None:
    assert number(value, error) == text


def test_cells_cannot_break_a_markdown_table() -> None:
    assert table(("metric", "a"), [("x|y", "1"), ("two\nlines", "")]) == (
        "| metric | a |\n|---|---:|\n| x\\|y | 1 |\n| two lines |  |\n"
    )
