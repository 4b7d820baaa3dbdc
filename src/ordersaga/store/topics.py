"""The mapper between events and stored events, which knows registered topics only."""

from typing import Any
from uuid import UUID

from eventsourcing.domain import AggregateCreated, CanMutateAggregate, Snapshot
from eventsourcing.persistence import DatetimeAsISO, JSONTranscoder, Mapper, StoredEvent, UUIDAsHex
from eventsourcing.utils import _topic_cache, register_topic


class UnknownTopic(LookupError):
    """A stored event has a topic that no aggregate of this service has registered."""


class AggregateSnapshot(Snapshot):
    """The library's snapshot under an explicit topic."""

    TOPIC = "aggregate.snapshot"


register_topic(AggregateSnapshot.TOPIC, AggregateSnapshot)


class TopicMapper(Mapper[UUID]):
    """Maps registered topics only: a row never decides which module is imported."""

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        if "." not in stored_event.topic:
            raise UnknownTopic(f"{stored_event.topic!r} is not the topic of an event, such as 'loan.begun'")
        require_topic(stored_event.topic)
        event = super().to_domain_event(stored_event)
        if isinstance(event, AggregateCreated):
            require_topic(event.originator_topic)
        elif isinstance(event, AggregateSnapshot):
            require_topic(event.topic)
        return event


def topic_of(event: type[CanMutateAggregate[UUID]]) -> str:
    """The topic under which an event class is stored."""
    topic: str = getattr(event, "TOPIC")  # noqa: B009 - not declared on the library's base class
    return topic


def require_topic(topic: str) -> None:
    """Raises UnknownTopic unless a class has registered the topic as its TOPIC.

    It reads the topic cache of eventsourcing, because `resolve_topic` imports the module that an unknown topic names.
    """
    if registered(topic) is None:
        raise UnknownTopic(f"a stored event names topic {topic!r}, which no aggregate here has registered")


def registered(topic: str) -> type | None:
    """The class that has registered the topic as its TOPIC; None when none has."""
    found = _topic_cache.get(topic)
    return found if isinstance(found, type) and getattr(found, "TOPIC", None) == topic else None


def make_mapper() -> TopicMapper:
    transcoder = JSONTranscoder()
    transcoder.register(UUIDAsHex())
    transcoder.register(DatetimeAsISO())
    return TopicMapper(transcoder)


mapper = make_mapper()
UNREADABLE = (LookupError, ValueError, TypeError, AttributeError)
"""The errors of a stored event that cannot be mapped to an event or to its announcements."""
