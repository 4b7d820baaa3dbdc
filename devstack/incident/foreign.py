"""Messages that no service announced, without what they may say of a person."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from contracts import CONTRACTS
from shop import services

ORDER = UUID("01890000-0000-7000-8000-000000000001")
"""The id of the order in every replay."""
NOT_JSON = "this is not JSON"
KINDS = {name: field.annotation for contract in CONTRACTS.values() for name, field in contract.model_fields.items()}
FIELDS = {*KINDS, "unit_price"}
NUMBERS = {name for name, kind in KINDS.items() if kind in (int, int | None)} | {"unit_price", "quantity"}
"""Fields of which the number stays; another one may be that of a card or of a telephone."""


def anonymous(body: bytes, order_id: UUID, skus: Mapping[str, str]) -> str:
    """The shape stays, and the numbers of the contracts' fields; other numbers become 0. Texts become `text`, but for
    the ids that are known; names of unknown fields too.

    What is no JSON, or is nested too deep to be read, becomes another text that is none.
    """
    try:
        return json.dumps(without_texts(json.loads(body), {str(order_id): str(ORDER), **skus}))
    except (ValueError, RecursionError):
        return NOT_JSON


def known_contract(contract: str | None) -> str:
    """The contract, unless it is none of the shop's: its name may say anything."""
    every = {name for service in services for name in service.reactions.by_contract}
    return contract if contract in every else "unknown.contract.v1"


def without_texts(value: Any, known: Mapping[str, str], field: str = "") -> Any:
    match value:
        case str():
            return known.get(value, "text")
        case list():
            return [without_texts(each, known, field) for each in value]
        case dict():
            names = {name: name if name in FIELDS else f"field_{at}" for at, name in enumerate(value, 1)}
            return {names[name]: without_texts(each, known, name) for name, each in value.items()}
        case bool() | None:
            return value
        case _:
            return value if field in NUMBERS else 0
