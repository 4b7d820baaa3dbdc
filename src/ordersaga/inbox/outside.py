"""Outside steps: calls of reactions to other systems, made before their transaction begins."""

import math
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NoReturn

from psycopg import Connection

from ordersaga.inbox.circuit import Circuit
from ordersaga.inbox.delivery import NO_ANSWER, Broken, Received
from ordersaga.inbox.look import look
from ordersaga.inbox.reactions import Reactions
from ordersaga.runtime.errors import OUR_DATABASE, CircuitOpen, ResourceUnavailable, Unavailable, classify
from ordersaga.runtime.links import lend
from ordersaga.runtime.sessions import WORKER, SessionLimits, open_pool
from ordersaga.store.announcements import Announcements
from ordersaga.store.transaction import Transaction

THREADS = 16
"""Outside steps that run at once in one process, each with a read connection."""
DECIDERS = 2
"""Threads that decide whether a message needs its outside step while all others are busy, each with a connection."""
CALL = object()
PAUSE_SECONDS = 0.5
CONNECTION_SECONDS = 5
"""Longest wait for a connection to the database, before the next attempt."""


class OutsideSteps:
    """Runs outside steps in threads. Their connections are only for reading: each statement is a transaction.

    One thread decides whether a message needs its step, and makes the call. While all of them are busy, other threads
    decide first, so what needs no answer goes on while all calls wait for a resource that does not answer.
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
        self._lock = threading.Lock()
        self._calls = 0
        """Messages that `threads` have and are not done with."""
        self.pool = open_pool(
            url,
            "outside steps",
            limits,
            THREADS + DECIDERS,
            min_size=1,
            timeout=CONNECTION_SECONDS,
            # As for an API: after this time the pool stops, and the next attempt reconnects at once.
            reconnect_timeout=1,
            open=False,
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

        A fresh message, unlike a parked one, gets no step while its key is parked. Until a thread has its turn with the
        message, the result can be cancelled.
        """
        future: Future[Any] = Future()
        if not self.call(message, fresh, future, THREADS):
            self.deciders.submit(self.decide, message, fresh, future)
        return future

    def call(self, message: Received, fresh: bool, future: "Future[Any]", most: float = math.inf) -> bool:
        """Have a thread decide and call. Returns False, and does not, when `threads` have so many messages already."""
        with self._lock:
            if self._calls >= most:
                return False
            self._calls += 1
        self.threads.submit(self.answer, message, fresh, future)
        return True

    def answer(self, message: Received, fresh: bool, future: "Future[Any]") -> None:
        """Settle `future`, with a call if it is needed and the resource answers."""
        work = partial(self.answer_with_call, message, fresh)
        try:
            settle(future, partial(self.until_database_answers, work))
        finally:
            with self._lock:
                self._calls -= 1

    def decide(self, message: Received, fresh: bool, future: "Future[Any]") -> None:
        """Settle `future` without a call, or hand the message to a thread that calls the resource."""
        try:
            answer = self.until_database_answers(partial(self.answer_without_call, message, fresh))
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            settle(future, partial(reraise, error))
        else:
            if answer is CALL:
                self.call(message, fresh, future)
            else:
                settle(future, lambda: answer)

    def answer_without_call(self, message: Received, fresh: bool, connection: Connection[Any]) -> Any:
        """CALL when the resource has to be called. Raises CircuitOpen when it must not be."""
        if not isinstance(found := self.transaction_or_answer(message, fresh, connection), Transaction):
            return found
        if (circuit := self.circuits[self.steps[message.contract].resource]).refuses:
            raise CircuitOpen(circuit.problem)
        return CALL

    def answer_with_call(self, message: Received, fresh: bool, connection: Connection[Any]) -> Any:
        """The answer of the resource, if it is needed. Raises CircuitOpen when it must not be called."""
        if not isinstance(found := self.transaction_or_answer(message, fresh, connection), Transaction):
            return found
        step = self.steps[message.contract]
        assert step.outside is not None
        with self.circuits[step.resource].call():
            try:
                return step.outside(message.data, found, self.resources)
            except Unavailable as error:
                raise ResourceUnavailable(str(error)) from error

    def transaction_or_answer(
        self, message: Received, fresh: bool, connection: Connection[Any]
    ) -> Transaction | object | None:
        """The transaction for the step of a message that needs it, read in one statement; else what takes the place of
        its answer: None, or NO_ANSWER if it took effect before or waits, fresh, behind a parked message of its key."""
        step = self.steps[message.contract]
        found = look(connection, [message], step.loads(message.data))
        if message.id in found.known or (fresh and message.key in found.parked):
            return NO_ANSWER
        transaction = Transaction(connection, self.announcements, message.message.caused_by_this())
        transaction.have(found.ids, found.histories)
        transaction.follow(message.message)
        transaction.is_key_free = fresh
        return transaction if step.needs_outside(message.data, transaction) else None

    def until_database_answers(self, work: Callable[[Connection[Any]], Any]) -> Any:
        while True:
            try:
                with lend(self.pool) as connection:
                    return work(connection)
            except Exception as error:
                if classify(error) not in OUR_DATABASE:
                    raise
                if self.stopping.wait(PAUSE_SECONDS):
                    raise Unavailable("stopped while the database was away") from error


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
