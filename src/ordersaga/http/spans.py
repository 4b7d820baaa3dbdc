"""The span of a request: from its arrival to its answer, also while it waits without a thread."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from flask import Response, g, request

from ordersaga.envelope.message import Cause
from ordersaga.runtime import telemetry

if TYPE_CHECKING:
    from ordersaga.otel.span import Span

NOT_RECORDED = ("/healthz", "/readyz", "/metrics")


def begin(cause: Cause) -> Cause:
    """Begin the span of this request, if this process records spans. Returns the cause of what the request causes."""
    tracing = telemetry.tracing
    if tracing is None or request.path in NOT_RECORDED:
        return cause
    route = request.url_rule.rule if request.url_rule else ""
    span = tracing.request(cause, request.method, route, request.path, request.host)
    if span is None:
        return cause
    g.span = span
    make_current()
    return span.cause(cause)


def make_current() -> None:
    """What a library for HTTP or SQL records in this thread belongs to the request."""
    span: Span | None = g.get("span")
    if span:
        g.current_span = current = span.current()
        current.__enter__()


def leave() -> None:
    """The thread does something else from now on."""
    current: AbstractContextManager[None] | None = g.pop("current_span", None)
    if current:
        current.__exit__(None, None, None)


def waits() -> None:
    """The request is suspended until its subject changes."""
    span: Span | None = g.get("span")
    if span:
        span.event("suspended")


def end(response: Response) -> dict[str, str] | None:
    """End the span. Returns the exemplar of its duration: the id of its trace, if that is recorded."""
    span: Span | None = g.get("span")
    if span is None or not span.is_recording:
        return None
    status = response.status_code
    span.set({"http.response.status_code": status})
    if status >= 500:
        span.failed(str(status))
    span.end()
    return {"trace_id": span.trace_id}
