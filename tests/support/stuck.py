"""Queues that give no answer while a block lasts, and what a relay says of them."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from ordersaga.broker.topology import EVENTS
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.refusals import rabbitmqctl


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
