"""What the audit's endpoints take and give."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, WithJsonSchema

from contracts import CONTRACTS
from messaging.web.as_of import SCHEMA, Time, version_or_time
from messaging.web.openapi import Parameters, Query, View
from projections.audit.trail import OPERATIONS, Entry, Filter, place

TYPES = (*sorted(CONTRACTS), *OPERATIONS)
PLACE: TypeAdapter[tuple[datetime, str]] = TypeAdapter(tuple[datetime, str])


def known_type(text: str) -> str:
    if text not in TYPES:
        raise ValueError(f"must be one of {', '.join(TYPES)}")
    return text


def entry_at(text: object) -> Entry:
    try:
        return place(*PLACE.validate_json(urlsafe_b64decode(f"{text}==")))
    except ValueError:
        raise ValueError("is not a cursor of this list; begin again without it") from None


def cursor_of(entry: Entry) -> str:
    return urlsafe_b64encode(json.dumps([entry.time.isoformat(), entry.id]).encode()).decode().rstrip("=")


TypeName = Annotated[str, AfterValidator(known_type), WithJsonSchema({"type": "string", "enum": list(TYPES)})]
Cursor = Annotated[Any, BeforeValidator(entry_at), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]+$"})]


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
    after: Cursor | None = None


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


class EntryView(View):
    """Who did what, when, why, from where, and what came of it."""

    time: datetime
    id: str
    who: str
    what: str
    key: str | None
    why: str
    where: str
    cause: UUID | None
    correlation: UUID | None
    outcome: str


class TrailPage(View):
    entries: list[EntryView]
    next: str | None


class NodeView(View):
    """A message, and what it caused; `asked` marks the one that was asked about."""

    id: UUID
    cause: UUID | None
    contract: str
    source: str
    key: str
    time: datetime
    actor: str
    reason: str | None
    correlation: UUID
    asked: bool
    effects: list["NodeView"]


class StateView(View):
    """What the order service had recorded, where this process may read it; of a time also what all had said of it."""

    recorded: dict[str, Any] | None
    known: dict[str, Any] | None


class VerificationView(View):
    """The sealer's last verification of each store; `clean` is null until each has one."""

    clean: bool | None
    stores: dict[str, dict[str, Any] | None]


def rows(entries: list[Entry]) -> list[EntryView]:
    return [EntryView(**entry._asdict()) for entry in entries]
