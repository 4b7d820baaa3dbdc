"""Harm: what is done to a stack under load, so that a broken line has a consequence; a sound build survives it."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import uuid5

import psycopg
from pika.adapters.blocking_connection import BlockingChannel
from psycopg.sql import SQL, Identifier

from devstack.breaking.channel import broker_channel
from devstack.breaking.frozen import Freeze
from devstack.chaos.faults.target import POSTGRES, RABBITMQ, WORKERS, find, send, with_children
from devstack.chaos.stage import Stage
from devstack.servers.postgres import OWNER
from ordersaga.broker import topology
from ordersaga.envelope.message import COLUMNS, NAMESPACE, Message, from_row, to_properties
from shop import services


class Damage(NamedTuple):
    """`expected` are ids of the messages that a sound build parks because of it."""

    said: str
    expected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Harm:
    """`act` is called while the load runs, and returns when the harm is over."""

    does: str
    act: Callable[[Stage], Damage]
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Variables of the stack's environment."""
    before: Callable[[Stage], None] = lambda _: None
    """What is done before the load begins."""
    after_load: bool = False
    """Whether `act` is called when the load has ended and everything has settled."""


def nothing(_: Stage) -> Damage:
    time.sleep(4)
    return Damage("")


def kill_frozen_broker(stage: Stage) -> Damage:
    """What is sent to a frozen broker is in the buffers of its sockets, and gone with it."""
    freeze = Freeze()
    broker = find(stage, RABBITMQ)
    assert broker
    freeze.stop(with_children(broker))
    time.sleep(2)
    freeze.thaw(signal.SIGKILL)
    return Damage(f"{RABBITMQ} (pid {broker.pid}) was frozen for two seconds and then killed.")


def kill_workers_of_frozen_database(stage: Stage) -> Damage:
    """They have taken messages, and cannot commit what they do."""
    freeze = Freeze()
    postgres = find(stage, POSTGRES)
    assert postgres
    freeze.stop(with_children(postgres))
    time.sleep(1.5)
    killed = [send(stage, name, signal.SIGKILL) for name in WORKERS]
    freeze.thaw()
    return Damage(f"{POSTGRES} was frozen. {' '.join(killed)}")


def keep_away(stage: Stage, process: str, seconds: float) -> Damage:
    supervisor = stage.stack.supervisor
    supervisor.hold(process)
    try:
        said = send(stage, process, signal.SIGKILL)
        time.sleep(seconds)
    finally:
        supervisor.release(process)
    return Damage(f"{said} It was away for {seconds:g} s.")


def slow_commits(stage: Stage) -> Damage:
    """Each commit waits while its transaction is open to all others."""
    with as_owner(stage, "postgres") as connection:
        connection.execute("alter system set commit_siblings = 0")
        connection.execute("alter system set commit_delay = 20000")
        connection.execute("select pg_reload_conf()")
        time.sleep(6)
        connection.execute("alter system reset commit_delay")
        connection.execute("select pg_reload_conf()")
    return Damage("Each commit took 20 ms longer, for six seconds.")


REFUSE = """
create function {name}() returns trigger language plpgsql as $$
begin
    if {condition} then raise exception 'refused on purpose'; end if;
    return new;
end $$;
create trigger {name} before insert on {table} for each row execute function {name}()
"""


def refuse(stage: Stage, database: str, table: str, condition: str, seconds: float) -> Damage:
    """Rows of this table for which the condition over `new` holds are refused for so long."""
    name = Identifier("chaos_refuses")
    create = SQL(REFUSE).format(name=name, table=Identifier(table), condition=SQL(condition))
    with as_owner(stage, database) as connection:
        connection.execute(create)
        time.sleep(seconds)
        connection.execute(SQL("drop function {} cascade").format(name))
    return Damage(f"{database} refused rows of {table} for {seconds:g} s where {condition}.")


@contextmanager
def as_owner(stage: Stage, database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(stage.stack.environments.database_url(database, OWNER), autocommit=True) as connection:
        yield connection


FULL = 20
"""Messages that a full queue holds."""


def limit_queue(stage: Stage) -> None:
    """Replace the queue of inventory by an empty one that refuses messages beyond a limit."""
    group = next(service for service in services if service.name == "inventory_service")
    with broker_channel(stage.stack.environments) as channel:
        channel.queue_delete(f"{group.group}.0")
        topology.declare_group(LimitedChannel(channel), topology.Group(group.group, tuple(group.contracts), 1))
    time.sleep(2)  # its worker subscribes again


class LimitedChannel:
    """A channel that declares queues with a limit."""

    def __init__(self, channel: BlockingChannel) -> None:
        self._channel = channel

    def queue_declare(self, queue: str, durable: bool, arguments: Mapping[str, Any]) -> Any:
        return self._channel.queue_declare(queue, durable=durable, arguments={**arguments, "x-max-length": FULL})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)


PUBLISHED = (
    f"select {', '.join(COLUMNS)} from outbox where contract = 'orders.order_placed.v1' order by position limit 1"  # noqa: S608
)


def fork(stage: Stage) -> Damage:
    """A message comes again with another event, as after the promotion of a standby that lagged."""
    with as_owner(stage, "order_service") as connection:
        row = connection.execute(PUBLISHED, binary=True).fetchone()
    assert row
    message = replace(from_row(row), event_hash=sha256(b"another history").digest())
    with broker_channel(stage.stack.environments) as channel:
        channel.basic_publish(topology.EVENTS, message.routing_key, message.body.encode(), to_properties(message))
    time.sleep(3)
    return Damage(f"Message {message.id} was published with another event.", (str(fork_id(message)),))


def fork_id(message: Message) -> Any:
    """As `ordersaga.inbox.forks` computes it."""
    return uuid5(NAMESPACE, f"{message.id}/fork/{message.event_hash.hex()}")


NOTHING = Harm("Nothing is harmed.", nothing)
BROKER_KILLED_WHILE_FROZEN = Harm("RabbitMQ is frozen for two seconds, and killed.", kill_frozen_broker)
WORKERS_KILLED_WHILE_POSTGRES_IS_FROZEN = Harm(
    "Postgres is frozen for a moment, in which all workers are killed.", kill_workers_of_frozen_database
)
RELAY_AWAY = Harm("The relay of orders is killed, and away.", lambda stage: keep_away(stage, "orders-relay", 4))
PAYMENTS_AWAY_FOR_LONG = Harm(
    "The worker of payments is away for longer than an order may take.",
    lambda stage: keep_away(stage, "payments-worker", 28),
    {"ORDER_DEADLINE_SECONDS": "3"},
)
SLOW_COMMITS = Harm("Each commit takes 20 ms longer.", slow_commits)
# Not of inventory: after a conflict its worker takes locks first for a minute, in a transaction that mends the build.
OUTBOX_REFUSES = Harm(
    "The outbox of payments refuses every second row.",
    lambda stage: refuse(stage, "payment_service", "outbox", "new.position % 2 = 0", 3),
)
CHARGES_NOT_RECORDED = Harm(
    "Payments are charged while their database refuses to record anything of it.",
    lambda stage: refuse(stage, "payment_service", "stored_events", "true", 3),
)
PROJECTION_REFUSES = Harm(
    "The event log refuses placed orders.",
    lambda stage: refuse(stage, "projections", "event_log", "new.contract = 'orders.order_placed.v1'", 3),
)
QUEUE_FULL = Harm(
    "The worker of inventory is away, and its queue takes some messages and refuses the others.",
    lambda stage: keep_away(stage, "inventory-worker", 6),
    {"QUEUES_PER_GROUP": "1"},
    limit_queue,
)
FORKED_MESSAGE = Harm("A message comes again with another event.", fork, after_load=True)
