"""Limits: the bounds of an envelope and its body, the same for producers, relays and consumers."""

import re
from typing import TYPE_CHECKING

from ordersaga.envelope.strict_json import UnacceptableJson, require_storable_object

if TYPE_CHECKING:
    from ordersaga.envelope.message import Message

MAX_CONTRACT = 200
"""Bytes. With the partition it is a routing key, of which AMQP allows 255."""
CONTRACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.v[0-9]+")
"""`<context>.<event>.v<version>`: a read side is bound to three words; `*` and `#` would bind to other contracts."""
MAX_SOURCE = 200
"""Bytes."""
SOURCE = re.compile(r"[!-~]+")
"""Printable ASCII without spaces, as in the URI references of CloudEvents."""
MAX_KEY = 512
"""Bytes of UTF-8. An index entry of Postgres has at most 2,704; actor, contract and key together are below."""
MAX_ACTOR = 1024
"""Bytes of UTF-8."""
MAX_SEQUENCE = 2**63 - 1
"""The largest bigint of Postgres."""
FIRST_YEAR = 2000
LAST_YEAR = 2199
"""The service's clock is wrong outside of these years; they are far from what Python and browsers cannot represent."""
HASH_BYTES = 32
MAX_BODY = 8 * 2**20
"""Bytes of UTF-8: half of what RabbitMQ 4 accepts by default."""
MAX_NESTING = 64
"""Objects and arrays within one another; pydantic reads 200, a recursive reader in Python some 900."""


def violation(message: "Message") -> str:
    """The first limit that an envelope or the size of its body violates, as a reason for a person; empty if none does.

    Takes 3 microseconds. `body_violation` looks into the body.
    """
    return (
        contract_violation(message.contract)
        or source_violation(message.source)
        or text_violation("key", message.key, MAX_KEY)
        or ("" if message.key else "the key is empty")
        or number_violation(message.sequence)
        or time_violation(message)
        or hash_violation(message.event_hash)
        or text_violation("actor", message.cause.actor, MAX_ACTOR)
        or text_violation("body", message.body, MAX_BODY)
    )


def contract_violation(name: str) -> str:
    """Why a contract cannot have this name."""
    if len(name) > MAX_CONTRACT:
        return f"the contract's name has {len(name)} characters, more than {MAX_CONTRACT}"
    if not CONTRACT.fullmatch(name):
        return f"the contract {name!r} is not named <context>.<event>.v<version> in letters, digits, _ and -"
    return ""


def source_violation(source: str) -> str:
    """Why a service cannot announce under this name."""
    if len(source) > MAX_SOURCE:
        return f"the source has {len(source)} characters, more than {MAX_SOURCE}"
    return "" if SOURCE.fullmatch(source) else f"the source {source!r} is not printable ASCII without spaces"


def text_violation(name: str, text: str, most: int) -> str:
    """Why the database cannot store a text of at most so many bytes."""
    if "\0" in text:
        return f"the {name} contains NUL"
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        return f"the {name} contains half a surrogate pair"
    return f"the {name} has {size} bytes, more than {most}" if size > most else ""


def number_violation(sequence: int) -> str:
    return "" if 0 <= sequence <= MAX_SEQUENCE else f"the sequence {sequence} is not between 0 and {MAX_SEQUENCE}"


def time_violation(message: "Message") -> str:
    time = message.time
    if time.tzinfo is None:
        return f"the time {time.isoformat()} has no time zone"
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        return f"the time {time.isoformat()} is not between the years {FIRST_YEAR} and {LAST_YEAR}"
    return ""


def hash_violation(event_hash: bytes) -> str:
    return "" if len(event_hash) == HASH_BYTES else f"the event hash has {len(event_hash)} bytes, not {HASH_BYTES}"


def body_violation(body: str) -> str:
    """What keeps a body from being stored as jsonb, or read as one thing by all, as a predicate; empty if nothing."""
    try:
        require_storable_object(body, MAX_NESTING)
    except UnacceptableJson as unacceptable:
        place = f"{unacceptable.field}: " if unacceptable.field else ""
        return f"is unacceptable JSON: {place}{unacceptable}"
    return ""


def require_within_limits(message: "Message") -> None:
    """Refuse to announce a message that consumers would refuse.

    Raises:
        ValueError: it violates a limit; the text names the message, the limit and the value.
    """
    reason = violation(message)
    if not reason and (unacceptable := body_violation(message.body)):
        reason = f"the body {unacceptable}"
    if reason:
        raise ValueError(f"{message.contract[:MAX_CONTRACT]} cannot be announced: {reason}")
