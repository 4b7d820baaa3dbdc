"""Webhooks: every message once per subscription, signed, in order per key, through failures, crashes and pauses."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import HTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection
from standardwebhooks import Webhook, WebhookVerificationError

from ordersaga.readside.rows import columns
from ordersaga.runtime.backoff import Backoff
from ordersaga.webhooks import collecting, endpoint, schedule, sender, subscriptions
from ordersaga.webhooks import deliveries as sent
from ordersaga.webhooks.sealing import SecretBox
from tests.support.counting import CountKept
from tests.support.databases import Databases
from tests.support.plans import plan_of, rows_read
from tests.support.wait import until
from tests.support.webhook_receiver import Receiver, receiving
from tests.support.webhooks import KEY, OLGA, SOURCE, Webhooks, settings, webhooks_on
from tests.support.workers import ROOT, counted

SENT = """
insert into webhook_deliveries (subscription_id, message_id, type, key, body, state, next_attempt_at, ended_at)
select %(id)s, gen_random_uuid(), 'test.x.v1', number::text, '{}',
    case when number <= %(delivered)s then 'delivered' else 'pending' end,
    case when number > %(delivered)s then now() end, case when number <= %(delivered)s then now() end
from generate_series(1, %(delivered)s::int + %(pending)s::int) as number
"""
TELL = """
insert into alarms_told (change, name, subject, severity, text, address) values (%s, %s, %s, %s, %s, %s)
"""
SEALED = "v1.00000000-0000-0000-0000-000000000001.AAAAAAAAAAAAAAAA"


@pytest.fixture(scope="module")
def webhooks(databases: Databases) -> Iterator[Webhooks]:
    yield from webhooks_on(databases())


@pytest.fixture(autouse=True)
def nothing_left(webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No subscription of another test, and no pause that a test would wait for."""
    monkeypatch.setattr(schedule, "SCHEDULE", (0.05,) * 9)
    monkeypatch.setattr(endpoint, "PAUSES", Backoff(first=0.05, longest=0.05))
    monkeypatch.setattr(sender, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(sender, "IDLE_SECONDS", 0.02)
    yield
    webhooks.connection.execute("delete from webhook_subscriptions")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_a_message_of_the_log_arrives_signed_as_a_cloud_event_without_actor_and_sealed_data(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    id_, secret = webhooks.add_with_secret(receiver, "/hooks?from=shop")
    message = counted(uuid4(), 1, CountKept)
    body = json.dumps({**json.loads(message.body), "contact": SEALED, "lines": [{"note": SEALED, "name": "v1.x"}]})
    object.__setattr__(message, "body", body)
    with webhooks.sending():
        webhooks.log(message)
        [got] = until(lambda: receiver.got)
        until(lambda: webhooks.states(id_) == ["delivered"])
    event = got.verified(secret)
    assert (got.path, got.id, got.headers["content-type"]) == (
        "/hooks?from=shop",
        str(message.id),
        "application/cloudevents+json; charset=utf-8",
    )
    assert event.pop("data") == {**json.loads(body), "contact": None, "lines": [{"note": None, "name": "v1.x"}]}
    assert event.pop("time") == message.time.isoformat()
    assert event == {
        "specversion": "1.0",
        "id": str(message.id),
        "source": "test",
        "type": CountKept.NAME,
        "subject": message.key,
        "datacontenttype": "application/json",
        "dataschema": f"urn:contract:{CountKept.NAME}",
        "partitionkey": message.key,
        "sequence": "1",
        "correlationid": str(message.cause.correlation_id),
    }
    with pytest.raises(WebhookVerificationError):
        got.verified("whsec_" + "A" * 43 + "=")


def test_messages_of_a_key_keep_their_order_while_one_is_refused_and_other_keys_do_not_wait(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    id_ = webhooks.add(receiver)
    slow, fast = webhooks.log_some(3), webhooks.log_some(2)
    mended = threading.Event()
    receiver.answering = lambda got: 503 if got.id == slow[0] and not mended.is_set() else 204
    with webhooks.sending():
        until(lambda: {slow[0], *fast} <= set(receiver.ids()) and receiver.ids().count(slow[0]) > 1)
        assert not {*slow[1:]} & {*receiver.ids()}
        mended.set()
        until(lambda: webhooks.states(id_) == ["delivered"] * 5)
    arrived = list(dict.fromkeys(receiver.ids()))
    assert [each for each in arrived if each in slow] == slow
    assert [each for each in arrived if each in fast] == fast
    first = webhooks.deliveries(id_)[0]
    assert first.attempts == len(first.history) == receiver.ids().count(slow[0])
    assert (first.history[0].status, first.history[0].error) == (503, "it answered 503")
    assert first.history[-1].status == 204
    assert webhooks.status(id_).failures == 0


def test_who_is_killed_between_sending_and_recording_sends_again_under_the_same_id(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    id_ = webhooks.add(receiver)
    may_answer = threading.Event()
    receiver.answering = lambda _: 204 if may_answer.wait(20) else 500
    [message] = webhooks.log_some()
    command = [sys.executable, "-m", "ordersaga.cli", "--app", "tests.support.counting_read_side", "webhooks", "run"]
    given = {"WEBHOOK_ALLOW": "127.0.0.0/8", "WEBHOOK_HTTP": "true", "WEBHOOK_SECRETS_KEY": KEY}
    variables = {**os.environ, **given, "KEPT_DATABASE_URL": webhooks.database.url}
    killed = subprocess.Popen(command, cwd=ROOT, env=variables)
    try:
        until(lambda: receiver.got)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert webhooks.states(id_) == ["pending"]
    may_answer.set()
    with webhooks.sending():
        until(lambda: webhooks.states(id_) == ["delivered"])
    assert receiver.ids() == [message, message]


def test_an_endpoint_that_is_gone_is_disabled_and_resumed_it_gets_what_has_come_since(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    id_ = webhooks.add(receiver)
    receiver.answering = lambda _: 410
    first = webhooks.log_some()
    with webhooks.sending() as process:
        until(lambda: webhooks.status(id_).state == "disabled")
        assert webhooks.status(id_).state_reason == "It answered 410 Gone."
        until(process.warnings)
        second = webhooks.log_some()
        receiver.answering = lambda _: 200
        assert subscriptions.resume(webhooks.connection, id_, OLGA)
        until(lambda: webhooks.states(id_) == ["delivered"] * 2)
    assert sorted(receiver.ids()[-2:]) == sorted([*first, *second])


def test_an_endpoint_that_fails_for_three_days_is_disabled_with_the_last_reason(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    id_ = webhooks.add(receiver)
    webhooks.log_some()
    receiver.answering = lambda _: 500
    with webhooks.sending():
        until(lambda: webhooks.status(id_).failing_since)
        webhooks.connection.execute("update webhook_subscriptions set failing_since = now() - interval '73 hours'")
        until(lambda: webhooks.status(id_).state == "disabled")
    assert webhooks.status(id_).state_reason.endswith("the last: it answered 500")


def test_after_its_attempts_a_delivery_has_failed_for_good_the_next_of_its_key_follows_and_a_person_sends_it_again(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    id_ = webhooks.add(receiver)
    refused, next_ = webhooks.log_some(2)
    receiver.answering = lambda got: 422 if got.id == refused else 200
    with webhooks.sending():
        until(lambda: webhooks.states(id_) == ["failed", "delivered"])
        assert receiver.ids() == [refused] * 10 + [next_]
        receiver.answering = lambda _: 200
        assert sent.retry_failed(webhooks.connection, id_, OLGA) == 1
        until(lambda: webhooks.states(id_) == ["delivered", "delivered"])
    assert [each.action for each in subscriptions.actions(webhooks.connection, id_)] == ["retry", "add"]


def test_one_endpoint_that_hangs_delays_no_other(webhooks: Webhooks, receiver: Receiver) -> None:
    let_go = threading.Event()
    receiver.answering = lambda got: 200 if got.path == "/well" or let_go.wait(20) else 500
    hangs, well = webhooks.add(receiver, "/hangs"), webhooks.add(receiver, "/well")
    with webhooks.sending():
        for _ in range(20):
            webhooks.log_some()
        until(lambda: webhooks.states(well) == ["delivered"] * 20)
        assert webhooks.states(hangs) == ["pending"] * 20
        assert len(receiver.ids("/hangs")) <= endpoint.MAX_UNDER_WAY
        let_go.set()
        until(lambda: webhooks.states(hangs) == ["delivered"] * 20)


def test_a_paused_subscription_gets_nothing_and_afterwards_everything(webhooks: Webhooks, receiver: Receiver) -> None:
    id_, other = webhooks.add(receiver, "/paused"), webhooks.add(receiver, "/other")
    assert subscriptions.pause(webhooks.connection, id_, OLGA)
    assert not subscriptions.pause(webhooks.connection, id_, OLGA)
    with webhooks.sending():
        ids = webhooks.log_some(3)
        until(lambda: webhooks.states(other) == ["delivered"] * 3)
        assert receiver.ids("/paused") == []
        number = sent.add_test(webhooks.connection, id_, "kept", OLGA)
        until(lambda: sent.show(webhooks.connection, number).state == "delivered")
        assert subscriptions.resume(webhooks.connection, id_, OLGA)
        until(lambda: receiver.ids("/paused")[1:] == ids)


def test_a_full_subscription_leaves_the_rest_in_the_log_and_loses_nothing(
    webhooks: Webhooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordersaga.webhooks.collecting.MAX_PENDING", 3)
    monkeypatch.setattr("ordersaga.webhooks.collecting.PAGE", 2)
    id_ = webhooks.add(receiver)
    mended = threading.Event()
    receiver.answering = lambda _: 200 if mended.is_set() else 500
    ids = webhooks.log_some(12)
    with webhooks.sending():
        until(lambda: webhooks.status(id_).pending == 4)
        mended.set()
        until(lambda: webhooks.states(id_) == ["delivered"] * 12)
    assert list(dict.fromkeys(receiver.ids())) == ids


def test_while_a_secret_is_rotated_both_verify_and_afterwards_the_new_one_alone(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    id_, old = webhooks.add_with_secret(receiver)
    new = subscriptions.rotate(webhooks.connection, id_, SecretBox(KEY), OLGA, timedelta(hours=1))
    with webhooks.sending():
        webhooks.log_some()
        until(lambda: webhooks.states(id_) == ["delivered"])
        assert receiver.got[0].verified(old) == receiver.got[0].verified(new)
        webhooks.connection.execute("update webhook_subscriptions set old_secret_until = now()")
        webhooks.log_some()
        until(lambda: webhooks.states(id_) == ["delivered"] * 2)
    receiver.got[1].verified(new)
    with pytest.raises(WebhookVerificationError):
        receiver.got[1].verified(old)
    stored = webhooks.connection.execute("select secret, old_secret from webhook_subscriptions").fetchone()
    assert stored
    assert not any(secret in text for secret in (old, new) for text in stored)


def test_alarms_reach_who_has_subscribed_to_them_as_events_and_as_text_in_order(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    tell(webhooks, "raised")  # before the subscription
    webhooks.add(receiver, "/events", ("alarms",))
    webhooks.add(receiver, "/chat", ("alarms",), format="text")
    with webhooks.sending():
        tell(webhooks, "raised")
        tell(webhooks, "cleared")
        until(lambda: len(receiver.got) == 4)
    raised, cleared = (json.loads(got.body) for got in receiver.got if got.path == "/events")
    assert (raised["type"], cleared["type"]) == ("alarms.raised.v1", "alarms.cleared.v1")
    assert raised["subject"] == cleared["subject"] == "process_down orders-worker"
    assert raised["data"] == {
        "change": "raised",
        "name": "process_down",
        "subject": "orders-worker",
        "severity": "critical",
        "text": "The process orders-worker does not answer.",
        "address": "infrastructure",
        "url": "https://ops.example/dashboard/infrastructure",
    }
    url = raised["data"]["url"]
    assert [json.loads(got.body) for got in receiver.got if got.path == "/chat"] == [
        {"text": f"Critical: The process orders-worker does not answer. {url}"},
        {"text": f"Over: The process orders-worker does not answer. {url}"},
    ]


def tell(webhooks: Webhooks, change: str) -> None:
    said = ("process_down", "orders-worker", "critical", "The process orders-worker does not answer.", "infrastructure")
    with psycopg.connect(webhooks.database.owner_url) as owner:
        owner.execute(TELL, (change, *said))


def test_of_two_processes_one_sends_and_the_other_takes_over(webhooks: Webhooks, receiver: Receiver) -> None:
    id_ = webhooks.add(receiver)
    with webhooks.sending() as standby:
        with webhooks.sending():
            ids = webhooks.log_some(5)
            until(lambda: webhooks.states(id_) == ["delivered"] * 5)
        ids += webhooks.log_some(2)
        until(lambda: webhooks.states(id_) == ["delivered"] * 7)
        assert standby.problems() == []
    assert receiver.ids() == ids


def test_ended_deliveries_are_deleted_after_their_retention_and_pending_ones_stay(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    id_ = webhooks.add(receiver)
    webhooks.log_some()
    with webhooks.sending():
        until(lambda: webhooks.states(id_) == ["delivered"])
    receiver.answering = lambda _: 500
    webhooks.log_some()
    webhooks.connection.execute("update webhook_deliveries set ended_at = ended_at - interval '31 days'")
    with webhooks.sending():
        until(lambda: webhooks.states(id_) == ["pending"])


def test_without_a_subscription_a_look_is_one_statement_and_with_one_that_is_up_to_date_three(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    assert statements_of_a_turn(webhooks) == 1
    webhooks.add(receiver)
    assert statements_of_a_turn(webhooks) == 3


def statements_of_a_turn(webhooks: Webhooks) -> int:
    seen: list[Any] = []

    class Counting(Connection[Any]):
        def cursor(self, *args: Any, **named: Any) -> Any:
            seen.append(1)
            return super().cursor(*args, **named)

    process = sender.WebhookSender(webhooks.database.url, SOURCE, settings(), threading.Event())
    with Counting.connect(webhooks.database.url, autocommit=True) as connection:
        process._turn(connection)
    return len(seen)


def test_what_is_asked_at_each_look_reads_what_is_due_and_new_and_not_what_was_sent_or_logged(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    id_ = webhooks.add(receiver)
    webhooks.connection.execute(SENT, {"id": id_, "delivered": 3000, "pending": 5})
    webhooks.log_some(300)
    [(head,)] = webhooks.connection.execute("select max(position) from event_log")
    with psycopg.connect(webhooks.database.owner_url, autocommit=True) as owner:
        owner.execute("analyze webhook_deliveries, event_log")
    due = {"active": [id_], "under_way": [0], "limit": 8}
    new = {"after": head - 5, "head": head, "contracts": list(SOURCE.contracts), "limit": collecting.PAGE}
    for statement, parameters in ((sent.HEADS, due), (collecting.EVENTS, new)):
        plan = plan_of(webhooks.connection, statement.as_string(), parameters)
        assert 5 <= rows_read(plan) <= 10, plan
    for newest in (sent.NEWEST.format(columns(sent.WebhookDelivery)), subscriptions.STATUSES):
        plan = plan_of(webhooks.connection, newest.as_string(), {"id": None} if "(id)" in newest.as_string() else {})
        assert rows_read(plan) <= 10, plan


def test_a_receiver_that_got_everything_gets_nothing_again_when_its_position_is_set_back(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    """As a rebuild does that shows recovered messages at positions which were passed."""
    id_ = webhooks.add(receiver)
    ids = webhooks.log_some(3)
    with webhooks.sending():
        until(lambda: webhooks.states(id_) == ["delivered"] * 3)
        webhooks.connection.execute("update webhook_subscriptions set position = first_position")
        ids += webhooks.log_some()
        until(lambda: webhooks.states(id_) == ["delivered"] * 4)
    assert receiver.ids() == ids


def test_the_receiver_of_the_page_takes_what_is_signed_once_and_refuses_the_rest(
    webhooks: Webhooks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "WEBHOOKS.md").read_text(), re.DOTALL)
    (tmp_path / "page.py").write_text(code)
    monkeypatch.setenv("WEBHOOK_SECRET", "whsec_" + "A" * 44)
    page = vars(import_file(tmp_path / "page.py"))
    page["Receiver"].log_message = lambda *_: None
    with HTTPServer(("127.0.0.1", 0), page["Receiver"]) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        id_, secret = webhooks.add_with_secret(Receiver(f"http://127.0.0.1:{server.server_port}"))
        with webhooks.sending():
            webhooks.log_some()
            until(lambda: [each.history[-1].status for each in webhooks.deliveries(id_) if each.history] == [401])
            page["webhook"] = Webhook(secret)
            until(lambda: webhooks.states(id_) == ["delivered"])
            sent.retry(webhooks.connection, webhooks.deliveries(id_)[0].id, OLGA)
            until(lambda: webhooks.states(id_) == ["delivered"])
        server.shutdown()
    assert capsys.readouterr().out.count(CountKept.NAME) == 1


def import_file(file: Path) -> ModuleType:
    spec = spec_from_file_location("page", file)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
