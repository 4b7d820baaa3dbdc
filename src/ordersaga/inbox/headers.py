"""Headers of any message as JSON that Postgres can store."""

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 16
"""Tables and lists within one another; a header of ours is text, what is deeper is only shown to a person."""


def as_json(headers: Mapping[str, Any]) -> dict[str, Any]:
    """An AMQP table as JSON; times, bytes and decimals become text."""
    return {storable(as_text(name)): value_as_json(value, MAX_DEPTH) for name, value in headers.items()}


def value_as_json(value: Any, depth: int) -> Any:
    match value:
        case Mapping() | list() if depth == 0:
            return f"nested more than {MAX_DEPTH} deep"
        case Mapping():
            return {storable(as_text(name)): value_as_json(part, depth - 1) for name, part in value.items()}
        case list():
            return [value_as_json(part, depth - 1) for part in value]
        case None | bool() | int():
            return value
        case _:
            return storable(str(value))


def as_text(name: str | bytes) -> str:
    """A short string of AMQP, such as a name; bytes that are not UTF-8 become escapes."""
    return name if isinstance(name, str) else name.decode(errors="backslashreplace")


def storable(text: str) -> str:
    """Replace what Postgres text cannot hold: NUL, and half a surrogate pair."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
