"""Fault: poison of every kind, straight into the queues; an operator skips what the groups have parked."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any
from uuid import UUID, uuid4

import psycopg
from pika import BasicProperties

from devstack.breaking.channel import broker_channel
from devstack.chaos.fault import Fault
from devstack.chaos.faults.messages import ANNOUNCED, AWAY, EVERY_SECONDS
from devstack.chaos.operators import RecordedOperator
from devstack.chaos.stage import Stage
from devstack.processes import GROUPS, SERVICES
from ordersaga.envelope.limits import MAX_BODY
from ordersaga.envelope.message import Message, from_row, to_headers

SKIP_SECONDS = 300
ACTOR, REASON = "chaos", "The fault `poison-messages` has injected it."
MARK = "chaos"
"""A header of poisoned messages, or the beginning of their body."""
MARKED = """
select message_id from parked_messages
where headers ->> %(header)s = %(mark)s or position(convert_to(%(mark)s, 'UTF8') in body) > 0
"""


class PoisonMessages(Fault):
    """Each kind goes to one queue of each group. A sweeper skips, as an operator, what the groups have parked."""

    name = "poison-messages"
    does = "Messages that nobody can handle are put straight into the queues: garbage, forged, oversized, unknown."
    shortest, longest = 1, 5
    alone = True
    """Both servers must take what it sends and asks."""

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.queues = [f"{group}.{chance.choice((0, 1))}" for group in GROUPS]
        self.mark = f"{MARK}-{chance.getrandbits(64):016x}"
        self.sent: dict[str, int] = dict.fromkeys(GROUPS, 0)
        self.found: dict[str, set[UUID]] = {group: set() for group in GROUPS}
        """What was parked of them, by group."""
        self.skipped: dict[str, set[UUID]] = {group: set() for group in GROUPS}
        self._operator: RecordedOperator | None = None
        self._healed = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep, name=self.name, daemon=True)

    def inject(self) -> str:
        """Raises RuntimeError on a stage without a history, in which the operator's actions belong."""
        self._operator = RecordedOperator(self.stage.scene.application, self.stage.recorded, ACTOR)
        kinds: set[str] = set()
        with broker_channel(self.stage.stack.environments) as channel:
            for queue in self.queues:
                for kind, headers, body in poison(self.sound(), self.mark):
                    channel.basic_publish("", queue, body, BasicProperties(headers=headers, delivery_mode=2))
                    self.sent[queue.rpartition(".")[0]] += 1
                    kinds.add(kind)
        self._sweeper.start()
        return f"{sum(self.sent.values())} messages are in {', '.join(self.queues)}: {', '.join(sorted(kinds))}."

    def sound(self) -> Message:
        """The last message that orders has announced."""
        url = self.stage.stack.environments.owner_urls()[SERVICES[0]]
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as session:
            row = session.execute("select max(position) from outbox").fetchone()
            rows = session.execute(ANNOUNCED, (row[0] - 1 if row and row[0] else 0,)).fetchall()
        if not rows:
            raise RuntimeError("no order was placed yet: there is nothing to forge")
        return from_row(rows[0][1:])

    def parked(self, group: str) -> set[UUID]:
        """Of this fault's messages, those that a group holds for a person now."""
        url = self.stage.stack.environments.owner_urls()[group]
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as session:
            rows = session.execute(MARKED, {"header": MARK, "mark": self.mark}).fetchall()
        self.found[group].update(found := {row[0] for row in rows})
        return found

    def heal(self) -> str:
        if self._sweeper.ident is None or self._healed.is_set():
            return ""
        self._healed.set()
        return f"An operator skips the {sum(self.sent.values())} messages as soon as they are parked."

    def lacks(self) -> str:
        lost = {group: sent - len(self.found[group]) for group, sent in self.sent.items()}
        return ", ".join(
            f"{number} of its messages to {group} were never parked" for group, number in lost.items() if number
        )

    def is_swept(self) -> bool:
        """Whether each message was parked and then skipped."""
        return all(len(self.skipped[group]) >= self.sent[group] for group in GROUPS)

    def _sweep(self) -> None:
        self._healed.wait()
        for _ in range(int(SKIP_SECONDS / EVERY_SECONDS)):
            for group in GROUPS:
                with suppress(*AWAY):
                    self._skip(group)
            if self.is_swept():
                return
            threading.Event().wait(EVERY_SECONDS)

    def _skip(self, group: str) -> None:
        assert self._operator
        for id_ in self.parked(group):
            if self._operator.skip(group, id_, REASON).outcome == "ok":
                self.skipped[group].add(id_)


def poison(sound: Message, mark: str) -> Iterator[tuple[str, dict[str, Any], bytes]]:
    """Each kind with its headers and body; `sound` is a message that was announced."""
    headers: dict[str, Any] = {**to_headers(sound), MARK: mark}
    body = sound.body.encode()

    def new(**changed: Any) -> dict[str, Any]:
        """Under an id and a key of its own."""
        own = {"ce-id": str(uuid4()), "ce-subject": str(uuid4())}
        return {**headers, **own, **{f"ce-{name}": value for name, value in changed.items()}}

    yield "unknown contract", new(type="nonsense.of_nobody.v1"), body
    yield "body without content", new(), b"{}"
    yield "body that is no JSON", new(), b"\x00\xff" + body[:20]
    yield "body of another key", new(), body
    yield "id of another message", {**headers, "ce-subject": str(uuid4())}, b"{}"
    yield "hash of nothing", new(eventhash="00"), body
    yield "sequence in words", new(sequence="first"), body
    yield "source of another", new(source="mallory"), body
    yield "oversized", new(), json.dumps({"x": "x" * MAX_BODY}).encode()
    yield "no headers of ours", {MARK: mark}, body
    yield "garbage", {}, mark.encode() + bytes(range(256))
