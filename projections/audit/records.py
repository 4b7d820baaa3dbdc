"""What there is to verify, as one stream: given by the databases and the log, or read from an export; a line each."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO
from uuid import UUID

from projections.audit.leaf import BIGINT, as_utf8, from_iso, iso
from projections.audit.store import Event

FORMAT = "ordersaga audit export 2"


class BadExport(ValueError):
    """The file is not an export; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Begins:
    """What follows is of this store, as it was at this time."""

    store: str
    server: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Sealed:
    """A leaf in the order of the log, and the event of its name as the store has it now."""

    line: bytes
    event: Event | None


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint over all leaves before it."""

    note: str


@dataclass(frozen=True, slots=True)
class Unsealed:
    """An event of the store that is not in its log."""

    event: Event


@dataclass(frozen=True, slots=True)
class Ends:
    """How much there was, so that a file that was cut off is known by it."""

    store: str
    events: int


@dataclass(frozen=True, slots=True)
class Stores:
    """The last record: all stores that there were, so that one that was left out is known by it."""

    names: tuple[str, ...]


Record = Begins | Sealed | Signed | Unsealed | Ends | Stores


def whole(stores: Sequence[str], records_of: Callable[[str], Iterable[Record]]) -> Iterator[Record]:
    """Of store after store, and behind them which they were."""
    for store in stores:
        yield from records_of(store)
    yield Stores(tuple(stores))


def to_line(record: Record) -> str:
    """JSON in one line."""
    match record:
        case Begins():
            content: dict[str, Any] = {"format": FORMAT, "store": record.store, "server": record.server}
            content["time"] = record.time.isoformat()
        case Sealed():
            content = {"leaf": record.line.decode(), "event": record.event and to_json(record.event)}
        case Signed():
            content = {"checkpoint": record.note}
        case Unsealed():
            content = {"event": to_json(record.event)}
        case Ends():
            content = {"end": record.store, "events": record.events}
        case Stores():
            content = {"stores": record.names}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def from_line(line: str) -> Record:
    """Raises ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError."""
    content = json.loads(line)
    if "format" in content:
        if content["format"] != FORMAT:
            raise ValueError(f"the format is {content['format']!r}, not {FORMAT!r}")
        time = datetime.fromisoformat(content["time"]).astimezone(UTC)
        return Begins(as_utf8(content["store"]), as_utf8(content["server"]), time)
    if "leaf" in content:
        return Sealed(content["leaf"].encode(), content["event"] and from_json(content["event"]))
    if "checkpoint" in content:
        return Signed(as_utf8(content["checkpoint"]))
    if "end" in content:
        return Ends(as_utf8(content["end"]), int(content["events"]))
    if "stores" in content:
        return Stores(tuple(map(as_utf8, content["stores"])))
    return Unsealed(from_json(content["event"]))


def read(file: TextIO) -> Iterator[Record]:
    """Raises BadExport: a line is not what `to_line` makes."""
    for number, line in enumerate(file, start=1):
        try:
            yield from_line(line)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise BadExport(f"line {number} is not a line of an audit export: {error!r}") from None


def to_json(event: Event) -> dict[str, Any]:
    """The columns of stored_events; the state as text where it is text, so that a person can read it."""
    columns: dict[str, Any] = event._asdict()
    try:
        columns["state"] = event.state.decode()
    except UnicodeDecodeError:
        del columns["state"]
        columns["state_base64"] = b64encode(event.state).decode()
    columns["recorded_at"] = iso(event.recorded_at)
    columns["hash"] = event.hash.hex()
    return {name: str(value) if isinstance(value, UUID) else value for name, value in columns.items()}


def from_json(columns: dict[str, Any]) -> Event:
    state = b64decode(columns["state_base64"]) if "state_base64" in columns else columns["state"].encode()
    if (version := int(columns["version"])) not in BIGINT:
        raise ValueError(f"no event has the version {version}")
    return Event(
        UUID(columns["originator_id"]),
        version,
        as_utf8(columns["topic"]),
        state,
        int(columns["position"]),
        int(columns["xid"]),
        from_iso(columns["recorded_at"]),
        columns["correlation_id"] and UUID(columns["correlation_id"]),
        columns["causation_id"] and UUID(columns["causation_id"]),
        as_utf8(columns["actor"]),
        bytes.fromhex(columns["hash"]),
    )
