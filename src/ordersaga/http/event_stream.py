"""`GET /api/events/stream`: the event log as server-sent events, which a client resumes without gap or repeat."""

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from time import monotonic
from typing import Annotated, Any
from uuid import UUID

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from ordersaga.http.app import Api, api, caller
from ordersaga.http.openapi import Headers, Query, only, problem
from ordersaga.http.problems import Problem
from ordersaga.http.sending import begin_stream
from ordersaga.readside import events
from ordersaga.readside.events import EventFilter
from ordersaga.readside.live.hub import PAGE, Hub, frame_of
from ordersaga.readside.live.listener import Ended, Frame

HEARTBEAT_SECONDS = 5
POLL_SECONDS = 0.5
"""Between two checks of client, token and process."""
RETRY_MILLISECONDS = 1000
LAST_POSITION = 2**63 - 1

Contract = Annotated[str, Field(pattern=r"^[a-z0-9_.]+$", max_length=200)]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=200)]

routes = APIBlueprint("live", __name__, url_prefix="/api", abp_responses={"default": problem()})


class EventFilters(Query):
    """The filters of the log."""

    contract: Contract | None = None
    key: Name | None = Field(default=None, description="What the messages are about, such as the id of an aggregate.")
    source: Name | None = None
    actor: Name | None = None
    correlation_id: UUID | None = None

    def wanted(self) -> EventFilter:
        return EventFilter(**{name: getattr(self, name, None) for name in EventFilter._fields})


class StreamQuery(EventFilters):
    """`after` is a position; without it, and without Last-Event-ID, the stream begins now."""

    after: int | None = Field(default=None, ge=0, le=LAST_POSITION)


class StreamHeaders(Headers):
    """The header that a browser sends when it reconnects."""

    last_event_id: int | None = Field(default=None, alias="Last-Event-ID", ge=0, le=LAST_POSITION)


STREAM: dict[str, Any] = {
    "description": "`id` is the position in the log, `event` the contract, `data` a row as of /api/events.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


@cache
def hub_of(app: Api) -> Hub:
    """The hub of this process."""
    return Hub(app.database.connection, app.stopping, app.settings.http_streams)


@routes.get(
    "/events/stream",
    responses={200: STREAM, 503: problem("All places are taken")},
    security=only("operator", "auditor"),
)
def stream_events(query: StreamQuery, header: StreamHeaders) -> Response:
    """The log as it grows"""
    hub = hub_of(api())
    if hub.places is None or not hub.places.acquire(blocking=False):
        raise too_many_streams(api().settings.http_streams)
    try:
        with hub.connect() as connection:
            head = events.head(connection)
    except BaseException:
        hub.places.release()
        raise
    asked = query.after if header.last_event_id is None else header.last_event_id
    # A cursor beyond the head belongs to a log that was replaced; continue from the current head.
    position = head if asked is None else min(asked, head)
    is_allowed = partial(api().tokens.still_accepts, caller())
    stream = EventStream(hub, query.wanted(), position, is_allowed, begin_stream())
    response = Response(stream.texts(), mimetype="text/event-stream")
    response.headers |= {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response.call_on_close(hub.places.release)
    return response


def too_many_streams(places: int) -> Problem:
    detail = f"All {places} places for live streams are taken (HTTP_STREAMS). Ask again later, or read /api/events."
    return Problem(503, "too-many-streams", detail, headers={"Retry-After": "5"})


class EventStream:
    """The stream of one client: missed events first, then new ones."""

    def __init__(
        self,
        hub: Hub,
        wanted: EventFilter,
        position: int,
        is_allowed: Callable[[], bool],
        connection: socket.socket | None,
    ) -> None:
        self.hub = hub
        self.wanted = wanted
        self.position = position
        self.is_allowed = is_allowed
        self.socket = connection

    def texts(self) -> Iterator[str]:
        """The body; it ends when the token is no longer valid, the process stops, or the client is too slow."""
        yield f"retry: {RETRY_MILLISECONDS}\nid: {self.position}\n\n"
        yield from self.missed(LAST_POSITION)
        with self.hub.listening(self.wanted, self.hang_up) as listener, suppress(Ended):
            yield from self.missed(listener.joined_at)
            heartbeat = monotonic()
            while not self.is_over():
                frames = [frame for frame in listener.take(POLL_SECONDS) if frame.position > self.position]
                if frames or monotonic() - heartbeat >= HEARTBEAT_SECONDS:
                    heartbeat = monotonic()
                    yield self.joined(frames) or ": still here\n\n"

    def missed(self, up_to: int) -> Iterator[str]:
        """Events behind the client's position, read from the log page by page, up to a page that is not full."""
        more = self.position < up_to
        while more and not self.is_over():
            with self.hub.connect() as connection:
                found = events.after(connection, self.position, self.wanted, PAGE)
            frames = [frame_of(event) for event in found if event.position <= up_to]
            more = len(frames) == PAGE
            if frames:
                yield self.joined(frames)

    def joined(self, frames: list[Frame]) -> str:
        """The frames as one text; the client's position moves behind them."""
        self.position = frames[-1].position if frames else self.position
        return "".join(frame.text for frame in frames)

    def is_over(self) -> bool:
        return self.hub.stopping.is_set() or not self.is_allowed() or self.is_disconnected()

    def is_disconnected(self) -> bool:
        """Whether the client has closed the connection; a write would notice only at the next heartbeat."""
        if self.socket is None:
            return False
        poller = select.poll()
        poller.register(self.socket, select.POLLRDHUP)
        return bool(poller.poll(0))

    def hang_up(self) -> None:
        """Close the connection, which frees a thread that waits for the client to read."""
        if self.socket:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
