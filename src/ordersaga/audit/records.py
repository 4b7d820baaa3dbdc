"""The records that `verify` checks: one stream, from the databases and the sealed log or from an export."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO
from uuid import UUID

from ordersaga.audit.leaf import BIGINT, as_utf8, from_iso, iso
from ordersaga.audit.store import EventRow

FORMAT = "ordersaga audit export 2"


class BadExport(ValueError):
    """The file is not an export; the message says which line and why."""


@dataclass(frozen=True, slots=True)
class StoreBegins:
    """Begins the records of one store, as it was at `time`."""

    store: str
    server: str
    time: datetime


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """A leaf, in the order of the log, and the event that the store now has under its name."""

    line: bytes
    event: EventRow | None


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A signed checkpoint over all leaves before it."""

    note: str


@dataclass(frozen=True, slots=True)
class UnsealedEvent:
    """An event of the store that has no leaf."""

    event: EventRow


@dataclass(frozen=True, slots=True)
class StoreEnds:
    """Ends the records of one store; the count reveals a file that was cut off."""

    store: str
    events: int


@dataclass(frozen=True, slots=True)
class StoreList:
    """The last record: the names of all stores, which reveal a store that was left out."""

    names: tuple[str, ...]


Record = StoreBegins | SealedEvent | SignedCheckpoint | UnsealedEvent | StoreEnds | StoreList


def records_of_all(stores: Sequence[str], records_of: Callable[[str], Iterable[Record]]) -> Iterator[Record]:
    """The records of each store, then the StoreList."""
    for store in stores:
        yield from records_of(store)
    yield StoreList(tuple(stores))


def to_line(record: Record) -> str:
    """The record as JSON, without a line break."""
    match record:
        case StoreBegins():
            content: dict[str, Any] = {"format": FORMAT, "store": record.store, "server": record.server}
            content["time"] = record.time.isoformat()
        case SealedEvent():
            content = {"leaf": record.line.decode(), "event": record.event and to_json(record.event)}
        case SignedCheckpoint():
            content = {"checkpoint": record.note}
        case UnsealedEvent():
            content = {"event": to_json(record.event)}
        case StoreEnds():
            content = {"end": record.store, "events": record.events}
        case StoreList():
            content = {"stores": record.names}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def from_line(line: str) -> Record:
    """The inverse of `to_line`.

    Raises ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError.
    """
    content = json.loads(line)
    if "format" in content:
        if content["format"] != FORMAT:
            raise ValueError(f"the format is {content['format']!r}, not {FORMAT!r}")
        time = datetime.fromisoformat(content["time"]).astimezone(UTC)
        return StoreBegins(as_utf8(content["store"]), as_utf8(content["server"]), time)
    if "leaf" in content:
        return SealedEvent(content["leaf"].encode(), content["event"] and from_json(content["event"]))
    if "checkpoint" in content:
        return SignedCheckpoint(as_utf8(content["checkpoint"]))
    if "end" in content:
        return StoreEnds(as_utf8(content["end"]), int(content["events"]))
    if "stores" in content:
        return StoreList(tuple(map(as_utf8, content["stores"])))
    return UnsealedEvent(from_json(content["event"]))


def read_export(file: TextIO) -> Iterator[Record]:
    """The records of an export. Raises BadExport: a line is not one that `to_line` makes."""
    for number, line in enumerate(file, start=1):
        try:
            yield from_line(line)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise BadExport(f"line {number} is not a line of an audit export: {error!r}") from None


def to_json(event: EventRow) -> dict[str, Any]:
    """The columns of the event; the state as text where it is UTF-8, else in base64."""
    columns: dict[str, Any] = event._asdict()
    try:
        columns["state"] = event.state.decode()
    except UnicodeDecodeError:
        del columns["state"]
        columns["state_base64"] = b64encode(event.state).decode()
    columns["recorded_at"] = iso(event.recorded_at)
    columns["hash"] = event.hash.hex()
    return {name: str(value) if isinstance(value, UUID) else value for name, value in columns.items()}


def from_json(columns: dict[str, Any]) -> EventRow:
    """The inverse of `to_json`. Raises as `from_line` does."""
    state = b64decode(columns["state_base64"]) if "state_base64" in columns else columns["state"].encode()
    if (version := int(columns["version"])) not in BIGINT:
        raise ValueError(f"no event has the version {version}")
    return EventRow(
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
