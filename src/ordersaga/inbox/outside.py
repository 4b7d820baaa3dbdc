"""Outside steps: calls of reactions to other systems, made before their transaction begins."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from psycopg import Connection

from ordersaga.inbox import spans
from ordersaga.inbox.delivery import NO_ANSWER, Broken, Received
from ordersaga.inbox.limits import Limits, ResourceLimits
from ordersaga.inbox.look import look
from ordersaga.inbox.operation import Operation, Step
from ordersaga.inbox.pace import Pace
from ordersaga.inbox.reactions import Reaction, Reactions
from ordersaga.runtime import failpoints
from ordersaga.runtime.errors import (
    OUR_DATABASE,
    CircuitOpen,
    NotCalled,
    RateLimited,
    ResourceUnavailable,
    Unavailable,
    classify,
)
from ordersaga.runtime.links import Link, lend
from ordersaga.runtime.sessions import WORKER, SessionLimits, open_pool
from ordersaga.store.announcements import Announcements
from ordersaga.store.transaction import Transaction

DECIDERS = 2
"""Threads beside those that may call, each with a connection: they decide while all operations hang."""
PAUSE_SECONDS = 0.5
CONNECTION_SECONDS = 5
"""Longest wait for a connection to the database, before the next attempt."""
MAX_LIMITED = 5
"""Answers that a resource is called too often, after which a message is parked."""


class OutsideSteps:
    """Runs outside steps in threads. Their connections are only for reading: each statement is a transaction.

    A thread decides whether a message needs its step, and if the operation has a place for it, makes the call. A step
    that finds no place waits in the line of its operation, without a thread and without a connection, so what needs no
    answer, or another operation, goes on while an operation hangs.
    """

    def __init__(
        self,
        reactions: Reactions,
        announcements: Announcements,
        resources: Any,
        url: str,
        stopping: threading.Event,
        limits: SessionLimits = WORKER,
        resource_limits: Limits | None = None,
    ) -> None:
        self.reactions = {name: reaction for name, reaction in reactions.by_contract.items() if reaction.outside}
        self.operations = operations_of(self.reactions.values(), resource_limits or {})
        self.announcements = announcements
        self.resources = resources
        self.stopping = stopping
        self.places = sum(operation.at_once for operation in self.operations.values())
        """Calls that may be under way at once."""
        self.threads = ThreadPoolExecutor(self.places + DECIDERS, "outside")
        self.sessions = Link("the database, for outside steps,")
        self.sessions.problem = ""
        self._struggling = 0
        """Threads that try to get an answer from the database again."""
        self._lock = threading.Lock()
        self._in_turn = deque(self.operations.values())
        self._timer: threading.Timer | None = None
        self.pool = open_pool(
            url,
            "outside steps",
            limits,
            self.places + DECIDERS,
            min_size=1,
            timeout=CONNECTION_SECONDS,
            # As for an API: after this time the pool stops, and the next attempt reconnects at once.
            reconnect_timeout=1,
            open=False,
        )

    def __enter__(self) -> "OutsideSteps":
        if self.reactions:
            self.pool.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.threads.shutdown(cancel_futures=True)
        if self._timer:
            self._timer.cancel()
        self.pool.close()

    def needed(self, message: Received | Broken) -> bool:
        """Whether the reaction to this message has an outside step."""
        return isinstance(message, Received) and message.contract in self.reactions and not message.delivery.is_suspect

    @property
    def problems(self) -> list[str]:
        """What does not answer, each a sentence: operations, and the database if steps wait for a session."""
        own = [self.sessions.problem] if self._struggling and self.sessions.problem else []
        return [operation.problem for operation in self.operations.values() if operation.problem] + own

    @property
    def unready_operations(self) -> list[str]:
        """Operations that parked messages are not to be tried for now."""
        return [name for name, operation in self.operations.items() if not operation.is_ready]

    def start(self, message: Received, fresh: bool) -> Step:
        """Run the step in a thread, if the message needs it; the result is its answer, None without one."""
        spans.begin([message])
        step = Step(message, fresh)
        self.submit(step)
        return step

    def reconsider(self, step: Step) -> None:
        """Decide again about a step that waits in line: another message of its key has come behind it."""
        with self._lock:
            is_in_line = step.operation is not None and step.operation.drop(step)
        if is_in_line:
            self.submit(step)

    def submit(self, step: Step) -> None:
        try:
            self.threads.submit(self.take_turn, step)
        except RuntimeError:  # the process ends
            step.cancel()

    def take_turn(self, step: Step) -> None:
        """Decide about the step, and call if it has a place; else it waits in line and holds no thread."""
        waits = False
        try:
            if not step.cancelled():
                waits = self.until_database_answers(partial(self.decide, step))
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            step.settle(error=error)
        finally:
            self.end_turn(step, waits)

    def end_turn(self, step: Step, waits: bool) -> None:
        """Give back its place, unless it waits and belongs to its line by now; let the next ones go on."""
        if not waits:
            with self._lock:
                self.leave(step)
        self.go_on()

    def leave(self, step: Step) -> None:
        if step.operation is not None:
            step.operation.leave(step)

    def go_on(self) -> None:
        """Submit the steps whose turn it is, one of each operation after another, and come back when the pace allows
        the next one."""
        steps = []
        with self._lock:
            while found := [(each, step) for each in list(self._in_turn) if (step := each.next_step())]:
                steps += [step for _, step in found]
                # Who had a turn comes last in the next: operations of one resource share its pace.
                self._in_turn = deque(sorted(self._in_turn, key={each for each, _ in found}.__contains__))
            pauses = [operation.seconds_until_next for operation in self._in_turn]
            if soonest := min(filter(None, pauses), default=0.0):
                self._come_back_in(soonest)
        for step in steps:
            self.submit(step)

    def _come_back_in(self, seconds: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = threading.Timer(seconds, self.go_on)
        self._timer.daemon = True
        self._timer.start()

    def decide(self, step: Step, connection: Connection[Any]) -> bool:
        """Settle the step, with a call if it is needed. Returns True if it waits in line instead.

        Where it cannot call at once, what waits in hand behind the message counts too, and it is decided again.

        Raises:
            NotCalled: the operation must not be called now.
        """
        while True:
            seen = len(step.message.behind) if step.is_held_up else 0
            found = self.transaction_or_answer(step, seen, connection)
            if not isinstance(found, Transaction):
                step.settle(found)
                return False
            operation = self.operation_for(step.message, found)
            with self._lock:
                if self.may_call(step, operation):
                    break
                if len(step.message.behind) == seen:
                    self.hold_up(step, operation)
                    return True
            step.is_held_up = True
        return self.call(step, operation, found)

    def may_call(self, step: Step, operation: Operation) -> bool:
        """Whether it has a place of this operation now, whose circuit is not open."""
        if step.operation is not operation:
            self.leave(step)
            step.operation = operation
        step.message.operation = operation.name
        return not operation.circuit.refuses and operation.admit(step)

    def hold_up(self, step: Step, operation: Operation) -> None:
        """Put the step in line. Raises NotCalled when it is not to wait in hand."""
        if operation.circuit.refuses:
            operation.count("refused")
            raise CircuitOpen(operation.circuit.problem)
        if not step.fresh:
            raise NotCalled(f"{operation.name} has no place for another call now")
        step.is_held_up = True
        operation.wait(step)

    def call(self, step: Step, operation: Operation, transaction: Transaction) -> bool:
        """Settle the step with the answer of the resource. Returns True if it waits in line to be called again."""
        message = step.message
        outside = self.reactions[message.contract].outside
        assert outside is not None
        if not step.begin_call():
            return False
        try:
            with operation.call(), spans.outside(message, operation.name):
                message.called = True
                try:
                    failpoints.reach("outside.before-call")
                    answer = outside(message.data, transaction, self.resources)
                    failpoints.reach("outside.after-call")
                except Unavailable as error:
                    raise ResourceUnavailable(str(error)) from error
        except RateLimited:
            step.limited += 1
            if not step.fresh or step.limited > MAX_LIMITED:
                raise
            step.is_held_up = True
            with self._lock:
                self.leave(step)
                operation.wait(step)
            return True
        finally:
            step.end_call()
        step.settle(answer)
        return False

    def operation_for(self, message: Received, transaction: Transaction) -> Operation:
        reaction = self.reactions[message.contract]
        return self.operations[f"{reaction.resource}/{reaction.operation_of(message.data, transaction)}"]

    def transaction_or_answer(self, step: Step, seen: int, connection: Connection[Any]) -> Transaction | object | None:
        """The transaction for the step of a message that needs it, read in one statement; else what takes the place of
        its answer: None, or NO_ANSWER if it took effect before or waits, fresh, behind a parked message of its key.

        The first `seen` of the messages behind it count as parked.
        """
        message, reaction = step.message, self.reactions[step.message.contract]
        found = look(connection, [message], reaction.loads(message.data))
        if message.id in found.known or (step.fresh and message.key in found.parked):
            return NO_ANSWER
        transaction = Transaction(connection, self.announcements, message.message.caused_by_this())
        transaction.have(found.ids, found.histories)
        transaction.follow(message.message)
        transaction.is_key_free = step.fresh
        transaction.may_have_called = message.may_have_called
        transaction.followers = frozenset(message.behind[:seen])
        return transaction if reaction.needs_outside(message.data, transaction) else None

    def until_database_answers(self, work: Callable[[Connection[Any]], bool]) -> bool:
        struggles = 0
        try:
            while True:
                try:
                    with lend(self.pool) as connection:
                        done = work(connection)
                    self.sessions.up()
                    return done
                except Exception as error:
                    if classify(error) not in OUR_DATABASE:
                        raise
                    self.sessions.down(error)
                    self._count_struggling(1 - struggles)
                    struggles = 1
                    if self.stopping.wait(PAUSE_SECONDS):
                        raise Unavailable("stopped while the database was away") from error
        finally:
            self._count_struggling(-struggles)

    def _count_struggling(self, more: int) -> None:
        with self._lock:
            self._struggling += more


def operations_of(reactions: Iterable[Reaction], limits: Limits) -> dict[str, Operation]:
    """All operations that these reactions may call, by `resource/operation`; of several numbers the smallest counts."""
    places: dict[tuple[str, str], int] = {}
    for reaction in reactions:
        for name, number in reaction.at_once.items():
            place = reaction.resource, name
            places[place] = min(number, places.get(place, number))
    nothing = ResourceLimits()
    paces = {resource: Pace(limits.get(resource, nothing).calls_per_second) for resource, _ in places}
    return {
        f"{resource}/{name}": Operation(
            resource, name, limits.get(resource, nothing).at_once.get(name, number), paces[resource]
        )
        for (resource, name), number in sorted(places.items())
    }
