"""What the audit's endpoints take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from contracts import CONTRACTS
from ordersaga.http import cursors
from ordersaga.http.as_of import SCHEMA, Time, version_or_time
from ordersaga.http.openapi import Parameters, Query, View
from projections.audit.trail import OPERATIONS, Entry, Filter, Place

TYPES = (*sorted(CONTRACTS), *OPERATIONS)


def known_type(text: str) -> str:
    if text not in TYPES:
        raise ValueError(f"must be one of {', '.join(TYPES)}")
    return text


TypeName = Annotated[str, AfterValidator(known_type), WithJsonSchema({"type": "string", "enum": list(TYPES)})]


class Asked(Query):
    """Without any it is everything; `since` is included, `until` is not."""

    order: UUID | None = None
    actor: str | None = Field(default=None, max_length=200, pattern=r"^[^\x00]*$")
    correlation: UUID | None = None
    type: TypeName | None = None
    since: Time | None = None
    until: Time | None = None

    def filter(self) -> Filter:
        order = str(self.order) if self.order else None
        return Filter(order, self.actor, self.correlation, self.type, self.since, self.until)


class TrailQuery(Asked):
    """A page of the trail."""

    limit: int = Field(default=100, ge=1, le=500)
    after: Annotated[Place, cursors.reads(Place), cursors.SCHEMA] | None = None


class ExportQuery(Asked):
    """As the command `audit export`."""

    format: Literal["jsonl", "csv"] = "jsonl"


class StateQuery(Query):
    """A version of the order, or an RFC 3339 time."""

    as_of: Annotated[int | datetime, BeforeValidator(version_or_time), WithJsonSchema(SCHEMA)]


class MessagePath(Parameters):
    message_id: UUID


class OrderPath(Parameters):
    order: UUID


class TrailPage(View):
    """`missing` are the services whose database does not answer: what operators did there is left out."""

    entries: list[Entry]
    next: str | None
    missing: list[str]


class StateView(View):
    """What the order service had recorded, where this process may read it; of a time also what all had said of it."""

    recorded: dict[str, Any] | None
    known: dict[str, Any] | None


class VerificationView(View):
    """The sealer's last verification of each store; `clean` is null until each has a completed one that is not old."""

    clean: bool | None
    stores: dict[str, dict[str, Any] | None]
