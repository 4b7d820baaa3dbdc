"""CSV of the audit trail: no cell is a formula to a spreadsheet, whatever separates the cells for it."""

import pytest

from projections.audit.text import cell


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\uff1d"])
@pytest.mark.parametrize("before", ["", "x;", "x\t", "x\n", "x\r\n", "x|", "x; "])
def test_a_formula_is_kept_from_being_evaluated_behind_every_separator(before: str, start: str) -> None:
    text = cell(f"{before}{start}cmd|'/c calc'!A0")
    separator = before.rstrip(" ")
    assert text.removeprefix(separator).startswith("'")


@pytest.mark.parametrize("text", ["", "a-b", "a=b, c", "2026-01-02T03:04:05+00:00", "1;2", '{"amount": -5}'])
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert cell(text) == text


@pytest.mark.parametrize("text", ["\tx", "\rx"])
def test_a_cell_that_begins_with_a_separator_begins_with_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"
