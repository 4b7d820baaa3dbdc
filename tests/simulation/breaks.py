"""What can be broken on purpose in the product, to show that the simulation sees it."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from ordersaga.consumer import key_queues, receiver
from ordersaga.consumer.consumer import Consumer
from ordersaga.consumer.source import Source
from ordersaga.inbox import reactor
from ordersaga.parked import table
from ordersaga.relay import catch_up, confirms, detached, dispatch, in_flight, undeliverable, window
from ordersaga.relay.window import Cursor
from tests.simulation import consumer_statements, relay_statements
from tests.simulation.postgres import snapshot_of
from tests.simulation.search import CONSUMERS, RELAYS, Kind


class Break(NamedTuple):
    break_it: Callable[[pytest.MonkeyPatch], None]
    kind: Kind
    first: int
    """A seed soon after which a schedule finds it, for the short test."""


BREAKS: dict[str, Break] = {}


def broken(what: str, first: int, kind: Kind = RELAYS) -> Callable[[Callable[[pytest.MonkeyPatch], None]], None]:
    def note(break_it: Callable[[pytest.MonkeyPatch], None]) -> None:
        BREAKS[what] = Break(break_it, kind, first)

    return note


@broken("the cursor moves before the confirm", first=0)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = in_flight.InFlight.mark_sent

    def settle_too(self: in_flight.InFlight, rows: Any) -> None:
        sent(self, rows)
        self.mark_settled(rows)

    monkeypatch.setattr(in_flight.InFlight, "mark_sent", settle_too)
    monkeypatch.setattr(in_flight.InFlight, "finish", lambda *_: False)


@broken("a window is what lies behind the last position", first=0)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    look = relay_statements.look

    def behind_the_last(backend: Any, parameters: Any) -> Any:
        found, since = look(backend, parameters), snapshot_of(parameters["since"])
        seen = [row.position for row in backend.rows("outbox") if since.sees(row.xid)]
        positions = [position for position in next(row[1] for row in found) or [] if position > max(seen, default=0)]
        rows = [row for row in found if row[2] in positions]
        return [(row[0], None if number else positions, *row[2:]) for number, row in enumerate(rows)] or [
            (found[0][0], [], *relay_statements.NO_COLUMNS)
        ]

    monkeypatch.setitem(relay_statements.STATEMENTS, window.LOOK, behind_the_last)
    monkeypatch.setattr(relay_statements, "look", behind_the_last)


@broken("the next message of a key does not wait for the confirm of the one before", first=150)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_are_due(self: in_flight.InFlight, rows: Any) -> Any:
        self._keys.update(dict.fromkeys(row.message.key for row in rows))
        return list(rows)

    monkeypatch.setattr(in_flight.InFlight, "admit", all_are_due)
    monkeypatch.setattr(in_flight.InFlight, "next_of", lambda self, key: self._keys.pop(key, None))
    monkeypatch.setattr(in_flight.InFlight, "pop_waiters", lambda self, key: self._keys.pop(key, None) or [])


@broken("what the broker refused counts as confirmed", first=0)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirms.Confirms, "nacked", confirms.Confirms.acked)


@broken("what the broker returned counts as confirmed", first=40)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirms.Confirms, "returned", lambda *_: None)


@broken("a confirm of one message counts for all before it", first=0)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    acked = confirms.Confirms.acked
    monkeypatch.setattr(confirms.Confirms, "acked", lambda self, tag, _: acked(self, tag, True))


@broken("what waits for a refused message is sent all the same", first=40)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = dispatch.Dispatch._refuse

    def let_pass(self: dispatch.Dispatch, refused: Sequence[undeliverable.RefusedRow]) -> list[window.Outgoing]:
        due = refuse(self, [each for each in refused if self.in_flight.is_retry(each.row)])
        new = [each for each in refused if not self.in_flight.is_retry(each.row)]
        self._record(new)
        return due + [after for each in new if (after := self.in_flight.next_of(each.row.message.key))]

    monkeypatch.setattr(dispatch.Dispatch, "_refuse", let_pass)


@broken("the position in a window is kept without its end", first=690)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    open_window = window.open_window

    def up_to_now(connection: Any, cursor: Cursor, limits: Any, save: Cursor | None = None) -> Any:
        return open_window(connection, Cursor(cursor.published, None, cursor.confirmed_position), limits, save)

    monkeypatch.setattr(window, "open_window", up_to_now)


@broken("a queue that is attached has not caught up", first=0)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up.CatchUp, "reaches", lambda *_: True)


@broken("a detached queue is caught up from where the cursor is when it answers", first=0)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    def newest(backend: Any, parameters: Any) -> Any:
        return relay_statements.load_cursor(backend, None) and [(str(backend.postgres.snapshot()), None, None)]

    monkeypatch.setitem(relay_statements.STATEMENTS, detached.CURSOR, newest)


@broken("a message is acknowledged before its effect is committed", first=0, kind=CONSUMERS)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    receive = Consumer.receive

    def acknowledge_first(self: Consumer, intake: Any, messages: Any) -> None:
        held = list(messages)
        for channel in {source.channel for source in intake._sources.values()}:
            channel.acknowledgements.extend((tag, False) for tag in channel.unacknowledged)
        receive(self, intake, held)

    monkeypatch.setattr(Consumer, "receive", acknowledge_first)


@broken("nobody looks into the inbox", first=0, kind=CONSUMERS)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_inbox(backend: Any, parameters: Any) -> Any:
        for id_, key, event_hash in parameters[0]:
            backend.insert("inbox", (id_, key, event_hash))
            backend.insert("effects", (id_, key))
        return []

    monkeypatch.setitem(consumer_statements.CONSUMER_STATEMENTS, consumer_statements.EFFECT, without_inbox)
    monkeypatch.setitem(consumer_statements.CONSUMER_STATEMENTS, reactor.KNOWN, lambda *_: [])


@broken("messages of a parked key do not wait", first=0, kind=CONSUMERS)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(consumer_statements.CONSUMER_STATEMENTS, table.AMONG, lambda *_: [])
    effect = consumer_statements.effect
    monkeypatch.setitem(
        consumer_statements.CONSUMER_STATEMENTS,
        consumer_statements.EFFECT,
        lambda backend, parameters: effect(backend, (parameters[0], True)),
    )


@broken("what waits behind a parked message is tried by itself", first=0, kind=CONSUMERS)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = receiver.entry

    def due_at_once(message: Any, state: str, *details: Any) -> Any:
        wanted = entry(message, state, *details)
        return wanted._replace(state="retrying", pause=timedelta(0)) if state == "waiting" else wanted

    monkeypatch.setattr(receiver, "entry", due_at_once)


@broken("later messages of a key do not wait for an outside step", first=0, kind=CONSUMERS)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    add = key_queues.KeyQueues.add

    def pass_by(self: key_queues.KeyQueues, messages: Any) -> Any:
        for message in messages:
            if self.outside.needed(message) and message.key not in self._queues:
                yield from add(self, [message])
            else:
                yield message

    monkeypatch.setattr(key_queues.KeyQueues, "add", pass_by)


@broken("a queue is released while messages of it are in hand", first=130, kind=CONSUMERS)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "is_drained", True)
