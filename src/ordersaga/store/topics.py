"""Events to and from stored ones, by topics that their classes have claimed."""

from typing import Any
from uuid import UUID

from eventsourcing.domain import AggregateCreated, Snapshot
from eventsourcing.persistence import DatetimeAsISO, JSONTranscoder, Mapper, StoredEvent, UUIDAsHex
from eventsourcing.utils import _topic_cache, register_topic


class UnknownTopic(LookupError):
    """A stored event names a topic that no aggregate of this service has registered."""


class AggregateSnapshot(Snapshot):
    """The library's snapshot under an explicit topic."""

    TOPIC = "aggregate.snapshot"


register_topic(AggregateSnapshot.TOPIC, AggregateSnapshot)


class TopicMapper(Mapper[UUID]):
    """Maps only topics that are registered: a row never decides what is imported."""

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


def require_topic(topic: str) -> None:
    """Raises UnknownTopic unless a class has claimed the topic with TOPIC.

    Looks into the library's table, because `resolve_topic` imports the module that an unknown topic names.
    """
    if getattr(_topic_cache.get(topic), "TOPIC", None) != topic:
        raise UnknownTopic(f"a stored event names topic {topic!r}, which no aggregate here has registered")


def make_mapper() -> TopicMapper:
    transcoder = JSONTranscoder()
    transcoder.register(UUIDAsHex())
    transcoder.register(DatetimeAsISO())
    return TopicMapper(transcoder)


mapper = make_mapper()
UNREADABLE = (LookupError, ValueError, TypeError, AttributeError)
"""What a stored event raises, on its way to an event and its announcements, that no code here can make sense of."""
