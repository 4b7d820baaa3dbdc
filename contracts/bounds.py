"""The bounds of the fields of contracts. The APIs have the same, so no service announces a value beyond them."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from ordersaga.envelope.limits import FIRST_YEAR, LAST_YEAR

MAX_LINES = 100
"""Of one order."""
MAX_ORDERED = 10_000
"""Pieces in one line of an order."""
MAX_QUANTITY = MAX_LINES * MAX_ORDERED
"""Pieces of one product that are received, reserved, released or shipped at once."""
MAX_PRICE = 100_000_000
"""Minor units, of one piece."""
MAX_AMOUNT = MAX_LINES * MAX_ORDERED * MAX_PRICE
"""Minor units, of one order."""
MAX_PARTS = 100
"""Refunds of parts of one payment."""
MAX_SEALED = 20_000
"""Characters of a sealed contact; that of the longest contact has 9,124."""
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def require_change(quantity: int) -> int:
    if quantity == 0:
        raise ValueError("is 0, which corrects nothing")
    return quantity


Sku = Annotated[str, Field(min_length=1, max_length=64)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Customer = Annotated[str, Field(min_length=1, max_length=200)]
Ordered = Annotated[int, Field(ge=1, le=MAX_ORDERED)]
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
Correction = Annotated[
    int,
    Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY, json_schema_extra={"not": {"const": 0}}),
    AfterValidator(require_change),
]
"""Pieces that are added, or with a minus taken off."""
Price = Annotated[int, Field(ge=1, le=MAX_PRICE)]
Amount = Annotated[int, Field(ge=1, le=MAX_AMOUNT)]
Left = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
Part = Annotated[int, Field(ge=1, le=MAX_PARTS)]
PartOrNone = Annotated[int | None, Field(ge=1, le=MAX_PARTS)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Card = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z]+_[A-Za-z0-9_]+$")]
"""The card processor's name of a payment method, such as pm_card_visa; a card number does not match."""
Reference = Annotated[str, Field(min_length=1, max_length=255)]
"""The card processor's id of a charge or a refund."""
ReferenceOrNone = Annotated[str, Field(max_length=255)]
Reason = Annotated[str, Field(min_length=1, max_length=10_000)]
"""A rejection names up to MAX_LINES products."""
Sealed = Annotated[str | None, Field(max_length=MAX_SEALED)]


def read_time(value: object) -> object:
    """The time in a text of ISO 8601: pydantic also reads seconds since 1970 in a text, which Postgres does not."""
    if not isinstance(value, str):
        return value
    if not ISO_TIME.fullmatch(value):
        raise ValueError("is not a time such as 2026-03-01T12:00:00Z")
    return datetime.fromisoformat(value)


def require_possible(time: datetime | None) -> datetime | None:
    """A time has an offset, and is one that every reader can represent."""
    if time is not None and (time.tzinfo is None or not FIRST_YEAR <= time.year <= LAST_YEAR):
        raise ValueError(f"is not a time with an offset in the years {FIRST_YEAR} to {LAST_YEAR}")
    return time and time.astimezone(UTC)


Deadline = Annotated[datetime | None, BeforeValidator(read_time), AfterValidator(require_possible)]
