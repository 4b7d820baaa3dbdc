"""`python -m benchmarks.rebuild`: events a second of a rebuild of the read side, and the memory that it takes."""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from itertools import chain, islice
from typing import Any
from uuid import UUID, uuid4

import psutil
import psycopg
from eventsourcing.domain import BaseAggregate

import tests.shop.support.schemas  # noqa: F401 - makes the shop's databases known
from benchmarks.place import Place
from benchmarks.rows import Row, compare
from devstack.servers.private import private_servers
from inventory_service.reservation import Reservation
from order_service.order import Order
from ordersaga.envelope.message import Cause, Message
from ordersaga.inbox.look import Look
from ordersaga.readside.rebuild.rebuild import Rebuild
from ordersaga.readside.rebuild.result import RebuildResult
from ordersaga.store.aggregates import record
from ordersaga.store.hash_chain import GENESIS
from ordersaga.store.lazy_transaction import LazyTransaction
from ordersaga.store.republish import EVENTS, messages
from payment_service.payment import Payment
from projections.service import projections
from tests.shop.support.trading_read_side import arrived
from tests.support.databases import Database, Databases

SERVICES = ("order_service", "payment_service", "inventory_service")
ANNOUNCEMENTS = {source.name: source.announcements for source in projections.sources}
KINDS = 200
"""Orders that differ; the others are copies of them with other ids."""
PER_ORDER = 7
"""Events of a paid order, two of which tell nobody anything."""
PROJECTED = 6_000
BATCH = 300
LOOK_EVERY = 0.05
COPIES = """
insert into stored_events (originator_id, originator_version, topic, state, correlation_id, actor, hash)
select md5('order ' || number)::uuid, version, topic, state, md5('cause ' || number)::uuid, 'bench', hash
from generate_series(1, %(orders)s) as number join kinds on kind = number %% %(kinds)s
order by number, version
"""


def paid_order(number: int) -> dict[str, BaseAggregate[UUID]]:
    """What the three services hold of it."""
    id_, lines = uuid4(), [{"sku": f"cup {number}", "quantity": 1}]
    order = Order(id_, f"customer {number}", [{**lines[0], "unit_price": 990}], 990, "EUR", "pm_card_visa")  # type: ignore[typeddict-item]
    order.confirm(f"ch_{number}")
    payment = Payment(id=id_)
    payment.capture(f"ch_{number}", 990, "EUR")
    reservation = Reservation(id=id_)
    reservation.reserve(lines, 990, "EUR", "pm_card_visa")  # type: ignore[arg-type]
    reservation.ship()
    return {"order_service": order, "payment_service": payment, "inventory_service": reservation}


def fill(stores: Mapping[str, Database], events: int) -> None:
    orders = [paid_order(number) for number in range(KINDS)]
    for service, store in stores.items():
        with psycopg.connect(store.owner_url) as connection:
            connection.execute("create temp table kinds (kind int, version int, topic text, state bytea, hash bytea)")
            with connection.cursor() as cursor, cursor.copy("copy kinds from stdin") as copy:
                for kind, order in enumerate(orders):
                    for row in record(order[service].collect_events(), GENESIS, Cause(uuid4())):
                        stored = row.stored
                        copy.write_row((kind, stored.originator_version, stored.topic, stored.state, row.hash))
            connection.execute(COPIES, {"orders": events // PER_ORDER, "kinds": KINDS})
        with psycopg.connect(store.owner_url, autocommit=True) as connection:
            connection.execute("vacuum analyze stored_events")


def run(urls: Mapping[str, str], answers: Any) -> None:
    """In a process of its own, whose memory is this alone."""
    answers.put(Rebuild(projections, urls, print, patience=0).run())


def rebuild(urls: Mapping[str, str]) -> tuple[RebuildResult, float]:
    """What came of it, and the most memory in MB that it had, its own processes included."""
    context, most = multiprocessing.get_context("spawn"), 0.0
    answers = context.Queue()
    process = context.Process(target=run, args=(urls, answers))
    process.start()
    while process.is_alive():
        most = max(most, memory(process.pid or 0))
        time.sleep(LOOK_EVERY)
    return answers.get(timeout=5), most


def memory(pid: int) -> float:
    try:
        me = psutil.Process(pid)
        return float(sum(process.memory_info().rss for process in (me, *me.children(recursive=True))) / 1e6)
    except psutil.NoSuchProcess:
        return 0.0


def adopt(urls: Mapping[str, str]) -> RebuildResult:
    """Fill an empty read side, which is a rebuild too, without listing what it lacked."""
    return Rebuild(projections, urls, lambda _: None, patience=0).run()


def projected_per_s(stores: Mapping[str, Database], read_side: Database) -> float:
    """Messages a second of the projector itself, in batches, without a broker."""
    found = list(islice(chain.from_iterable(map(partial(announced, stores), SERVICES)), PROJECTED))
    projector, began = projections.handler(), time.perf_counter()
    with psycopg.connect(read_side.url, autocommit=True) as connection:
        for first in range(0, len(found), BATCH):
            with LazyTransaction(connection) as lazy:
                projector.handle(lazy, [arrived(message) for message in found[first : first + BATCH]], Look())
    return len(found) / (time.perf_counter() - began)


def announced(stores: Mapping[str, Database], service: str) -> list[Message]:
    with psycopg.connect(stores[service].owner_url) as store:
        events = store.execute(f"{EVENTS} limit {PROJECTED // 2}".encode(), {"since": None}, binary=True)
        return [message for event in events for message in messages(ANNOUNCEMENTS[service], *event)]


def measure(place: Place) -> list[Row]:
    """At some events, and at many more."""
    if place.size.rebuild_events is None:
        return []
    small: list[float] = []
    large: list[float] = []
    with place.fresh_databases() as fresh:
        for events in place.size.rebuild_events:
            stores = {service: fresh(service) for service in SERVICES}
            read_side = fresh("projections")
            urls = {name: database.owner_url for name, database in {**stores, "projections": read_side}.items()}
            fill(stores, events)
            adopt(urls)
            result, most = rebuild(urls)
            assert not result.findings
            (small if events == place.size.rebuild_events[0] else large).append(most)
        projected = projected_per_s(stores, fresh("projections"))
    return [
        compare("rebuild_events_per_s", "events/s", [result.events / result.seconds], [projected]),
        compare("rebuild_memory_mb_ratio", "MB", large, small),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--profile", action="store_true", help="print when each step began")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rebuild-") as directory, private_servers(directory) as servers:
        databases = Databases(servers.postgres)
        stores = {service: databases(service) for service in SERVICES}
        urls = {service: store.owner_url for service, store in stores.items()}
        urls["projections"] = databases("projections").owner_url
        began = time.monotonic()
        fill(stores, options.events)
        print(f"filled in {time.monotonic() - began:.1f} s")
        for what in (adopt, timed):
            result = what(urls)
            print(f"{result.events} events in {result.seconds:.1f} s: {result.events / result.seconds:,.0f}/s")
        print(f"most memory: {rebuild(urls)[1]:.0f} MB")
    return 0


def timed(urls: Mapping[str, str]) -> RebuildResult:
    """The same, telling when each step began and ended."""
    from ordersaga.readside.rebuild.progress import RebuildProgress

    began, said = time.monotonic(), [""]

    def show(progress: RebuildProgress) -> None:
        if progress.step != "derive" or progress.done in (0, progress.total):
            print(f"{time.monotonic() - began:7.2f} s {progress.step} {progress.done}/{progress.total}")
        said[0] = progress.step

    return Rebuild(projections, urls, print, patience=0, progress=RebuildProgress(show=show)).run()


if __name__ == "__main__":
    raise SystemExit(main())
