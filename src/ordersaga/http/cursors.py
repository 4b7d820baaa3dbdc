"""Cursors: the end of a page as an opaque text that the caller sends back."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from pydantic import BeforeValidator, TypeAdapter, WithJsonSchema

SCHEMA = WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]{2,200}$"})


def cursor_of(place: Any) -> str:
    """The cursor of a place, which is a tuple or a single value of times, ids and numbers."""
    return urlsafe_b64encode(json.dumps(place, default=str).encode()).decode().rstrip("=")


def cursor_validator(kind: Any) -> BeforeValidator:
    """A validator that turns the text of a cursor into a `kind` and refuses every other text."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def read(text: object) -> Any:
        try:
            return adapter.validate_json(urlsafe_b64decode(f"{text}=="))
        except ValueError:
            raise ValueError("is not a cursor of this list; begin again without it") from None

    return BeforeValidator(read)
