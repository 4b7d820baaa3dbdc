"""Text of commands: values as JSON, lines for a terminal, and ages."""

import json
from datetime import UTC, datetime
from typing import Any


def to_json(value: Any) -> str:
    """JSON with times in ISO 8601, bytes as text, and `str` of every other type."""
    return json.dumps(value, default=plain)


def plain(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value.isoformat() if isinstance(value, datetime) else str(value)


def printable(line: str) -> str:
    """The line without control characters."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


def ago(moment: datetime) -> str:
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0, seconds):.0f} s ago"
