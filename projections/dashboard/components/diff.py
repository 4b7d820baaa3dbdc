"""The difference between two texts, line by line."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components import words
from projections.dashboard.components.basic import aria

CONTEXT = 3
"""Unchanged lines that are shown around a change."""
Kind = Literal["same", "removed", "added", "gap"]
SIGNS: dict[Kind, str] = {"same": " ", "removed": "-", "added": "+", "gap": "\N{HORIZONTAL ELLIPSIS}"}
SPOKEN: dict[Kind, str] = {"same": "", "removed": "Removed: ", "added": "Added: ", "gap": ""}


class Line(NamedTuple):
    """A line and its number in each text, None where that text does not have it."""

    kind: Kind
    before: int | None
    after: int | None
    text: str


def diff(before: str, after: str) -> Component:
    """Both texts by lines: removed lines, added lines, and the lines around them."""
    found = list(lines(before.splitlines(), after.splitlines()))
    rows = [
        html.Tr(
            [
                html.Td(number(line.before), className="diff-number"),
                html.Td(number(line.after), className="diff-number"),
                html.Td(SIGNS[line.kind], className="diff-sign", **aria(hidden="true")),
                html.Td([html.Span(SPOKEN[line.kind], className="hidden-text"), line.text], className="diff-text"),
            ],
            className=f"diff-{line.kind}",
        )
        for line in found
    ]
    names = ("Line before", "Line after", "", "Text")
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in names]), className="hidden-text")
    return html.Div(
        html.Table([html.Caption(said(found), className="diff-said"), head, html.Tbody(rows)], className="diff"),
        className="scroll diff-scroll",
        tabIndex=0,
        role="region",
        **aria(label="Difference, line by line"),
    )


def said(found: Sequence[Line]) -> str:
    removed, added = (sum(line.kind == kind for line in found) for kind in ("removed", "added"))
    return f"{words.counted(removed, 'line')} removed, {words.counted(added, 'line')} added"


def number(line: int | None) -> str:
    return "" if line is None else str(line)


def lines(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    """The changed lines with `CONTEXT` lines around them; a gap stands for the others."""
    last = 0
    for group in SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(CONTEXT):
        if group[0][1] > last:
            yield gap(group[0][1] - last)
        for tag, first, end, new_first, new_end in group:
            if tag == "equal":
                for offset, text in enumerate(before[first:end]):
                    yield Line("same", first + offset + 1, new_first + offset + 1, text)
                continue
            for offset, text in enumerate(before[first:end]):
                yield Line("removed", first + offset + 1, None, text)
            for offset, text in enumerate(after[new_first:new_end]):
                yield Line("added", None, new_first + offset + 1, text)
        last = group[-1][2]
    if len(before) > last:
        yield gap(len(before) - last)


def gap(number_of_lines: int) -> Line:
    return Line("gap", None, None, f"{words.counted(number_of_lines, 'line')} unchanged")
