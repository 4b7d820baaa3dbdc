"""Each fault has its effect on a running stack under load, heals, and leaves a stack on which every verdict is good."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from functools import partial
from random import Random
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import pytest
import requests
from rich.console import Console

from devstack.chaos.checker.conclude import conclude
from devstack.chaos.fault import Fault
from devstack.chaos.faults import broker, cards, clock, disk, messages, network, poison, postgres
from devstack.chaos.faults.target import find
from devstack.chaos.history import History
from devstack.chaos.load import Load
from devstack.chaos.network.rule import Rule
from devstack.chaos.stage import Stage, staged
from devstack.processes import GROUPS
from devstack.status import all_statuses
from tests.support.wait import until

SKU = "chaos-own"
SETTINGS = {"ORDER_DEADLINE_SECONDS": "60", "STRIPE_TIMEOUT_SECONDS": "2"}
ORDERS = "order_service"
AnyFault = TypeVar("AnyFault", bound=Fault)
pytestmark = pytest.mark.timeout(300)


@dataclass
class Struck:
    """The stage with a load on it."""

    stage: Stage
    history: History
    load: Load

    def fault(self, kind: type[AnyFault], **chosen: Any) -> AnyFault:
        """With these choices in place of those of chance."""
        fault = kind(self.stage, Random(1))
        if lacks := fault.cannot_run():
            pytest.skip(lacks)
        for name, value in chosen.items():
            setattr(fault, name, value)
        return fault

    @contextmanager
    def under(self, kind: type[AnyFault], **chosen: Any) -> Iterator[AnyFault]:
        """The fault lasts as long as the block; afterwards everything gets ready."""
        fault = self.fault(kind, **chosen)
        try:
            assert fault.inject()
            yield fault
        finally:
            fault.heal()
        until(lambda: self.not_ready() == [], seconds=90, every=0.5)

    def not_ready(self) -> list[str]:
        return [line.name for line in all_statuses(self.stage.scene.state, self.stage.scene.records) if not line.ready]

    def place(self) -> UUID:
        return self.stage.scene.make_shop().order("chaos-faults", [(SKU, 1)], "pm_card_visa")

    def pids(self) -> dict[str, int | None]:
        return {managed.name: managed.pid for managed in self.stage.stack.processes}

    def state_of(self, order: UUID) -> str:
        return str(self.stage.scene.make_shop().order_of("chaos-faults", order)["state"])

    def confirms(self, order: UUID) -> None:
        until(lambda: self.state_of(order) == "confirmed", seconds=50, every=0.3)

    def row(self, query: str, database: str = ORDERS) -> Any:
        url = self.stage.stack.environments.owner_urls()[database]
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as session:
            found = session.execute(query.encode()).fetchone()
        return found[0] if found else None

    def connections(self, server: str) -> int:
        """Opened through the proxy since the start."""
        assert self.stage.network
        traffic = self.stage.network.traffic()
        return sum(traffic[link].connections for link in self.stage.network.links(server=server))


@pytest.fixture(scope="module")
def struck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Struck]:
    directory = tmp_path_factory.mktemp("faults")
    with (
        staged(directory, Console(quiet=True), {**os.environ, **SETTINGS}) as stage,
        History(directory / "history.jsonl") as history,
    ):
        stage = replace(stage, history=history)
        load = Load(stage, history, rate=3, seed=1)
        load.open()
        stage.scene.make_shop().stock(SKU, SKU, 300, 1000)
        load.start()
        yield Struck(stage, history, load)
        load.stop()


BLOCKING = [network.CutConnections, network.ResetConnections, network.BlackHole, network.ForgetConnections,
            network.BreakFrames]  # fmt: skip


@pytest.mark.parametrize("server", ["postgres", "rabbitmq"])
@pytest.mark.parametrize("kind", BLOCKING, ids=lambda kind: kind.name)
def test_a_worker_that_cannot_reach_a_server_does_nothing_until_it_heals(
    struck: Struck, kind: type[network.NetworkFault], server: str
) -> None:
    links = [link for link in network.LINKS if (link.process, link.server) == ("inventory-worker", server)]
    then = "reset" if kind is network.BreakFrames else "stall"
    with struck.under(kind, links=links, rule=Rule(kind.kind, after=3, then=then)):  # type: ignore[arg-type]
        order = struck.place()
        time.sleep(3)
        assert struck.state_of(order) == "placed"
    struck.confirms(order)


def test_frames_that_stall_halfway_go_on(struck: Struck) -> None:
    links = [link for link in network.LINKS if link.process == "orders-relay"]
    with struck.under(network.SplitFrames, links=links):
        order = struck.place()
        time.sleep(1)
        assert struck.state_of(order) == "placed"
    struck.confirms(order)


def test_a_slow_network_is_slow(struck: Struck) -> None:
    links = [link for link in network.LINKS if link.process == "orders-api"]
    with struck.under(network.SlowNetwork, links=links, rule=Rule("slow", latency=0.3)):
        began = time.monotonic()
        order = struck.place()
        assert time.monotonic() - began > 0.6, "each way is late by 0.3 s"
    struck.confirms(order)


def test_a_suspended_queue_keeps_what_it_gets(struck: Struck) -> None:
    with struck.under(broker.SuspendQueue, queue="inventory_service.0"):
        stuck = [struck.place() for _ in range(6)]
        time.sleep(2)
        assert "placed" in map(struck.state_of, stuck)
    for order in stuck:
        struck.confirms(order)


@pytest.mark.parametrize("kind", [broker.MemoryAlarm, broker.DiskAlarm], ids=lambda kind: kind.name)
def test_an_alarm_blocks_every_relay(struck: Struck, kind: type[broker.Alarm]) -> None:
    with struck.under(kind):
        order = struck.place()
        until(lambda: "orders-relay" in struck.not_ready(), seconds=40, every=0.5)
        assert struck.state_of(order) == "placed"
    struck.confirms(order)


def test_closed_connections_are_opened_again(struck: Struck) -> None:
    before = struck.connections("rabbitmq")
    with struck.under(broker.CloseConnections):
        until(lambda: struck.connections("rabbitmq") >= before + 11, seconds=40)


def test_nobody_connects_beyond_the_limit_of_connections(struck: Struck) -> None:
    with struck.under(broker.LimitConnections) as fault:
        until(lambda: "inventory-worker" in struck.not_ready(), seconds=40, every=0.5)
        assert fault.connections() == 0
        order = struck.place()
    struck.confirms(order)


@pytest.mark.parametrize("database", ["", "payment_service"])
def test_ended_sessions_are_opened_again(struck: Struck, database: str) -> None:
    before = struck.connections("postgres")
    with struck.under(postgres.TerminateBackends, database=database):
        until(lambda: struck.connections("postgres") > before, seconds=40)


def test_without_connections_nobody_signs_in(struck: Struck) -> None:
    with struck.under(postgres.ExhaustConnections):
        until(lambda: all(is_refused(struck) for _ in range(20)), seconds=40)


def is_refused(struck: Struck) -> bool:
    try:
        struck.row("select 1")
    except psycopg.OperationalError as error:
        return "too many clients" in str(error)
    return False


def test_a_full_lock_table_refuses_a_lock_and_ends_no_process(struck: Struck) -> None:
    before = struck.pids()
    with struck.under(postgres.FillLockTable):
        with pytest.raises(psycopg.errors.OutOfMemory):
            struck.row("select count(pg_advisory_lock(n)) from generate_series(1, 20000) n")
        time.sleep(5)
    struck.confirms(struck.place())
    assert struck.pids() == before


TABLES = [
    *((ORDERS, table) for table in postgres.LOCKED),
    *(("projections", table) for table in postgres.LOCKED_READ_SIDE),
]


@pytest.mark.parametrize(("database", "table"), TABLES, ids=lambda name: name)
def test_a_locked_table_is_locked(struck: Struck, database: str, table: str) -> None:
    with (
        struck.under(postgres.LockTable, database=database, table=table, mode="access exclusive"),
        pytest.raises(psycopg.errors.LockNotAvailable),
    ):
        struck.row(f"set lock_timeout = '50ms'; select * from {table} limit 1", database)  # noqa: S608 - constants


def test_a_long_transaction_holds_the_horizon_and_no_saga(struck: Struck) -> None:
    with struck.under(postgres.LongTransaction):
        oldest = "select min(backend_xid::text::bigint) from pg_stat_activity where application_name = 'chaos'"
        order = struck.place()
        struck.confirms(order)
        assert struck.row(oldest) < struck.row("select pg_current_xact_id()::text::bigint")


def test_a_rewritten_outbox_has_another_file(struck: Struck) -> None:
    file = "select pg_relation_filenode('outbox')"
    before = struck.row(file)
    with struck.under(postgres.RewriteOutbox, database=ORDERS):
        assert struck.row(file) != before


def test_every_message_is_published_once_more(struck: Struck) -> None:
    with struck.under(messages.DuplicateMessages) as fault:
        order = struck.place()
        struck.confirms(order)
        until(lambda: fault.published > 300)


def test_poison_is_parked_by_each_group_and_skipped_by_an_operator(struck: Struck) -> None:
    struck.confirms(struck.place())
    with struck.under(poison.PoisonMessages) as fault:
        for group in GROUPS:
            until(partial(all_parked, fault, group), seconds=40, every=0.5)
    until(fault.is_swept, seconds=40, every=0.5)


def all_parked(fault: poison.PoisonMessages, group: str) -> bool:
    return len(fault.parked(group)) == fault.sent[group]


def test_bad_cards_end_in_one_charge_or_none(struck: Struck) -> None:
    with struck.under(cards.FailingCharges) as fault:
        assert len(fault.orders) == len(cards.CHARGES)
    until(lambda: all(map(ended(fault), fault.orders)), seconds=150, every=1)


def ended(fault: cards.BadCards) -> Callable[[UUID], bool]:
    return lambda order: fault.state_of(order) != "placed"


def test_a_disputed_refund_and_those_that_fail_are_named_and_made_again(struck: Struck) -> None:
    with struck.under(cards.FailingRefunds) as fault:
        until(lambda: len(fault.failed) >= 2, seconds=90, every=0.5)
        assert "charge_disputed" in fault.failed.values()
    until(fault.is_over, seconds=120, every=1)
    assert {fault.orders[order] for order in fault.failed} == set(cards.FAIL)


@pytest.mark.parametrize("kind", [cards.SilentProcessor, cards.LateProcessor], ids=lambda kind: kind.name)
def test_a_processor_that_is_not_heard_leaves_orders_placed(struck: Struck, kind: type[cards.ProcessorFault]) -> None:
    rule = Rule(kind.kind, up=False, latency=3)
    with struck.under(kind, rule=rule):
        order = struck.place()
        time.sleep(2)
        assert struck.state_of(order) == "placed"
    struck.confirms(order)


def test_postgres_stops_without_room_for_its_log_and_comes_back(struck: Struck) -> None:
    with struck.under(disk.WalDiskFull) as fault:
        log = struck.stage.stack.state.log("postgres")
        until(lambda: "No space left on device" in log.read_text(errors="replace"), seconds=40)
        assert fault.is_small
        until(lambda: "orders-api" in struck.not_ready(), seconds=40, every=0.5)
    struck.confirms(struck.place())


def test_without_room_for_tables_statements_fail_and_postgres_stays(struck: Struck) -> None:
    with struck.under(disk.DataDiskFull):
        with pytest.raises(psycopg.Error, match="No space left on device"):
            struck.row("create table chaos_filler as select repeat('x', 1000) from generate_series(1, 100000)")
        postmaster = find(struck.stage, "postgres")
        time.sleep(2)
        assert postmaster
        assert postmaster.is_running()
    struck.confirms(struck.place())


@pytest.mark.parametrize("seconds", [-26 * 3600, 2 * 3600])
def test_the_clock_of_one_process_steps(struck: Struck, seconds: int) -> None:
    def ahead() -> float:
        answer = requests.get(struck.stage.stack.url("inventory-api") + "/healthz", timeout=5)
        return parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()

    with struck.under(clock.StepClock, process="inventory-api", seconds=seconds) as fault:
        fault.file.write_text(f"{seconds:+d}\n")
        until(lambda: abs(ahead() - seconds) < 60)
    until(lambda: abs(ahead()) < 60)


def test_after_all_faults_every_verdict_is_good(struck: Struck) -> None:
    verdicts = conclude(struck.stage, struck.history, struck.load)
    assert [verdict for verdict in verdicts if not verdict.is_good] == []
