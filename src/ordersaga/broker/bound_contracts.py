"""The contracts that the queues of a group have been bound to, recorded on the broker: AMQP cannot list bindings.

The record is one message in a queue of its own, `bindings.<group>`, which no worker may read. It is as durable as the
bindings, and gone with them.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection

from ordersaga.broker import topology
from ordersaga.broker.topology import NO_LIMIT, NOT_FOUND, Group, receives, suppress_refusal
from ordersaga.envelope.message import PARTITIONS

PERSISTENT = pika.BasicProperties(delivery_mode=2, content_type="application/json")
TRIES, PAUSE = 20, 0.1
"""Attempts to get the record while another command holds it, and the seconds between them."""


RECORDS = "bindings."
"""What the names of the queues that hold a record begin with."""


def record_of(group: str) -> str:
    return f"{RECORDS}{group}"


def bound_contracts(connection: BlockingConnection, group: str) -> set[str]:
    """The recorded contracts; none when nothing is recorded."""
    with suppress_refusal(connection, NOT_FOUND) as channel:
        channel.queue_declare(record_of(group), passive=True)
        tag, found = get(channel, group, TRIES)
        if tag is not None:
            channel.basic_nack(tag)
        return found
    return set()


def stale_contracts(connection: BlockingConnection, group: str, contracts: Iterable[str]) -> list[str]:
    """The contracts that its queues are still bound to, beside these, which it receives."""
    received = set(contracts)
    return sorted(name for name in bound_contracts(connection, group) if not receives(received, name))


def record(channel: BlockingChannel, group: Group, *, forget_others: bool = False) -> None:
    """Record the contracts of the group, before its queues are bound to them.

    Those that are recorded stay, unless `forget_others` says that no queue is bound to them.
    """
    with suppress_refusal(channel.connection, NOT_FOUND) as own:
        own.confirm_delivery()
        is_new = declared(own, group.name)
        tag, known = get(own, group.name, 1 if is_new else TRIES)
        wanted = set(group.contracts) if forget_others else known | set(group.contracts)
        if wanted != known or tag is None:
            body = json.dumps(sorted(wanted)).encode()
            own.basic_publish("", record_of(group.name), body, PERSISTENT, mandatory=True)
            done = own.basic_ack
        else:
            done = own.basic_nack
        if tag is not None:
            done(tag)


def unbind_covered(channel: BlockingChannel, group: Group) -> None:
    """Unbind what an older version of this library bound to a single version of a contract, once the group is bound to
    every version: until then a queue gets each message once, however many bindings match."""
    wanted, recorded = set(group.contracts), bound_contracts(channel.connection, group.name)
    covered = {name for name in recorded - wanted if receives(wanted, name)}
    if covered:
        unbind(channel, group, sorted(covered))
        record(channel, replace(group, contracts=tuple(sorted(recorded - covered))), forget_others=True)


def declared(channel: BlockingChannel, group: str) -> bool:
    """Declare the queue of the record. Returns whether it has no record yet."""
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": NO_LIMIT, "x-max-length": 1}
    with suppress_refusal(channel.connection, NOT_FOUND) as other:
        other.queue_declare(record_of(group), passive=True)
        return False
    channel.queue_declare(record_of(group), durable=True, arguments=arguments)
    return True


def get(channel: BlockingChannel, group: str, tries: int) -> tuple[int | None, set[str]]:
    """The delivery tag and the contracts of the record, which nobody else gets until it is acknowledged."""
    for number in range(tries):
        if number:
            channel.connection.sleep(PAUSE)
        method, _, body = channel.basic_get(record_of(group))
        if method is not None:
            return method.delivery_tag, read(body)
    return None, set()


def read(body: bytes) -> set[str]:
    found: Any = json.loads(body)
    return set(found)


def unbind(channel: BlockingChannel, group: Group, contracts: Iterable[str]) -> None:
    """Unbind the group's queues from these contracts."""
    for contract in contracts:
        for queue in group.queue_names:
            for partition in range(PARTITIONS):
                topology.unbind(channel, group.name, queue, f"{contract}.{partition:02d}")
