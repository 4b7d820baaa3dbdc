"""Order per key: in each group the effects of one key happen in the order in which their sender announced them."""

from collections.abc import Iterable, Mapping
from typing import Any

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.verdict import OK, UNEXPECTED, Offence, Verdict
from ordersaga.envelope.versions import every_version

QUESTION = "Do the effects of one key happen in each group in the order of the sender's outbox?"

ANNOUNCED = """
select message_id, key, position from outbox where contract <> all(%(without_event)s) order by position
"""
"""Messages without an event have no place among those of an aggregate: their positions are not in commit order."""
EFFECTS = """
select causation_id as message_id, min(position) as first, max(position) as last from stored_events
where causation_id is not null and actor <> 'deadline' group by causation_id
"""
LOGGED = "select message_id, position as first, position as last from event_log"

Spans = Mapping[Any, tuple[int, int]]
"""Message id -> the first and the last position of its effect."""


def order_per_key(evidence: Evidence) -> Verdict:
    services = {service.name: service for service in evidence.application.with_outbox}
    read_side = evidence.application.read_side
    announced = {name: evidence.rows(name, ANNOUNCED, without_event=without_event(services[name])) for name in services}
    effects = {name: spans(evidence.rows(name, EFFECTS)) for name in services}
    if read_side:
        effects[read_side.name] = spans(evidence.rows(read_side.name, LOGGED))
    return judge(announced, effects)


def without_event(service: Any) -> list[str]:
    return list(every_version(service.announcements.without_events.values()))


def spans(rows: Iterable[Any]) -> Spans:
    return {row.message_id: (row.first, row.last) for row in rows}


def judge(announced: Mapping[str, Iterable[Any]], effects: Mapping[str, Spans]) -> Verdict:
    """`announced` has by sender (message_id, key, position) in the order of its outbox, `effects` spans by group."""
    counts, offences = {OK: 0, UNEXPECTED: 0}, []
    for sender, messages in announced.items():
        before: dict[tuple[str, str], tuple[int, Any]] = {}
        for id_, key, _ in messages:
            for group, placed in effects.items():
                if id_ not in placed:
                    continue
                first, last = placed[id_]
                latest, earlier = before.get((group, key), (-1, None))
                counts[UNEXPECTED if first <= latest else OK] += 1
                if first <= latest:
                    detail = f"of key {key}, announced by {sender} after message {earlier}, took effect before it"
                    offences.append(Offence(f"message {id_}", f"{detail} in {group} (position {first}, then {latest})"))
                else:
                    before[group, key] = last, id_
    return Verdict("order per key", QUESTION, counts, offences)
