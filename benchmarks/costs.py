"""What a message costs the database on its way: statements, round trips and bytes of the write-ahead log."""

from collections.abc import Callable
from functools import partial

from benchmarks import append, consume
from benchmarks.place import Place, made_dead, wal_position
from benchmarks.relay import fill, queues, relay_rate
from benchmarks.rows import Row, shortened
from tests.support.counting import GROUP
from tests.support.databases import Database
from tests.support.wire import counted

MESSAGES = 5000
WARM = 50

Costs = dict[str, float]


def costs(database: Database, url: str, messages: int, work: Callable[[str], object]) -> Costs:
    """Per message, of work that is given a URL which counts."""
    with counted(url) as (counting, traffic):
        wal = wal_position(database)
        work(counting)
        return {
            "statements": shortened(traffic.statements / messages),
            "round_trips": shortened(traffic.round_trips / messages),
            "wal_bytes": shortened((wal_position(database) - wal) / messages),
        }


def append_many(way: append.Way, commands: int, url: str) -> None:
    with way(url) as one:
        for _ in range(commands):
            one()


def of_append(database: Database, way: append.Way) -> Costs:
    append_many(way, WARM, database.url)
    return costs(database, database.url, 1000, partial(append_many, way, 1000))


def of_relay(place: Place, database: Database) -> Costs:
    fill(database.owner_url, MESSAGES)
    with queues(place.amqp_url):
        return costs(database, database.relay_url, MESSAGES, lambda url: relay_rate(url, place.amqp_url, MESSAGES))


def of_consume(place: Place, database: Database) -> Costs:
    fresh = consume.Run(database, place.servers, MESSAGES, MESSAGES // 2)
    found = costs(database, database.url, MESSAGES, fresh.rate)
    dead = made_dead(database, ["stored_events", "outbox", "inbox", "parked_messages"])
    return {**found, "dead_tuples": shortened(dead / MESSAGES)}


def rows(step: str, found: Costs, references: Costs | None = None) -> list[Row]:
    made = []
    for what, value in found.items():
        reference = references[what] if references else None
        ratio = shortened(value / reference) if reference else None
        unit = "bytes" if what == "wal_bytes" else what
        made.append(Row(f"{step}_{what}_per_message", value, unit, reference, ratio))
    return made


def measure(place: Place) -> list[Row]:
    with place.fresh_databases() as fresh:
        database = append.without_list(fresh("order_service"))
        by_hand = of_append(database, append.by_hand)
        return [
            *rows("append", of_append(database, append.ours), by_hand),
            *rows("relay", of_relay(place, fresh("order_service"))),
            *rows("consume", of_consume(place, fresh(GROUP))),
        ]
