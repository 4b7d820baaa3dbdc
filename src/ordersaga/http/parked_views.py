"""Bodies of requests and responses about parked messages."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from ordersaga.http.openapi import Body, Query, View, example
from ordersaga.parked import operations
from ordersaga.parked.inspection import FailureGroup
from ordersaga.parked.refused_by import RefusedBy

State = Literal["retrying", "waiting", "dead"]
Failure = Annotated[str, Field(pattern=r"^[0-9a-f]{8}$", description="A failure group, as `failures` names it.")]
Key = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Position = Annotated[int, Field(ge=0, le=2**63 - 1)]
Next = Annotated[str, Field(pattern=r"^(reaction|broker)\.[0-9]{1,18}$", description="`next` of the page before.")]
REFUSED_BY = "Who refused it. Without it, the reaction if it did, else the broker."
By = Annotated[RefusedBy | None, Field(description=REFUSED_BY)]
Reason = Annotated[
    str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$", description="Why, for the record.")
]
SEEN = (
    "The `version` on which this decision is based. If a person has acted since, nothing is done; an attempt of a "
    "worker is no hindrance where a reaction refused the message."
)
Seen = Annotated[str | None, Field(max_length=64, description=SEEN)]


class ParkedPath(BaseModel):
    message_id: UUID


class ParkedPage(Query):
    """First messages that reactions refused, then those that the broker refused; in the order of parking."""

    limit: int = Field(default=100, ge=1, le=500)
    after: Next | None = None
    refused_by: RefusedBy | None = None
    state: State | None = None
    failure: Failure | None = None
    key: Key | None = None


class ParkedQuery(Query):
    """Selects one of two parked messages with the same id."""

    refused_by: By = None


class ActionsPage(Query):
    """Actions, the newest first."""

    limit: int = Field(default=100, ge=1, le=500)
    before: Position | None = Field(default=None, description="`next` of the page before.")
    message_id: UUID | None = None


class Retry(Body):
    model_config = example(reason="the cause is fixed")

    reason: Reason
    seen: Seen = None
    refused_by: By = None


class Skip(Body):
    model_config = example(reason="a manual duplicate")

    reason: Reason
    seen: Seen = None
    refused_by: By = None


class Hold(Body):
    model_config = example(reason="until the supplier has answered")

    reason: Reason
    seen: Seen = None
    refused_by: By = None


class Edit(Body):
    model_config = example(reason="a name was misspelled", body='{"name": "..."}')

    reason: Reason
    body: str = Field(pattern=r"^[^\x00]*$", description="The complete new body as text; it must satisfy the contract.")
    seen: Seen = None
    refused_by: By = None


class RetryMany(Body):
    """One failure group, or all; a batch at a time."""

    model_config = example(reason="the cause is fixed")

    failure: Failure | None = Field(default=None, description="Without it, every message that failed.")
    reason: Reason
    after: Next | None = Field(default=None, description="`next` of the batch before.")
    limit: int = Field(default=100, ge=1, le=500)


class ParkedRow(View):
    """One parked message in a list; one `on_hold` is not tried until a person releases it or its failure group."""

    refused_by: RefusedBy
    position: int
    message_id: UUID
    version: str
    contract: str | None
    key: str | None
    state: State
    failure: str
    error: str
    place: str
    message: str
    attempts: int
    next_attempt_at: datetime | None
    parked_at: datetime
    edits: int
    on_hold: bool = False

    @classmethod
    def of(cls, row: dict[str, Any], **more: Any) -> Self:
        version = operations.version(row["state"], row["attempts"], row["edits"])
        return cls.model_validate({**row, **more, "version": version})


class ParkedList(View):
    """`next` is null on the last page."""

    failures: list[FailureGroup]
    messages: list[ParkedRow]
    next: str | None


class ActionView(View):
    """An action on a message, and the message before it."""

    position: int
    message_id: UUID
    refused_by: RefusedBy
    action: Literal["retry", "edit", "skip", "hold", "release"]
    actor: str
    reason: str
    acted_at: datetime
    state: State
    attempts: int
    error: str
    place: str


class ActionsList(View):
    actions: list[ActionView]
    next: int | None


class ParkedView(ParkedRow):
    """One message in full; bytes that are not UTF-8 are shown as escapes."""

    routing_key: str
    reaction: str = ""
    """The function that handles it here; empty if the broker refused it, or nothing reacts to its contract."""
    headers: dict[str, Any]
    body: str
    original_body: str | None
    traceback: str
    before: list[UUID]
    followers: list[UUID]
    actions: list[ActionView]

    @classmethod
    def of(cls, row: dict[str, Any], **more: Any) -> Self:
        original = row["original_body"]
        return super().of(
            row, body=text(row["body"]), original_body=None if original is None else text(original), **more
        )


class Done(View):
    """The new state of a message: due now, waiting for others of its key, skipped, held, or no longer held."""

    message_id: UUID
    state: Literal["retrying", "waiting", "skipped", "held", "released"]


class RetriesDone(View):
    """`gone` counts messages no longer parked; `next` is null after the last batch."""

    retried: int
    gone: int
    next: str | None


class FailureOfDryRun(View):
    error: str
    place: str
    message: str
    traceback: str


class MadeRow(View):
    table: str
    row: dict[str, Any]


class DryRunView(View):
    """The result of an attempt that was rolled back."""

    message_id: UUID
    outside: Literal["none", "not called"]
    failure: FailureOfDryRun | None
    received_before: bool
    rows: list[MadeRow]
    removed: dict[str, int]


def text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")
