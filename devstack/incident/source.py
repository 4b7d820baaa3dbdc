"""Source: an incident as the text of a pytest."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from textwrap import wrap
from typing import Any

from devstack.incident.incident import Incident

WIDTH = 116
SAID_ABOVE = ("wrong", "notes")
HEAD = '''"""An incident, written by `./ordersaga incident`: {title}.

{paragraphs}

The ids, names, SKUs and reasons are invented; quantities, prices, contracts and times (seconds since the order was
placed) are those of the order.
"""

from collections.abc import Iterator

import pytest

from devstack.incident.incident import {names}
from tests.shop.support.replay import AnyServers, Replayed, replaying
from tests.support.databases import Databases

INCIDENT = {literal}


@pytest.fixture(scope="module")
def replayed(servers: AnyServers, databases: Databases) -> Iterator[Replayed]:
    with replaying(INCIDENT, servers, databases) as replayed:
        yield replayed


def test_the_order_ends_as_it_must(replayed: Replayed) -> None:
    """{guarantee}"""
    assert replayed.wrong == []


def test_it_happens_again_as_it_happened(replayed: Replayed) -> None:
    """{again}"""
    assert replayed.end == INCIDENT.end
'''
MUST = "Once everything has arrived: it is confirmed or cancelled, and money, stock and messages agree with that."
FAILS = f"Fails until the cause is mended.\n\n    {MUST}\n    "
AGAIN = "The recorded steps lead to the recorded end."
UNTIL_MENDED = "The recorded steps lead to the recorded end, which is wrong: delete this test once the cause is mended."


def source(incident: Incident) -> str:
    """The text of a pytest that replays the incident."""
    wrong = bool(incident.wrong)
    return HEAD.format(
        title=title(incident),
        paragraphs="\n".join(line for said in paragraphs(incident) for line in wrap(said, WIDTH)),
        names=imported(incident),
        literal="\n".join(literal(incident)),
        guarantee=FAILS if wrong else MUST,
        again=UNTIL_MENDED if wrong else AGAIN,
    )


def title(incident: Incident) -> str:
    return f"an order that {'is' if incident.end.order == 'placed' else 'was'} {incident.end.order}" + (
        ", and ended wrong" if incident.wrong else ""
    )


def paragraphs(incident: Incident) -> Iterator[str]:
    """What a reader should know first."""
    end = incident.end
    states = [f"the payment is {end.payment}" if end.payment else "there is no payment"]
    states.append(f"the reservation is {end.reservation}" if end.reservation else "there is no reservation")
    yield f"At its end {' and '.join(states)}."
    for said in incident.wrong:
        yield f"WRONG: {said}."
    yield from incident.notes


def imported(incident: Incident) -> str:
    kinds = {"Incident", "Line", "End", *(type(step).__name__ for step in incident.steps)}
    return ", ".join(sorted(kinds))


def literal(value: Any, indent: int = 0) -> Iterator[str]:
    """The lines of a value as Python, the first without its indentation; what fits on one line is on one."""
    whole = inline(value)
    if len(whole) + indent <= (WIDTH - 24 if is_container(value) else WIDTH - 2) and not isinstance(value, Incident):
        yield whole
        return
    if not is_container(value):
        yield from long_text(str(value), indent)
        return
    opening, parts, closing = broken(value)
    yield opening
    for name, part in parts:
        first, *others = literal(part, indent + 4)
        text = f"{' ' * (indent + 4)}{name}{first}"
        yield from [text, *others[:-1], f"{others[-1]},"] if others else [f"{text},"]
    yield f"{' ' * indent}{closing}"


def long_text(text: str, indent: int) -> Iterator[str]:
    """A text that does not fit on a line, as several."""
    size = WIDTH // 2
    yield "("
    for start in range(0, len(text), size):
        yield f"{' ' * (indent + 4)}{quoted(text[start : start + size])}"
    yield f"{' ' * indent})"


def quoted(text: str) -> str:
    """The text between double quotes, escaped as JSON and Python both read it; between single ones if none is in it."""
    if '"' in text and text.isprintable() and not {"'", "\\"} & set(text):
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False)


def inline(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if not is_container(value):
        return repr(value)
    opening, parts, closing = broken(value)
    return f"{opening}{', '.join(f'{name}{inline(part)}' for name, part in parts)}{closing}"


def is_container(value: Any) -> bool:
    return isinstance(value, list | tuple | Mapping) or is_dataclass(value)


def broken(value: Any) -> tuple[str, list[tuple[str, Any]], str]:
    """A container as its opening, its named parts, and its closing; left out is what has its default, and what the
    docstring of the file says."""
    match value:
        case Mapping():
            return "{", [(f"{quoted(name)}: ", part) for name, part in value.items()], "}"
        case list():
            return "[", [("", part) for part in value], "]"
        case tuple():
            return f"{type(value).__name__}(", [("", part) for part in value], ")"
    given = [(each.name, getattr(value, each.name)) for each in fields(value) if is_given(value, each)]
    names = ("at", "group", "action", "contract") if not isinstance(value, Incident) else ()
    positional = leading(given, names, [each.name for each in fields(value)])
    return f"{type(value).__name__}(", [("" if name in positional else f"{name}=", part) for name, part in given], ")"


def leading(given: list[tuple[str, Any]], names: tuple[str, ...], order: list[str]) -> set[str]:
    """The fields that can stand without their names."""
    found: set[str] = set()
    for (name, _), declared in zip(given, order, strict=False):
        if name != declared or name not in names:
            break
        found.add(name)
    return found


def is_given(value: Any, each: Any) -> bool:
    if each.name in SAID_ABOVE:
        return False
    default = each.default if each.default_factory is MISSING else each.default_factory()
    return bool(getattr(value, each.name) != default)
