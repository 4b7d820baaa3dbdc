"""The hash chain of a stream: a changed event breaks the hashes of all later ones."""

import hashlib

from eventsourcing.persistence import StoredEvent

from ordersaga.envelope.message import Cause

GENESIS = bytes(32)
"""The hash that the first event of a stream continues."""


def chain(previous: bytes, stored: StoredEvent, cause: Cause) -> bytes:
    """SHA-256 over the previous hash of the stream and the event's canonical bytes, length-prefixed."""
    digest = hashlib.sha256(previous)
    for part in (
        str(stored.originator_id).encode(),
        str(stored.originator_version).encode(),
        stored.topic.encode(),
        stored.state,
        str(cause.correlation_id).encode(),
        str(cause.causation_id or "").encode(),
        cause.actor.encode(),
    ):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()
