"""The headers of a delivery, signed as Standard Webhooks specifies."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from standardwebhooks import Webhook

CONTENT_TYPES = {"cloudevents": "application/cloudevents+json; charset=utf-8", "text": "application/json"}
USER_AGENT = "ordersaga-webhooks"


def signed_headers(secrets: Sequence[str], message_id: UUID, body: str, now: datetime, format_: str) -> dict[str, str]:
    """One signature for each secret that is valid, separated by spaces, so that a receiver may have either."""
    return {
        "Content-Type": CONTENT_TYPES[format_],
        "User-Agent": USER_AGENT,
        "webhook-id": str(message_id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(str(message_id), now, body) for secret in secrets),
    }
