"""Outside steps: calls of reactions to other systems, made before their transaction begins."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NoReturn

from psycopg import Connection

from ordersaga.inbox.circuit import Circuit
from ordersaga.inbox.delivery import NO_ANSWER, Broken, Received
from ordersaga.inbox.reactions import Reactions
from ordersaga.runtime.errors import OUR_DATABASE, CircuitOpen, ResourceUnavailable, Unavailable, classify
from ordersaga.runtime.links import refuse_disturbed
from ordersaga.runtime.sessions import WORKER, SessionLimits, open_pool
from ordersaga.store.announcements import Announcements
from ordersaga.store.transaction import Transaction

THREADS = 16
"""Outside steps that run at once in one process, each with a read connection."""
DECIDERS = 2
"""Threads that decide whether a message needs its outside step, each with a read connection."""
CALL = object()
PAUSE_SECONDS = 0.5


NEEDS_NO_STEP = """
select exists (select from inbox where message_id = %s) or (%s and exists (select from parked_messages where key = %s))
"""


def needs_no_step(connection: Connection[Any], message: Received, fresh: bool) -> bool:
    """Whether the message took effect before or, if it is fresh, waits behind a parked message of its key."""
    row = connection.execute(NEEDS_NO_STEP, (message.id, fresh, message.key)).fetchone()
    return bool(row and row[0])


class OutsideSteps:
    """Runs outside steps in threads. Their connections are only for reading: each statement is a transaction.

    Whether a message needs its step is decided by other threads than those that call a resource, so what needs no
    answer goes on while all calls wait for a resource that does not answer.
    """

    def __init__(
        self,
        reactions: Reactions,
        announcements: Announcements,
        resources: Any,
        url: str,
        stopping: threading.Event,
        limits: SessionLimits = WORKER,
    ) -> None:
        self.steps = {name: reaction for name, reaction in reactions.by_contract.items() if reaction.outside}
        self.circuits = {name: Circuit(name) for name in sorted({step.resource for step in self.steps.values()})}
        self.announcements = announcements
        self.resources = resources
        self.stopping = stopping
        self.deciders = ThreadPoolExecutor(DECIDERS, "decide")
        self.threads = ThreadPoolExecutor(THREADS, "outside")
        self.pool = open_pool(
            url, "outside steps", limits, THREADS + DECIDERS, min_size=1, open=False, check=refuse_disturbed
        )

    def __enter__(self) -> "OutsideSteps":
        if self.steps:
            self.pool.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.deciders.shutdown(cancel_futures=True)
        self.threads.shutdown(cancel_futures=True)
        self.pool.close()

    def needed(self, message: Received | Broken) -> bool:
        """Whether the reaction to this message has an outside step."""
        return isinstance(message, Received) and message.contract in self.steps and not message.delivery.is_suspect

    @property
    def problems(self) -> list[str]:
        """The resources that do not answer, each a sentence."""
        return [circuit.problem for circuit in self.circuits.values() if circuit.problem]

    @property
    def held_contracts(self) -> list[str]:
        """Contracts whose resource is not to be called now."""
        return [name for name, step in self.steps.items() if self.circuits[step.resource].refuses]

    def start(self, message: Received, fresh: bool) -> "Future[Any]":
        """Run the step in a thread, if the message needs it; the result is its answer, None without one.

        A fresh message, unlike a parked one, gets no step while its key is parked. Until a thread calls the resource,
        the result can be cancelled.
        """
        future: Future[Any] = Future()
        self.deciders.submit(self.decide, message, fresh, future)
        return future

    def decide(self, message: Received, fresh: bool, future: "Future[Any]") -> None:
        """Hand the message to a thread that calls the resource, or settle `future` without a call."""
        try:
            answer = self.until_database_answers(partial(self.answer_without_call, message, fresh))
            if answer is CALL:
                self.threads.submit(settle, future, partial(self.call, message, fresh))
                return
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            settle(future, partial(reraise, error))
        else:
            settle(future, lambda: answer)

    def answer_without_call(self, message: Received, fresh: bool, connection: Connection[Any]) -> Any:
        """CALL when the resource has to be called. Raises CircuitOpen when it must not be."""
        if needs_no_step(connection, message, fresh):
            return NO_ANSWER
        step = self.steps[message.contract]
        if not step.needs_outside(message.data, self.transaction(connection, message)):
            return None
        if (circuit := self.circuits[step.resource]).refuses:
            raise CircuitOpen(circuit.problem)
        return CALL

    def call(self, message: Received, fresh: bool) -> Any:
        """Call the resource. Raises CircuitOpen instead while the resource does not answer."""
        circuit = self.circuits[self.steps[message.contract].resource]
        return self.until_database_answers(partial(self.run, message, fresh, circuit))

    def until_database_answers(self, work: Callable[[Connection[Any]], Any]) -> Any:
        while True:
            try:
                with self.pool.connection() as connection:
                    return work(connection)
            except Exception as error:
                if classify(error) not in OUR_DATABASE:
                    raise
                if self.stopping.wait(PAUSE_SECONDS):
                    raise Unavailable("stopped while the database was away") from error

    def run(self, message: Received, fresh: bool, circuit: Circuit, connection: Connection[Any]) -> Any:
        if needs_no_step(connection, message, fresh):
            return NO_ANSWER
        outside = self.steps[message.contract].outside
        assert outside is not None
        with circuit.call():
            try:
                transaction = self.transaction(connection, message)
                transaction.is_key_parked = not fresh  # needs_no_step has looked
                return outside(message.data, transaction, self.resources)
            except Unavailable as error:
                raise ResourceUnavailable(str(error)) from error

    def transaction(self, connection: Connection[Any], message: Received) -> Transaction:
        transaction = Transaction(connection, self.announcements, message.message.caused_by_this())
        transaction.follow(message.message)
        return transaction


def settle(future: "Future[Any]", work: Callable[[], Any]) -> None:
    """Do the work, unless the future was cancelled, and give it the result."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - the caller gets it
        future.set_exception(error)


def reraise(error: BaseException) -> NoReturn:
    raise error
