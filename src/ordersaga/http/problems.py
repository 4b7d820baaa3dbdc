"""Problem documents (RFC 9457): the body of every refusal of the HTTP services."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import psycopg
from flask import Flask, Response, g, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException

from ordersaga.runtime.errors import Conflict, ErrorKind, KeyHeld, KeyTaken, classify
from ordersaga.runtime.logs import log, trace_id_of
from ordersaga.runtime.reasons import advised_reason_of, reason_of
from ordersaga.store.transaction import AggregateNotFound

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = "2"


class FieldError(TypedDict):
    """An invalid field of the request by its path, such as `lines.0.quantity`, and the reason."""

    field: str
    message: str


class Problem(Exception):
    """A refusal. `kind` is the fixed name of its type, in words joined by hyphens."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


class FieldErrorSchema(BaseModel):
    """An invalid field, and the reason."""

    field: str
    message: str


class ProblemDocument(BaseModel):
    """The body of every answer with a status of 400 or more (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    trace_id: str
    errors: list[FieldErrorSchema] | None = None


def respond(problem: Problem) -> Response:
    document: dict[str, Any] = {
        "type": f"urn:problem:{problem.kind}",
        "title": problem.kind.replace("-", " ").capitalize(),
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.path,
        "trace_id": trace_id_of(g.cause.traceparent),
    }
    if problem.errors:
        document["errors"] = list(problem.errors)
    return Response(json.dumps(document), problem.status, dict(problem.headers), content_type=MEDIA_TYPE)


def invalid(detail: str, *errors: FieldError) -> Problem:
    return Problem(422, "invalid-request", detail, errors)


def of_validation(error: ValidationError, status: int = 422) -> Problem:
    """The problem of an invalid request; it names each field and repeats no value that was sent."""
    errors = [
        FieldError(field=".".join(map(str, found["loc"])), message=found["msg"])
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    named = ", ".join(dict.fromkeys(each["field"] or "the body" for each in errors))
    return Problem(status, "invalid-request", f"Not acceptable: {named}.", errors)


def of_http_error(error: HTTPException) -> Problem:
    kind = re.sub(r"[^a-z]+", "-", error.name.lower()).strip("-")
    headers = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
    return Problem(error.code or 500, kind, error.description or error.name, headers=headers)


def register(app: Flask) -> None:
    """Turn every error of this app into a problem document."""

    @app.errorhandler(Problem)
    def refused(problem: Problem) -> Response:
        return respond(problem)

    @app.errorhandler(HTTPException)
    def refused_by_framework(error: HTTPException) -> Response:
        return respond(of_http_error(error))

    @app.errorhandler(AggregateNotFound)
    def not_found(error: AggregateNotFound) -> Response:
        return respond(Problem(404, "not-found", "There is nothing here, or nothing that you may see."))

    @app.errorhandler(KeyHeld)
    def in_flight(error: KeyHeld) -> Response:
        detail = "The first request with this Idempotency-Key is still under way. Send it again in a moment."
        return respond(Problem(409, "request-in-flight", detail, headers={"Retry-After": "1"}))

    @app.errorhandler(Conflict)
    @app.errorhandler(KeyTaken)
    def too_many_writers(error: Exception) -> Response:
        detail = "Others changed the same data at the same time. Nothing was stored; send the request again."
        return respond(Problem(409, "conflict", detail, headers={"Retry-After": RETRY_SECONDS}))

    @app.errorhandler(psycopg.Error)
    def database_failed(error: psycopg.Error) -> Response:
        kind = classify(error)
        if kind is ErrorKind.CONFLICT:
            return too_many_writers(error)
        if kind in (ErrorKind.LOCKED, ErrorKind.TOO_LARGE):
            return busy(error)
        if kind is not ErrorKind.UNAVAILABLE:
            return unexpected(error)
        log.warning("database unavailable", error=reason_of(error))
        detail = "The database does not answer. Send the same request, with the same Idempotency-Key, again later."
        return respond(Problem(503, "database-away", detail, headers={"Retry-After": RETRY_SECONDS}))

    def busy(error: psycopg.Error) -> Response:
        """A lock, a statement or its memory was not to be had in time; nothing was stored."""
        log.warning("database busy", error=advised_reason_of(error))
        detail = "The database is too busy. Send the same request, with the same Idempotency-Key, again later."
        return respond(Problem(503, "database-busy", detail, headers={"Retry-After": RETRY_SECONDS}))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("request failed", exc_info=error)
        detail = "The service failed. Its log has the details under this trace id."
        return respond(Problem(500, "internal-error", detail))
