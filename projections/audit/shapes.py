"""The requests and responses of the audit's endpoints."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from contracts import CONTRACTS
from ordersaga.http import cursors
from ordersaga.http.as_of import SCHEMA, Time, version_or_time
from ordersaga.http.ids import IdDigits
from ordersaga.http.openapi import Parameters, Query, View
from projections.audit.trail import OPERATIONS, TrailCursor, TrailEntry, TrailFilter

TYPES = (*sorted(CONTRACTS), *OPERATIONS)


def known_type(text: str) -> str:
    if text not in TYPES:
        raise ValueError(f"must be one of {', '.join(TYPES)}")
    return text


TypeName = Annotated[str, AfterValidator(known_type), WithJsonSchema({"type": "string", "enum": list(TYPES)})]


class TrailFilters(Query):
    """Filters; none selects everything. `since` is included, `until` is not."""

    order: IdDigits | None = None
    actor: str | None = Field(default=None, max_length=200, pattern=r"^[^\x00]*$")
    correlation: UUID | None = None
    type: TypeName | None = None
    since: Time | None = None
    until: Time | None = None

    def filter(self, order: UUID | None) -> TrailFilter:
        """`order` is the one that the field names, perhaps by some of its digits."""
        return TrailFilter(
            str(order) if order else None, self.actor, self.correlation, self.type, self.since, self.until
        )


class TrailQuery(TrailFilters):
    """A page of the trail."""

    limit: int = Field(default=100, ge=1, le=500)
    after: Annotated[TrailCursor, cursors.cursor_validator(TrailCursor), cursors.SCHEMA] | None = None


class ExportQuery(TrailFilters):
    """The filters and the format, as of the command `audit export`."""

    format: Literal["jsonl", "csv"] = "jsonl"


class StateQuery(Query):
    """A version of the order, or an RFC 3339 time."""

    as_of: Annotated[int | datetime, BeforeValidator(version_or_time), WithJsonSchema(SCHEMA)]


class MessagePath(Parameters):
    message_id: IdDigits


class OrderPath(Parameters):
    order: IdDigits


class TrailPage(View):
    """`missing` lists the services whose database does not answer; operators' actions there are left out."""

    entries: list[TrailEntry]
    next: str | None
    missing: list[str]


class StateView(View):
    """What the order service had recorded, if this process may read it; for a time also what the event log had."""

    recorded: dict[str, Any] | None
    known: dict[str, Any] | None


class VerificationView(View):
    """The sealer's last verification of each store; `clean` is null until each has a recent, completed one."""

    clean: bool | None
    stores: dict[str, dict[str, Any] | None]
