"""A collector that is away, and variables that ask for what is not there: no process waits for its traces."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from devstack.ports import LOOPBACK
from devstack.state import IMPORT_PATH
from ordersaga.runtime import telemetry
from ordersaga.runtime.settings import MissingSetting
from tests.conftest import AnyServers
from tests.support.api import serving, token
from tests.support.collector import collector
from tests.support.counting import GROUP

RECORD = """
import logging, sys
from uuid import uuid4
from prometheus_client import REGISTRY
from ordersaga.envelope.message import Cause
from ordersaga.runtime import telemetry
logging.basicConfig(level="INFO")
telemetry.begin("test-worker")
assert telemetry.tracing
for _ in range(int(sys.argv[1])):
    telemetry.tracing.deadline(Cause(uuid4(), traceparent=f"00-{'1' * 32}-{'2' * 16}-01"), "closing").end()
print(REGISTRY.get_sample_value("ordersaga_spans_lost_total", {"reason": "queue"}))
telemetry.end()
print(telemetry.tracing)
"""
QUEUE = 600


def record(spans: int, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A process that records spans, then ends; it must end by itself."""
    return subprocess.run(
        [sys.executable, "-c", RECORD, str(spans)],
        env={"PYTHONPATH": IMPORT_PATH, "OTEL_BSP_MAX_QUEUE_SIZE": str(QUEUE), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def silent() -> Iterator[str]:
    """Takes connections, and answers nothing."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield f"http://{LOOPBACK}:{server.getsockname()[1]}"


@contextmanager
def refusing() -> Iterator[str]:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
    yield f"http://{LOOPBACK}:{port}"


@pytest.mark.parametrize("away", [silent, refusing], ids=["silent", "refusing"])
def test_a_collector_that_is_away_neither_slows_nor_stops_a_process_whose_queue_is_bounded(
    away: Callable[[], AbstractContextManager[str]],
) -> None:
    with away() as url:
        done = record(3 * QUEUE, OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert done.returncode == 0, done.stderr
    lost, ended = done.stdout.split()
    assert QUEUE <= float(lost) <= 2 * QUEUE
    assert ended == "None"
    assert len(done.stderr.splitlines()) <= 1


def test_a_process_that_ends_sends_what_it_has_recorded() -> None:
    with collector() as found:
        done = record(3, OTEL_EXPORTER_OTLP_ENDPOINT=found.url, OTEL_RESOURCE_ATTRIBUTES="team=shop")
    assert done.returncode == 0, done.stderr
    assert [(span.service, span.name) for span in found.spans] == [("test-worker", "deadline closing")] * 3


def test_an_api_that_stops_sends_the_spans_of_its_forked_worker(
    servers: AnyServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    with collector() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        with serving(servers, GROUP, tmp_path) as api:
            key = {"Idempotency-Key": str(uuid4())}
            assert api.call("POST", "/counters", token(), key, json={"number": 1}).status_code == 202
            assert found.spans == []
            api.process.terminate()
            assert api.process.wait(30) == 0
    create, request = sorted(found.spans, key=lambda span: span.name == "POST /counters")
    assert (request.service, request.parent, create.parent) == (f"{GROUP}-api", "", request.id)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is 'zipkin'. Set it to otlp, console or none."),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'. Set it to http/protobuf, which collectors take at port 4318.",
        ),
        (
            {"OTEL_TRACES_EXPORTER": "console", "OTEL_BSP_MAX_QUEUE_SIZE": "many"},
            "OTEL_BSP_MAX_QUEUE_SIZE is 'many'. Set it to a number of spans, 2048 by default.",
        ),
    ],
)
def test_a_variable_that_asks_for_what_is_not_supported_is_named(
    asked: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(MissingSetting) as refused:
        telemetry.begin("test-worker")
    assert str(refused.value) == said
    assert telemetry.tracing is None


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "shop"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "TRUE"}, False),
    ],
)
def test_the_standard_variables_say_whether_traces_are_recorded(environment: dict[str, str], wanted: bool) -> None:
    assert telemetry.is_wanted(environment) == wanted


def test_nothing_of_opentelemetry_is_imported_unless_a_variable_asks_for_traces() -> None:
    program = (
        "import sys; from ordersaga.runtime import telemetry; telemetry.begin('test-worker');"
        "print(telemetry.tracing, any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    environment = {
        "PYTHONPATH": IMPORT_PATH,
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_SDK_DISABLED": "true",
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "None False\n"
