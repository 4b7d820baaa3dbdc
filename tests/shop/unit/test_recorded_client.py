"""The recorded client: it hides no attempt, and a history tells what was acknowledged, refused and never answered."""

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from devstack.chaos import client as recorded
from devstack.chaos.client import Command, RecordedClient
from devstack.chaos.history import History, Operation, Outcome, read
from devstack.chaos.load import Shopper
from devstack.demo.shop import Addresses

Answer = tuple[int, Mapping[str, object]]
SILENCE: Answer = (0, {})
ORDER: Answer = (202, {"order_id": "o", "version": 1})
OVERLOADED: Answer = (503, {"type": "urn:problem:overloaded", "detail": "Nothing was stored; send it again later."})
AWAY: Answer = (503, {"type": "urn:problem:database-away", "detail": "The database does not answer."})
IN_FLIGHT: Answer = (409, {"type": "urn:problem:request-in-flight", "detail": "It is still under way."})
RETIRED: Answer = (422, {"type": "urn:problem:invalid-request", "detail": "no longer sold"})


class Service:
    """Gives one answer after the other; `keys` has the key of every request."""

    def __init__(self, client: RecordedClient, path: Path) -> None:
        self.client, self.path = client, path
        self.answers: list[Answer] = []
        self.keys: list[str | None] = []

    def place(self, *answers: Answer) -> Operation:
        self.answers[:] = answers
        return self.client.place("ann", [("tea", 1)], key="k")


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(recorded, "FIRST_PAUSE", 0.001)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            found.keys.append(self.headers["Idempotency-Key"])
            status, body = found.answers.pop(0) if found.answers else SILENCE
            if status:
                self.send_response(status)
                kind = "application/json" if status < 400 else "application/problem+json"
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    with History(tmp_path / "history.jsonl") as history:
        found = Service(RecordedClient(Addresses(url, url, url, url), lambda *_: "t", history), history.path)
        yield found
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_acknowledged_command_is_ok_and_a_refused_one_has_failed(service: Service) -> None:
    assert service.place(ORDER).outcome == "ok"
    assert service.place(RETIRED).outcome == "fail"
    assert service.place(OVERLOADED).outcome == "fail"


@pytest.mark.parametrize("answer", [SILENCE, AWAY, IN_FLIGHT, (500, {"type": "urn:problem:x", "detail": ""})])
def test_an_answer_that_says_neither_is_repeated_with_the_same_key_and_counted(
    service: Service, answer: Answer
) -> None:
    done = service.place(answer, ORDER)
    assert (done.outcome, done.attempts, service.keys) == ("ok", 2, ["k", "k"])


def test_a_command_without_any_answer_stays_indeterminate(service: Service) -> None:
    done = service.place()
    assert (done.outcome, done.attempts) == ("indeterminate", recorded.ATTEMPTS)


def test_a_refusal_after_an_attempt_without_an_answer_proves_nothing_about_that_attempt(service: Service) -> None:
    assert service.place(SILENCE, RETIRED, OVERLOADED, RETIRED).outcome == "indeterminate"


def test_asked_again_after_healing_it_is_recovered_or_refused_and_the_history_has_the_last_word(
    service: Service,
) -> None:
    recovered, refused = service.place(), service.place()
    for operation, answer in ((recovered, ORDER), (refused, RETIRED)):
        service.answers[:] = [answer]
        service.client.ask_again(operation)
    kept = read(service.path)
    assert [operation.outcome for operation in kept] == ["ok", "fail"]
    assert all(operation.resolved is not None for operation in kept)


class Noting(RecordedClient):
    """Sends nothing: every order has this outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.orders: dict[str, tuple[object, object, object]] = {}

    def send(self, kind: str, command: Command, key: str = "") -> Operation:
        if kind == "place_order":
            self.orders.setdefault(key, (command.caller, command.body["lines"], command.body["card"]))
        return Operation(1, "", kind, key, asdict(command), 0, outcome=self.outcome, answer={"order_id": "o"})


def choices(seed: int, outcome: Outcome) -> list[tuple[object, object, object]]:
    """The orders of the first steps of one thread of a load."""
    client = Noting(outcome)
    shopper = Shopper(seed, 0, "load", [])
    for _ in range(100):
        shopper.step(client)
    return list(client.orders.values())


def test_the_same_seed_makes_the_same_choices_whatever_is_answered() -> None:
    assert choices(1, "ok") == choices(1, "ok") == choices(1, "fail")
    assert choices(1, "ok") != choices(2, "ok")
