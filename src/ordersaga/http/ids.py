"""Ids in requests: whole, or by some of their digits."""

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from ordersaga.readside import short_ids


def digits(text: object) -> str:
    found = short_ids.digits_of(str(text))
    if found is None:
        raise ValueError(f"must be {short_ids.RULE}")
    return found


IdDigits = Annotated[
    str, BeforeValidator(digits), WithJsonSchema({"type": "string", "pattern": "^[0-9A-Fa-f-]{4,36}$"})
]
"""The digits of an id, or at least four of them, without hyphens."""
