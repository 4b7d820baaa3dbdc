"""Hypothesis plays with the whole stack: customers, crashes, frozen processes, copies, faults, and people who retry."""

import os
import signal
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

import pika
import psycopg
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from devstack.demo.shop import Shop
from devstack.environment import Environments
from devstack.external_servers import ExternalServers
from devstack.records import Records
from devstack.status import ProcessStatus, status_of
from ordersaga.broker.topology import EVENTS
from ordersaga.envelope.message import to_properties
from ordersaga.parked import operations
from ordersaga.parked.operator import Operator, UnknownMessage
from ordersaga.reconcile.findings import ReconcileFinding
from ordersaga.reconcile.reconcile import Reconciliation
from shop import services
from tests.shop.support.whole_stack import WholeStack
from tests.support.party import message_of
from tests.support.wait import until

Choice = TypeVar("Choice")
SKUS = ("tea", "cup")
CARDS = ("pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined", "pm_sim_timeout_after_charge", "pm_sim_charged_500")
MORTAL = tuple(
    f"{service}-{kind}" for service in ("orders", "payments", "inventory") for kind in ("api", "worker", "relay")
) + ("projections-worker",)
FREEZABLE = tuple(name for name in MORTAL if not name.endswith("api"))
SERVICES = ("order_service", "payment_service", "inventory_service")
FAULTY = ("payment_service", "inventory_service")
"""Where an order's own aggregate may be made unwritable; nobody writes there but reactions."""

FAULTS = """
create table if not exists faults (aggregate_id uuid primary key);
grant select on faults to public;
create or replace function fail_on_purpose() returns trigger language plpgsql as $$
begin
    if exists (select from faults where aggregate_id = new.originator_id) then
        raise exception 'this aggregate fails on purpose';
    end if;
    return new;
end $$;
create or replace trigger faults before insert on stored_events for each row execute function fail_on_purpose();
"""
SAID = """
select correlation_id, causation_id, actor, traceparent, tracestate,
    message_id, contract, source, key, sequence, time, event_hash, body
from outbox order by position desc offset %s limit 1
"""

numbers = st.integers(0, 9)
lines = st.lists(
    st.tuples(st.sampled_from(SKUS), st.integers(1, 3)), min_size=1, max_size=2, unique_by=lambda line: line[0]
)


def pick(choices: Sequence[Choice], number: int) -> Choice:
    return choices[number % len(choices)]


class StackMachine(RuleBasedStateMachine):
    """Everything runs as a user runs it; a rule is something that happens to it. `stack` is set by the test."""

    stack: WholeStack

    def __init__(self) -> None:
        super().__init__()
        self.shop: Shop = self.stack.shop()
        self.orders: list[UUID] = []
        self.frozen: dict[str, int] = {}

    @initialize(pieces=st.integers(0, 5))
    def stock_the_shelves(self, pieces: int) -> None:
        for sku in SKUS:
            self.shop.stock(sku, sku.title(), 350, 1 + pieces)
        for service in FAULTY:
            self.by_hand(service, FAULTS)

    @rule(wanted=lines, card=st.sampled_from(CARDS))
    def place(self, wanted: list[tuple[str, int]], card: str) -> None:
        self.orders.append(self.shop.order("alice", wanted, card))

    @precondition(lambda self: self.orders)
    @rule(number=numbers)
    def cancel(self, number: int) -> None:
        self.shop.cancel("alice", pick(self.orders, number))

    @precondition(lambda self: self.orders)
    @rule(number=numbers)
    def let_the_deadline_pass(self, number: int) -> None:
        statement = "update deadlines set due_at = now() where aggregate_id = %s"
        self.by_hand("order_service", statement, pick(self.orders, number))

    @precondition(lambda self: self.orders)
    @rule(number=numbers)
    def wait_for_an_end(self, number: int) -> None:
        """Whatever needs no frozen process and no faulty order goes on."""
        if not self.frozen and not self.faults():
            order = pick(self.orders, number)
            until(lambda: self.shop.order_of("alice", order)["state"] != "placed", seconds=60)

    @rule(process=st.sampled_from(MORTAL), how=st.sampled_from([signal.SIGKILL, signal.SIGTERM]))
    def end(self, process: str, how: signal.Signals) -> None:
        """Killed, or told to stop; the supervisor starts it again. Customers come when the door is open again."""
        self.frozen.pop(process, None)
        ended = self.pid(process)
        os.kill(ended, how)
        os.kill(ended, signal.SIGCONT)
        if process.endswith("api"):
            until(lambda: self.line(process).pid != ended and self.line(process).ready, seconds=60, every=0.1)

    @rule(process=st.sampled_from(FREEZABLE))
    def freeze(self, process: str) -> None:
        """What others send it stays where it is, and they go on: keys overtake one another."""
        if process not in self.frozen:
            self.frozen[process] = self.pid(process)
            os.kill(self.frozen[process], signal.SIGSTOP)

    @precondition(lambda self: self.frozen)
    @rule(number=numbers)
    def thaw(self, number: int) -> None:
        os.kill(self.frozen.pop(pick(list(self.frozen), number)), signal.SIGCONT)

    @rule(service=st.sampled_from(SERVICES), back=st.integers(0, 20))
    def deliver_again(self, service: str, back: int) -> None:
        """A copy of something that was announced, published past the relay."""
        rows = self.stack.rows(service, SAID, back)
        if rows:
            message = message_of(*rows[0])
            with self.channel() as channel:
                channel.basic_publish(EVENTS, message.routing_key, message.body.encode(), to_properties(message))

    @precondition(lambda self: self.orders)
    @rule(service=st.sampled_from(FAULTY), number=numbers)
    def let_reactions_fail(self, service: str, number: int) -> None:
        """From now on what this order makes the service do is parked."""
        statement = "insert into faults values (%s) on conflict do nothing"
        self.by_hand(service, statement, pick(self.orders, number))

    @rule(service=st.sampled_from(FAULTY), heal=st.booleans())
    def retry_what_is_parked(self, service: str, heal: bool) -> None:
        if heal:
            self.by_hand(service, "delete from faults")
        for (message_id,) in self.stack.rows(service, "select message_id from parked_messages"):
            with psycopg.connect(self.stack.urls[service]) as connection:
                self.retry(connection, message_id)

    def retry(self, connection: psycopg.Connection[Any], message_id: UUID) -> None:
        try:
            operations.retry(connection, message_id, Operator("hypothesis", "it may work now"))
        except UnknownMessage:
            """It has healed meanwhile."""

    def teardown(self) -> None:
        while self.frozen:
            self.thaw(0)
        for service in FAULTY:
            self.retry_what_is_parked(service, heal=True)
        until(lambda: not self.stack.violations(), seconds=90, every=0.5)
        until(lambda: not self.findings(), seconds=60, every=0.5)

    def findings(self) -> list[ReconcileFinding]:
        found: list[ReconcileFinding] = []
        Reconciliation(services, self.stack.urls, found.append, patience=5).run()
        return found

    def faults(self) -> bool:
        return any(self.stack.rows(service, "select from faults limit 1") for service in FAULTY)

    def pid(self, process: str) -> int:
        """Of the process that runs now; one that was killed often is started again after 30 s only."""
        pid = until(lambda: self.line(process).pid, seconds=60)
        assert pid is not None
        return pid

    def line(self, process: str) -> ProcessStatus:
        return status_of(self.stack.state, Records(self.stack.state), process)

    def by_hand(self, database: str, statement: str, *parameters: object) -> None:
        with psycopg.connect(self.stack.urls[database], autocommit=True) as connection:
            connection.execute(statement, parameters or None)

    @contextmanager
    def channel(self) -> Any:
        url = Environments(self.stack.state, ExternalServers()).amqp_url("provisioner")
        connection = pika.BlockingConnection(pika.URLParameters(url))
        try:
            yield connection.channel()
        finally:
            connection.close()


def play(stack: WholeStack, examples: int, steps: int) -> None:
    """Play so many games of at most so many moves, each until all is quiet and right."""

    class OnThisStack(StackMachine):
        pass

    OnThisStack.stack = stack
    few = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        # Processes race as they like: a shorter sequence would show nothing of the longer one.
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(OnThisStack, settings=few)
