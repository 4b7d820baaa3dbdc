"""Bodies of requests and responses about failure groups, runs of retries, several messages at once, and the pause."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from ordersaga.http.openapi import Body, Query, View, example
from ordersaga.http.parked_views import By, Failure, Key, Position, Reason, Seen, State
from ordersaga.parked.failure_notes import FailureNote
from ordersaga.parked.inspection import FailureGroup
from ordersaga.parked.refused_by import RefusedBy
from ordersaga.parked.retry_runs import MAX_FIRST, MAX_RATE, MIN_RATE
from ordersaga.parked.selection import MAX_MESSAGES

Text = r"^[^\x00]*$"
Note = Annotated[str | None, Field(max_length=4000, pattern=Text, description="Free text; empty removes it.")]
Line = r"^[^\x00-\x1f\x7f]*$"
Owner = Annotated[str | None, Field(max_length=200, pattern=Line, description="Who cares for it; empty removes it.")]
LINK = "A ticket, http or https; empty removes it."
Link = Annotated[str | None, Field(max_length=2000, pattern=r"^(https?://[^\x00-\x20\x7f]+)?$", description=LINK)]


class FailurePath(BaseModel):
    failure: Failure


class RunPath(BaseModel):
    run: Annotated[int, Field(ge=1, le=2**63 - 1)]


class Annotate(Body):
    """Only what is given is written."""

    model_config = example(reason="looked into it", note="The supplier sends no weight", owner="team supply")

    note: Note = None
    owner: Owner = None
    link: Link = None
    reason: Reason


class Why(Body):
    model_config = example(reason="until the supplier has answered")

    reason: Reason


class SkipGroup(Body):
    model_config = example(messages=3, reason="the supplier sends them again")

    messages: int = Field(
        ge=1, le=2**31 - 1, description="`messages` of the group as it was seen; at another number, nothing is done."
    )
    reason: Reason


class GroupSkipped(View):
    """`left` are to be skipped by further requests with this number as `messages`; `gone` left by themselves."""

    skipped: int
    gone: int
    left: int


class TriageActionView(View):
    """What a person did to a failure group; `details` has what was written."""

    position: int
    action: str
    failure: str | None
    run: int | None
    actor: str
    reason: str
    acted_at: datetime
    details: dict[str, Any]


class GroupView(View):
    """A failure group: what people wrote about it, and its messages now, null when none is parked."""

    failure: str
    refused_by: RefusedBy
    contract: str | None
    error: str
    place: str
    note: str
    owner: str
    link: str
    held_since: datetime | None
    held_by: str | None
    held_reason: str | None
    last_seen: datetime
    run: int | None
    now: FailureGroup | None

    @classmethod
    def of(cls, note: FailureNote, now: FailureGroup | None, **more: Any) -> "GroupView":
        said = vars(note) if now is None else {**vars(note), "last_seen": now.last_seen, "place": now.place}
        return cls.model_validate({**said, "run": now and now.run, "now": now, **more})


class GroupInFull(GroupView):
    """As GroupView, with what people did, the newest first."""

    actions: list[TriageActionView]


class GroupsList(View):
    """Those with parked messages first, then those that people wrote about and of which none is parked now."""

    groups: list[GroupView]


class SelectedMessage(Body):
    message_id: UUID = Field(strict=False)
    refused_by: By = None
    seen: Seen = None


class Selection(Body):
    """One action on several messages, with one reason."""

    model_config = example(
        action="hold",
        reason="until the supplier has answered",
        messages=[{"message_id": "00000000-0000-4000-8000-000000000001"}],
    )

    action: Literal["retry", "skip", "hold", "release"]
    reason: Reason
    messages: list[SelectedMessage] = Field(min_length=1, max_length=MAX_MESSAGES)


class ActionOutcome(View):
    """What came of the action: the new state, or why nothing was done."""

    message_id: UUID
    refused_by: RefusedBy | None
    outcome: Literal["retrying", "waiting", "skipped", "held", "released", "gone", "took-effect", "changed", "refused"]
    detail: str


class Outcomes(View):
    outcomes: list[ActionOutcome]


class StartRun(Body):
    """A failure group, or what the filter finds, or all that failed."""

    model_config = example(failure="0f3a9b2c", first=5, rate=20, reason="the cause is fixed")

    failure: Failure | None = None
    key: Key | None = None
    state: Literal["retrying", "dead"] | None = None
    refused_by: RefusedBy | None = None
    first: int = Field(default=5, ge=0, le=MAX_FIRST, description="So many are retried at once, before any other.")
    rate: float = Field(default=10.0, ge=MIN_RATE, le=MAX_RATE, description="Messages a second, after the first ones.")
    max_failed: float = Field(
        default=0.5, ge=0, le=1, description="It stops when a greater share of the first ones fails again."
    )
    reason: Reason


class RunView(View):
    """A run of retries; `paused` as long as the consumer group is. `ended_by` is null when nobody stopped it."""

    run: int
    failure: str | None
    refused_by: RefusedBy | None
    state_wanted: State | None
    key: str | None
    first: int
    rate: float
    max_failed: float
    actor: str
    reason: str
    state: Literal["running", "paused", "stopped", "done"]
    started_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str
    total: int
    retried: int
    succeeded: int
    failed: int
    skipped: int
    under_way: int
    remaining: int


class RunsPage(Query):
    """Runs, the newest first."""

    limit: int = Field(default=100, ge=1, le=500)
    before: Position | None = Field(default=None, description="`next` of the page before.")


class RunsList(View):
    """`next` is null on the last page."""

    runs: list[RunView]
    next: int | None


class Resume(Body):
    model_config = example(required=False, reason="the cause is fixed")

    reason: str = Field(default="", max_length=500, pattern=Line, description="Why, for the record.")


class ConsumerView(View):
    """Whether the service receives; while it is paused, since when, by whom and why."""

    group: str
    paused: bool
    since: datetime | None
    actor: str | None
    reason: str | None
