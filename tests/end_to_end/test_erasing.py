"""A customer's contact on its way through the whole stack, before and after it is erased."""

import json
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pika
import requests

from devstack.environment import Environments
from devstack.external_servers import ExternalServers
from devstack.state import ROOT
from ordersaga.broker.topology import EVENTS
from tests.shop.support.whole_stack import WholeStack
from tests.support.rows import everything, unbroken_streams
from tests.support.wait import until

CUSTOMER = "quirina"
CONTACT: dict[str, Any] = {
    "name": "Quirina Zwölfender",
    "email": "quirina.z@mail.example",
    "address": {"lines": ["Möwenweg 77a"], "postal_code": "D-98765", "city": "Xanten", "country": "DE"},
}
SECRETS = ("Zwölfender", "quirina.z", "Möwenweg", "D-98765", "Xanten", "M\\u00f6wenweg", "Zw\\u00f6lfender")


def place(stack: WholeStack, card: str = "pm_card_visa", wait: str = "wait=20") -> dict[str, Any]:
    answer = requests.post(
        f"{stack.url('orders-api')}/orders",
        json={"lines": [{"sku": "tea", "quantity": 1}], "card": card, "contact": CONTACT},
        headers={**signed(stack, "customer"), "Idempotency-Key": str(uuid4()), "Prefer": wait},
        timeout=30,
    )
    assert answer.ok, answer.text
    return dict(answer.json())


def look(stack: WholeStack, order: dict[str, Any]) -> dict[str, Any]:
    url = f"{stack.url('orders-api')}/orders/{order['order_id']}"
    return dict(requests.get(url, headers=signed(stack, "customer"), timeout=10).json())


def signed(stack: WholeStack, role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {stack.token(role, CUSTOMER)}"}


def listen(stack: WholeStack) -> pika.BlockingConnection:
    """From now on every message comes to this connection's queue `overheard` too."""
    url = Environments(stack.state, ExternalServers()).amqp_url("provisioner")
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.queue_declare("overheard", exclusive=True)
    channel.queue_bind("overheard", EVENTS, "#")
    return connection


def overheard(connection: pika.BlockingConnection) -> str:
    channel, heard = connection.channel(), []
    while (message := channel.basic_get("overheard", auto_ack=True))[0]:
        heard.append(f"{message[1].headers} {message[2].decode()}")
    connection.close()
    return "\n".join(heard)


def audit_erase(stack: WholeStack) -> dict[str, Any]:
    command = [sys.executable, "-m", "devstack", "audit", "erase", CUSTOMER, "--reason", "asked for it"]
    options = ["--actor", "olga", "--yes", "--json", "--state", str(stack.state.directory)]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_contact_is_nowhere_in_the_clear_and_after_erasing_nowhere_readable(stack: WholeStack) -> None:
    broker = listen(stack)
    orders = [place(stack), place(stack, "pm_card_chargeDeclined"), place(stack, "pm_sim_error_500_9", "wait=0")]
    assert [order["state"] for order in orders[:2]] == ["confirmed", "cancelled"]
    parked = "select count(*) from parked_messages"
    until(lambda: stack.rows("payment_service", parked)[0][0] > 0)
    heard_of = "select count(*) from saga_view where customer = %s"
    until(lambda: stack.rows("projections", heard_of, CUSTOMER)[0][0] == 3)
    assert all(look(stack, order)["contact"] == CONTACT for order in orders)
    in_the_clear(stack, overheard(broker))
    streams = [unbroken_streams(stack.urls[name]) for name in ("order_service", "payment_service")]

    said = audit_erase(stack)
    assert (said["orders"], list(said["erased"])) == (3, ["order_service"])
    for order in orders:
        shown = look(stack, order)
        assert (shown["contact"], shown["contact_erased"]) == (None, True)
    assert audit_erase(stack)["erased"] == {}
    again = [unbroken_streams(stack.urls[name]) for name in ("order_service", "payment_service")]
    assert all(now >= then for now, then in zip(again, streams, strict=True))
    assert look(stack, place(stack))["contact"] == CONTACT
    until(lambda: not stack.violations(), seconds=100, every=0.5)


def in_the_clear(stack: WholeStack, broker: str) -> None:
    """Fails when any of the contact can be read where it was copied to."""
    places = {name: everything(url) for name, url in stack.urls.items()}
    places |= {path.name: path.read_text(errors="replace") for path in stack.state.logs.iterdir()}
    assert broker.count('"contact":"v1.') == 3
    for name, text in {**places, "the broker": broker}.items():
        assert not [secret for secret in SECRETS if secret in text], name
    assert "v1." in places["order_service"]
    assert "v1." in places["projections"]
