"""Webhooks for operators, over HTTP and on the command line: each change recorded, each refusal with its reason."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask_openapi3.blueprint import APIBlueprint
from standardwebhooks import Webhook

from ordersaga.http.app import create_app
from ordersaga.http.webhooks import mount_webhooks
from tests.support.api import environment, token
from tests.support.counting import CountKept
from tests.support.counting_read_side import read_side
from tests.support.databases import Databases
from tests.support.ordersaga_command import OrdersagaCommand
from tests.support.wait import until
from tests.support.webhook_receiver import Receiver, receiving
from tests.support.webhooks import KEY, SOURCE, Webhooks, settings, webhooks_on

OPERATOR = token("operator", "olga")
WHY = {"reason": "for the test"}
BECAUSE = ("--reason", "for the test", "--actor", "olga")


@pytest.fixture(scope="module")
def webhooks(databases: Databases) -> Iterator[Webhooks]:
    yield from webhooks_on(databases())


@pytest.fixture(autouse=True)
def nothing_left(webhooks: Webhooks) -> Iterator[None]:
    yield
    webhooks.connection.execute("delete from webhook_subscriptions")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def call(webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Yields call(method, path below /webhooks, body, status, caller) -> JSON."""
    for name, text in environment(webhooks.database, 0).items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("KEPT_DATABASE_URL", webhooks.database.url)
    app = create_app(read_side, APIBlueprint("nothing", __name__), "Kept", roles=["customer"])
    mount_webhooks(app, settings(), list(SOURCE.contracts))

    def call(method: str, path: str = "", body: Any = None, status: int = 200, caller: str = OPERATOR) -> Any:
        headers = {"Authorization": f"Bearer {caller}"}
        done = app.test_client().open(f"/webhooks{path}", method=method, headers=headers, json=body)
        assert done.status_code == status, done.text
        return done.get_json()

    yield call
    app.database.pool.close()


@pytest.fixture
def ordersaga(webhooks: Webhooks) -> OrdersagaCommand:
    given = {"WEBHOOK_ALLOW": "127.0.0.1", "WEBHOOK_HTTP": "true", "WEBHOOK_SECRETS_KEY": KEY}
    variables = {"KEPT_DATABASE_URL": webhooks.database.url, **given}
    return OrdersagaCommand("tests.support.counting_read_side", variables)


def test_over_http_an_operator_adds_tests_pauses_resumes_rotates_retries_and_removes(
    webhooks: Webhooks, receiver: Receiver, call: Callable[..., Any]
) -> None:
    added = call("POST", "", {"url": receiver.url, "events": ["test.*"], **WHY}, 201)
    path = f"/{added['id']}"
    assert Webhook(added["secret"])
    [listed] = call("GET")["subscriptions"]
    assert (listed["id"], listed["state"], listed["events"]) == (added["id"], "active", ["test.*"])
    assert not any("secret" in name and name != "old_secret_until" for name in listed)
    assert call("POST", f"{path}/pause", WHY) == {"id": added["id"], "state": "paused", "changed": True}
    number = call("POST", f"{path}/test", WHY, 202)["delivery"]
    with webhooks.sending():
        until(lambda: call("GET", f"{path}/deliveries")["deliveries"][0]["state"] == "delivered")
    [delivery] = call("GET", f"{path}/deliveries?limit=1")["deliveries"]
    assert (delivery["id"], delivery["type"], delivery["history"][0]["status"]) == (number, "webhooks.test", 204)
    assert receiver.got[0].verified(added["secret"])["data"]["text"] == "A test of the webhooks of kept, sent by olga."
    assert call("POST", f"{path}/resume", WHY)["changed"]
    assert call("POST", f"{path}/rotate", WHY)["secret"] != added["secret"]
    assert call("POST", f"/deliveries/{number}/retry", WHY) == {"retried": 1}
    assert call("POST", f"{path}/retry-failed", WHY) == {"retried": 0}
    assert call("POST", f"{path}/remove", WHY) == {"removed": added["id"]}
    assert call("GET", path, status=404)["type"].endswith("unknown-webhook")
    recorded = [(each["action"], each["actor"], each["reason"]) for each in call("GET", "/actions?limit=7")["actions"]]
    done = ["remove", "retry", "rotate", "resume", "test", "pause", "add"]
    assert recorded == [(action, "olga", "for the test") for action in done]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "http://10.0.0.1/"}, "not an address on the internet"),
        ({"url": "ftp://hooks.example/"}, "https://host/path"),
        ({"events": ["orders.*"]}, f"'orders.*' names no contract. There are {CountKept.NAME}"),
    ],
)
def test_what_cannot_be_subscribed_is_refused_with_what_to_do(
    call: Callable[..., Any], change: dict[str, Any], said: str
) -> None:
    body = {"url": "https://hooks.example/", "events": ["test.*"], **WHY, **change}
    assert said in call("POST", "", body, 422)["detail"]
    assert call("GET")["subscriptions"] == []


@pytest.mark.parametrize("role", ["auditor", "customer"])
def test_nobody_but_an_operator_sees_or_changes_webhooks(call: Callable[..., Any], role: str) -> None:
    caller = token(role, "eve")
    call("GET", "", status=403, caller=caller)
    call("POST", "", {"url": "https://hooks.example/", "events": ["test.*"], **WHY}, 403, caller)
    call("GET", "/actions", status=403, caller=caller)


def test_what_is_not_there_is_not_found(call: Callable[..., Any]) -> None:
    for act in ("pause", "resume", "rotate", "test", "retry-failed", "remove"):
        call("POST", f"/{uuid4()}/{act}", WHY, 404)
    call("POST", "/deliveries/123456789/retry", WHY, 404)
    call("POST", f"/{uuid4()}/pause", {"reason": ""}, 422)


def test_on_the_command_line_a_subscription_is_added_tested_looked_at_and_removed(
    webhooks: Webhooks, receiver: Receiver, ordersaga: OrdersagaCommand
) -> None:
    added = json.loads(ordersaga("webhooks", "add", receiver.url, "test.*", "alarms", "--json", *BECAUSE))
    id_ = added["id"]
    with webhooks.sending():
        assert "delivered: it answered 204" in ordersaga("webhooks", "test", id_, "--actor", "olga")
        receiver.answering = lambda _: 500
        assert "failed: it answered 500" in ordersaga("webhooks", "test", id_, expect=1)
        receiver.answering = lambda _: 410
        webhooks.log_some()
        until(lambda: webhooks.status(webhooks.deliveries(id_)[0].subscription_id).state == "disabled")
    assert "disabled: It answered 410 Gone." in ordersaga("webhooks", "list", expect=1)
    shown = ordersaga("webhooks", "show", id_)
    assert "events           test.*, alarms" in shown
    assert "add by olga: for the test" in shown
    assert added["secret"] not in shown
    failed = json.loads(ordersaga("webhooks", "deliveries", id_, "--only", "failed", "--json"))["deliveries"]
    assert [each["type"] for each in failed] == ["webhooks.test"]
    assert "is active." in ordersaga("webhooks", "resume", id_, *BECAUSE)
    assert "is paused." in ordersaga("webhooks", "pause", id_, *BECAUSE)
    assert "valid for 2 hours" in ordersaga("webhooks", "rotate", id_, "--keep-old", "2", *BECAUSE)
    assert "due now: 1" in ordersaga("webhooks", "retry", "--failed-of", id_, *BECAUSE)
    assert "is removed." in ordersaga("webhooks", "remove", id_, "--yes", *BECAUSE)
    assert "There is no subscription." in ordersaga("webhooks", "list")
    assert "remove by olga" in ordersaga("webhooks", "actions", id_)


def test_the_command_line_says_what_is_wrong(ordersaga: OrdersagaCommand) -> None:
    assert "not an address on the internet" in ordersaga(
        "webhooks", "add", "https://10.0.0.1/", "alarms", *BECAUSE, expect=1
    )
    assert "names no contract" in ordersaga("webhooks", "add", "https://a.example/", "orders.*", *BECAUSE, expect=1)
    assert "there is no subscription" in ordersaga("webhooks", "pause", uuid4(), *BECAUSE, expect=1)
    assert "--failed-of" in ordersaga("webhooks", "retry", *BECAUSE, expect=2)
    ordersaga.variables["WEBHOOK_ALLOW"] = "10.0.0.0/99"
    assert "neither a host nor a network" in ordersaga("webhooks", "run", expect=2)
