"""The conditions that a schema sets on a value, such as a bound: what a changed one does to readers."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

Verdict = Literal["breaking", "readers first", "compatible"]
Found = tuple[Verdict, str, str, str]
"""Verdict, field, what has changed, and what to do."""

LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
NEW_VERSION = "make it a new version, which upcasts this one"


def of_keyword(name: str, before: Any, now: Any, path: str) -> Iterator[Found]:
    """A bound, a set of values, or any other condition on a value."""
    if before == now or (name == "enum" and before and now and values(before) == values(now)):
        return
    detail = f"{name} was {shown(before)}, is {shown(now)}"
    if is_narrower(name, before, now):
        yield "breaking", path, detail, NEW_VERSION
    else:
        yield wider(path, detail)


def is_narrower(name: str, before: Any, now: Any) -> bool:
    """Whether a value that satisfied the condition may not satisfy it now."""
    if now is None:
        return False
    if before is None:
        return True
    if name in LOWER:
        return bool(now > before)
    if name in UPPER:
        return bool(now < before)
    if name == "enum":
        return not values(before) <= values(now)
    return True


def values(enum: Iterable[Any]) -> set[str]:
    """To compare them: 1 is not true."""
    return {*map(repr, enum)}


def wider(path: str, what: str) -> Found:
    return "readers first", path, what, "roll out every reader before the service that announces it"


def shown(value: Any) -> str:
    return "none" if value is None else str(value)
