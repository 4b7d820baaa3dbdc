"""Which requests the access log tells of, and in which format."""

import json
import logging
from collections.abc import Iterator
from uuid import UUID

import pytest

from ordersaga.envelope.message import Cause
from ordersaga.http import access_log
from ordersaga.http.access_log import AccessLog, pseudonym
from ordersaga.http.tokens import Caller
from ordersaga.runtime.settings import Settings

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CAUSE = Cause(UUID(int=7), traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    logging.getLogger(access_log.__name__).setLevel(logging.NOTSET)


def write(route: str = "/orders/<uuid:id>", level: int = logging.INFO, **settings: object) -> None:
    logging.getLogger(access_log.__name__).setLevel(level)
    log = AccessLog(Settings(**settings), "order_service api")  # type: ignore[arg-type]
    log.write("GET", route, 404, 0.01234, CAUSE, Caller("alice", "customer"))


def test_a_line_of_json_has_what_every_line_has_and_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    write(log_format="json")
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "method": "GET",
        "route": "/orders/<uuid:id>",
        "status": 404,
        "duration_ms": 12.3,
        "role": "customer",
        "caller": pseudonym("alice"),
        "trace_id": TRACE,
        "correlation_id": str(UUID(int=7)),
        "event": "request",
        "process": "order_service api",
        "level": "info",
    }


@pytest.mark.parametrize("route", ["/healthz", "/readyz", "/metrics"])
def test_health_checks_are_not_logged(route: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(route)
    assert capsys.readouterr().err == ""


def test_nothing_is_logged_when_it_is_off_or_the_level_is_higher(capsys: pytest.CaptureFixture[str]) -> None:
    write(access_log=False)
    write(level=logging.WARNING)
    assert capsys.readouterr().err == ""
