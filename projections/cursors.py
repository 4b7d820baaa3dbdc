"""Cursors: where a page ended, as a text that a caller hands back and does not read."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from pydantic import BeforeValidator, TypeAdapter, WithJsonSchema

SCHEMA = WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]{2,200}$"})


def cursor_of(place: Any) -> str:
    """`place` is a tuple or a plain value of times, ids and numbers."""
    return urlsafe_b64encode(json.dumps(place, default=str).encode()).decode().rstrip("=")


def reads(kind: Any) -> BeforeValidator:
    """Turns the text of a cursor into a `kind`; one that we have not made is refused."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def read(text: object) -> Any:
        try:
            return adapter.validate_json(urlsafe_b64decode(f"{text}=="))
        except ValueError:
            raise ValueError("is not a cursor of this list; begin again without it") from None

    return BeforeValidator(read)
