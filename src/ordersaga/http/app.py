"""The app of every HTTP service: roles, trace, limits, problems, health, metrics, documentation."""

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any, cast
from wsgiref.types import StartResponse

from flask import Response, current_app, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from prometheus_client import Histogram

from ordersaga.database.doorbell import Doorbell
from ordersaga.database.pool import Database
from ordersaga.http import cookies, openapi, problems, spans
from ordersaga.http.access_log import AccessLog
from ordersaga.http.admission import Admission
from ordersaga.http.bodies import StrictRequest
from ordersaga.http.problems import Problem
from ordersaga.http.tokens import Caller, InvalidToken, Tokens
from ordersaga.http.trace_context import begin_traceparent, cause_of
from ordersaga.http.waiting import MAX_SUSPENDED, Wait, WaitingRoom, resumed
from ordersaga.privacy.erasure import Erasures
from ordersaga.privacy.personal import Sealer
from ordersaga.runtime import health, telemetry
from ordersaga.runtime.errors import UnusableDatabase
from ordersaga.runtime.logs import begin_work, current_work
from ordersaga.runtime.sessions import API, adjusted
from ordersaga.runtime.settings import MissingSetting, Settings, SettingsType, read_settings
from ordersaga.service import Service
from ordersaga.store.version_watch import VersionWatch

THREADS = 16
"""Concurrent requests, and the most database connections; gunicorn_conf starts as many threads."""

SECONDS = Histogram(
    "http_server_request_duration_seconds", "Time from request to answer", ["method", "route", "status"]
)
seconds_of = cache(SECONDS.labels)
"""By method, route and status, which only the app chooses: making the labels takes as long as the observation."""
DOCUMENTATION = "/docs"


class Api(OpenAPI):
    """The HTTP interface of one service: its routes behind tokens, health, metrics and documentation."""

    request_class = StrictRequest

    def __init__(
        self,
        title: str,
        routes: APIBlueprint,
        service: Service,
        settings: Settings,
        database: Database,
        roles: Collection[str],
    ) -> None:
        super().__init__(
            service.name,
            info=Info(title=title, version="1.0.0"),
            security_schemes=dict(openapi.SECURITY_SCHEMES),
            validation_error_status="default",
            validation_error_model=problems.ProblemDocument,
            validation_error_callback=lambda error: problems.respond(problems.of_validation(error)),
            doc_prefix=DOCUMENTATION,
            static_folder=None,
        )
        self.config.update(openapi.PAGE_SETTINGS)
        self.settings = settings
        self.access_log = AccessLog(settings, f"{service.name} api")
        self.service = service
        self.announcements = service.announcements
        self.database = database
        self.tokens = Tokens(settings, roles)
        self.sealer = Sealer(settings.personal_key_encryption_key)
        self.erasures = Erasures(Path(settings.erasure_list) if settings.erasure_list else None)
        self.doorbell = Doorbell(database.url, f"{service.name} api doorbell", database.limits)
        self.watch = VersionWatch(database.url, f"{service.name} api waits", database.limits, self.doorbell)
        self.waiting_room = WaitingRoom(MAX_SUSPENDED)
        self.admission: Admission | None = None
        problems.register(self)
        self.before_request(begin_request)
        self.after_request(finish_response)
        self.teardown_request(end_logging)
        self.browsers_sign_in = False
        self.stopping = Event()
        self.roles: dict[tuple[str, str], frozenset[str]] = {}
        self.mount(routes)
        for path in ("/healthz", "/readyz", "/metrics"):
            self.add_url_rule(path, path, self.health)
        self.add_url_rule("/openapi.json", "openapi.json", lambda: self.api_doc)
        self.add_url_rule("/", "/", lambda: redirect(f"{DOCUMENTATION}/"))

    def mount(self, routes: APIBlueprint) -> None:
        """Add routes, each operation behind the roles that it names."""
        self.register_api(routes)
        self.roles |= roles_of(self, routes)

    def settings_as(self, kind: type[SettingsType]) -> SettingsType:
        """The settings, typed as the class of this app's service."""
        assert isinstance(self.settings, kind)
        return self.settings

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: no view is a coroutine, and Flask looks five times in a request whether one is."""
        return func

    def dispatch_request(self) -> ResponseReturnValue:
        """Answer a new request, or one that has waited, which is not read and decided again."""
        wait = resumed()
        return super().dispatch_request() if wait is None else wait.go_on(wait)

    def go_on(self, wait: Wait, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request that was suspended, in the context that it had. Raises Suspended when it is again."""
        assert wait.context
        with wait.context as context:
            try:
                response = self.full_dispatch_request()
            except Exception as error:  # noqa: BLE001 - as Flask's `wsgi_app`
                response = self.handle_exception(error)
            return response(context.request.environ, start_response)

    def health(self) -> Response:
        status, content_type, body = health.respond(
            request.path, self.database.problems, accept=request.headers.get("Accept", "")
        )
        return Response(body, status, content_type=content_type)


def create_app(service: Service, routes: APIBlueprint, title: str, roles: Collection[str] = ()) -> Api:
    """The app of one process; it connects, so call it after gunicorn has forked.

    `roles` are the roles of its callers beside STAFF.

    Raises:
        MissingSetting: a variable is missing or wrong, or the database cannot be used.
    """
    settings = read_settings(service.settings)
    limits = adjusted(API, settings)
    telemetry.begin(f"{service.name}-api", settings.amqp_url)
    try:
        database = Database(service.database_url, service.database, THREADS, *service.schema.tables, limits=limits)
    except UnusableDatabase as error:
        raise MissingSetting(str(error)) from None
    return Api(title, routes, service, settings, database, roles)


def roles_of(app: Api, routes: APIBlueprint) -> Iterator[tuple[tuple[str, str], frozenset[str]]]:
    """((endpoint, method), roles that may call it); raises for an operation that names no role or an unknown one."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith(f"{routes.name}."):
            path = re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule.rule)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                operation = getattr(routes.paths[path], method.lower())
                named = frozenset(operation.security[0][openapi.SCHEME])
                if unknown := named - {*app.tokens.roles}:
                    raise ValueError(f"{method} {rule.rule} names {', '.join(unknown)}, which this app does not have")
                yield (rule.endpoint, method), named


def api() -> Api:
    """The app that answers this request."""
    return cast(Api, current_app)


def caller() -> Caller:
    """The caller of this request."""
    return cast(Caller, g.caller)


def begin_request() -> None:
    """Set the cause and the caller of the request; refuse a caller without the role."""
    if wait := resumed():
        vars(g).update(wait.of_request)
        spans.make_current()
        g.work = begin_work(g.cause)
        return
    g.started = time.perf_counter()
    cause = cause_of(request.headers, str if telemetry.tracing else begin_traceparent)
    g.cause = cause = spans.begin(cause) if telemetry.tracing else cause
    g.work = begin_work(cause)
    method = "GET" if request.method == "HEAD" else request.method
    roles = api().roles.get((request.endpoint or "", method))
    if roles is not None:
        g.caller = sender = authenticate()
        g.cause = replace(cause, actor=sender.subject)
        if sender.role not in roles:
            raise Problem(403, "forbidden", f"This is for {' and '.join(sorted(roles))}, not for {sender.role}.")


def authenticate() -> Caller:
    """The caller, by the token of the request or, where browsers sign in, by its cookie."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if not scheme and api().browsers_sign_in:
        scheme, token = "bearer", cookies.token(request)
    if scheme.lower() != "bearer" or not token:
        raise unauthenticated("Send a token: Authorization: Bearer <token>.", 'Bearer realm="ordersaga"')
    try:
        return api().tokens.verify(token.strip())
    except InvalidToken as error:
        raise unauthenticated(f"{error}.", 'Bearer realm="ordersaga", error="invalid_token"') from None


def unauthenticated(detail: str, challenge: str) -> Problem:
    return Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": challenge})


def finish_response(response: Response) -> Response:
    """Set the headers of every response, and observe its duration."""
    headers, path, rule = response.headers, request.path, request.url_rule
    headers.setdefault("X-Correlation-Id", str(g.cause.correlation_id))
    headers.setdefault("X-Content-Type-Options", "nosniff")
    if path.startswith(DOCUMENTATION):
        openapi.forbid_other_hosts(response)
    else:
        headers.setdefault("Cache-Control", "private, no-cache")
    # Without a rule the client chooses the method, and each value would make a new time series.
    method, route = (request.method, rule.rule) if rule else ("", "")
    exemplar = spans.end(response) if telemetry.tracing else None
    seconds = time.perf_counter() - g.started
    seconds_of(method, route, response.status_code).observe(seconds, exemplar)
    api().access_log.write(method, route, response.status_code, seconds, g.cause, g.get("caller"))
    return response


def end_logging(_: BaseException | None) -> None:
    if telemetry.tracing:
        spans.leave()
    if work := g.pop("work", None):
        current_work.reset(work)
