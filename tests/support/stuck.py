"""Queues that give no answer while a block lasts, and what has arrived in queues."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from ordersaga.broker.topology import EVENTS
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.refusals import rabbitmqctl
from tests.support.relays import Heard


@contextmanager
def suspended(servers: AnyServers, queue: str) -> Iterator[None]:
    """The quorum queue answers nobody; the others do."""
    process = f'whereis(list_to_atom("ordersaga_{queue}"))'
    rabbitmqctl(servers, "eval", f"sys:suspend({process}).")
    try:
        yield
    finally:
        rabbitmqctl(servers, "eval", f"sys:resume({process}).")


@contextmanager
def bound_by(broker: TestBroker, queue: str, exchange: str = EVENTS) -> Iterator[None]:
    """A queue of another application gets every message of an exchange."""
    with broker.channel() as channel:
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(queue, exchange, routing_key="#")
    try:
        yield
    finally:
        with broker.channel() as channel:
            channel.queue_delete(queue)


def ready(port: int) -> tuple[list[str], list[str]]:
    """The problems and the warnings of /readyz."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as refused:
        found = json.load(refused)
    return found["problems"], found["warnings"]


def metric(port: int, line: str) -> float:
    """The value of a metric with its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        [value] = [text.split()[-1] for text in answer.read().decode().splitlines() if text.startswith(line)]
    return float(value)


def drain(broker: TestBroker, queue: str) -> list[Heard]:
    """Take what the queue has, oldest first."""
    heard: list[Heard] = []
    with broker.channel() as channel:
        count = channel.queue_declare(queue, passive=True).method.message_count
        if not count:
            return heard
        channel.basic_qos(prefetch_count=1)  # what is delivered and not taken goes back
        for method, properties, _ in channel.consume(queue, inactivity_timeout=10):
            assert method is not None, f"only {len(heard)} of {count} messages came"
            headers = properties.headers
            heard.append(Heard(UUID(headers["ce-id"]), headers["ce-subject"], int(headers["ce-sequence"])))
            channel.basic_ack(method.delivery_tag)
            if len(heard) == count:
                break
        channel.cancel()
    return heard
