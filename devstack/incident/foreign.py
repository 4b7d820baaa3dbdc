"""Bodies of messages that no service announced, without what they may say of a person."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from contracts import CONTRACTS

ORDER = UUID("01890000-0000-7000-8000-000000000001")
"""The id of the order in every replay."""
NOT_JSON = "this is not JSON"
FIELDS = {name for contract in CONTRACTS.values() for name in contract.model_fields} | {"unit_price"}


def anonymous(body: bytes, order_id: UUID, skus: Mapping[str, str]) -> str:
    """The shape and the numbers stay; texts become `text`, but for the ids that are known; names of unknown fields too.

    What is no JSON becomes another text that is none.
    """
    try:
        found = json.loads(body)
    except ValueError:
        return NOT_JSON
    return json.dumps(without_texts(found, {str(order_id): str(ORDER), **skus}))


def without_texts(value: Any, known: Mapping[str, str]) -> Any:
    match value:
        case str():
            return known.get(value, "text")
        case list():
            return [without_texts(each, known) for each in value]
        case dict():
            names = {name: name if name in FIELDS else f"field_{at}" for at, name in enumerate(value, 1)}
            return {names[name]: without_texts(each, known) for name, each in value.items()}
        case _:
            return value
