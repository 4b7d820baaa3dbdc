"""The bodies of deliveries: CloudEvents 1.0 as structured JSON, or a text for a chat."""

import json
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urljoin
from uuid import UUID, uuid5

from ordersaga.envelope.message import NAMESPACE
from ordersaga.privacy.personal import Unreadable, parts
from ordersaga.readside.events import LoggedEvent
from ordersaga.readside.rows import Row

TEST = "webhooks.test"
"""The type of a test: it is sent once, also while the subscription is paused or disabled."""
ALARM_TYPES = {"raised": "alarms.raised.v1", "cleared": "alarms.cleared.v1"}
MAX_TEXT = 1000
"""Characters of a text for a chat."""


def cloud_event(event: LoggedEvent) -> dict[str, Any]:
    """A message of the log as other systems see it: without the actor, and without personal data that is sealed."""
    made = {
        "specversion": "1.0",
        "id": str(event.message_id),
        "source": event.source,
        "type": event.contract,
        "subject": event.key,
        "time": event.time.isoformat(),
        "datacontenttype": "application/json",
        "dataschema": f"urn:contract:{event.contract}",
        "partitionkey": event.key,
        "sequence": str(event.sequence),
        "correlationid": str(event.correlation_id),
    }
    if event.causation_id:
        made["causationid"] = str(event.causation_id)
    return {**made, "data": without_sealed(event.body)}


class AlarmChange(Row):
    """The beginning or the end of an alarm."""

    position: int
    change: Literal["raised", "cleared"]
    at: datetime
    name: str
    subject: str
    severity: str
    text: str
    address: str
    """Of the dashboard's page where one acts, relative."""


def alarm_event(change: AlarmChange, source: str, dashboard_url: str) -> dict[str, Any]:
    """An alarm as a CloudEvent; `url` leads to the page where one acts, and is empty without a known dashboard."""
    url = urljoin(dashboard_url.rstrip("/") + "/", change.address) if dashboard_url else ""
    # The time too: the positions of a database that is made anew begin again.
    id_ = uuid5(NAMESPACE, f"{source}/alarm_changes/{change.position}/{change.at.isoformat()}")
    return {
        "specversion": "1.0",
        "id": str(id_),
        "source": source,
        "type": ALARM_TYPES[change.change],
        "subject": f"{change.name} {change.subject}".strip(),
        "time": change.at.isoformat(),
        "datacontenttype": "application/json",
        "data": {**change.model_dump(mode="json", exclude={"position", "at"}), "url": url},
    }


def without_sealed(value: Any) -> Any:
    """The value with null in place of every sealed text, which nobody outside can read, whether erased or not."""
    if isinstance(value, dict):
        return {name: without_sealed(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_sealed(each) for each in value]
    return None if isinstance(value, str) and is_sealed(value) else value


def is_sealed(text: str) -> bool:
    try:
        parts(text)
    except Unreadable:
        return False
    return True


def rendered(event: dict[str, Any], format_: str) -> str:
    """The body in the format of the subscription; a chat gets `{"text": ...}` alone."""
    made = {"text": sentence_of(event)} if format_ == "text" else event
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"))


def sentence_of(event: dict[str, Any]) -> str:
    """The sentence about an alarm or a test, or the type, the key and the data of a message."""
    data = event["data"]
    if event["type"] in ALARM_TYPES.values():
        heading = data["severity"].capitalize() if data["change"] == "raised" else "Over"
        return f"{heading}: {data['text']} {data['url']}".strip()[:MAX_TEXT]
    if event["type"] == TEST:
        return str(data["text"])
    return f"{event['type']} {event['subject']}: {json.dumps(data, ensure_ascii=False)}"[:MAX_TEXT]


def test_event(id_: UUID, source: str, time: str, actor: str) -> dict[str, Any]:
    """The event that `ordersaga webhooks test` sends."""
    return {
        "specversion": "1.0",
        "id": str(id_),
        "source": source,
        "type": TEST,
        "subject": "test",
        "time": time,
        "datacontenttype": "application/json",
        "data": {"text": f"A test of the webhooks of {source}, sent by {actor}."},
    }
