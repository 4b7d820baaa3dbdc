"""One attempt of a delivery: resolve, sign, post, and judge the answer."""

import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from ordersaga.runtime import failpoints
from ordersaga.runtime.logs import log
from ordersaga.webhooks.deliveries import DeliveryAttempt, DeliveryResult, DeliveryState, DeliveryToSend
from ordersaga.webhooks.destination import DestinationRefused, Guard
from ordersaga.webhooks.payload import TEST
from ordersaga.webhooks.post import EndpointAnswer, EndpointSilent, post
from ordersaga.webhooks.schedule import pause_after
from ordersaga.webhooks.sealing import SecretBox, SecretUnreadable
from ordersaga.webhooks.settings import WebhookSettings
from ordersaga.webhooks.signing import signed_headers

GONE = 410
"""The endpoint does not want to be asked again."""
MAX_ERROR = 300


class Recipient(NamedTuple):
    """What an attempt needs of a subscription."""

    url: str
    format: str
    stored_secrets: Sequence[str]


class Attempting:
    """Makes attempts; its threads share it."""

    def __init__(self, settings: WebhookSettings) -> None:
        """Raises ValueError: WEBHOOK_ALLOW is wrong."""
        self._guard = Guard(settings)
        self._box = SecretBox(settings.webhook_secrets_key)
        self._seconds = settings.webhook_timeout_seconds
        self._context = ssl.create_default_context()

    def attempt(self, recipient: Recipient, delivery: DeliveryToSend) -> DeliveryResult:
        """Send a delivery once. Every failure is a result."""
        at, began = datetime.now(UTC), time.monotonic()
        answer, error = None, ""
        try:
            failpoints.reach("webhook.before-send")
            answer = self._post(recipient, delivery, at)
            failpoints.reach("webhook.sent")
        except (DestinationRefused, SecretUnreadable, EndpointSilent) as refused:
            error = str(refused)
        except OSError as unresolved:
            error = f"the name cannot be resolved: {unresolved}"
        except Exception as fault:  # noqa: BLE001 - an error of ours must not keep others from being sent
            log.exception("an attempt failed with an error of the program", delivery=delivery.id)
            error = f"an error of the program: {fault!r}"
        seconds = time.monotonic() - began
        if answer and not 200 <= answer.status < 300:
            error = f"it answered {answer.status}" + (", and redirects are not followed" * (answer.status // 100 == 3))
        text = answer.text if answer else ""
        attempt = DeliveryAttempt(
            at=at, status=answer and answer.status, error=error[:MAX_ERROR], answer=text, seconds=seconds
        )
        return judged(delivery, attempt, answer)

    def _post(self, recipient: Recipient, delivery: DeliveryToSend, now: datetime) -> EndpointAnswer:
        began = time.monotonic()
        destination = self._guard.check(recipient.url)
        addresses = self._guard.resolve(destination)
        secrets = [self._box.open(stored) for stored in recipient.stored_secrets]
        headers = signed_headers(secrets, delivery.message_id, delivery.body, now, recipient.format)
        left = max(0.1, self._seconds - (time.monotonic() - began))
        return post(destination, addresses, headers, delivery.body.encode(), left, self._context)


def judged(delivery: DeliveryToSend, attempt: DeliveryAttempt, answer: EndpointAnswer | None) -> DeliveryResult:
    """What follows from an attempt; a test has only one."""
    pause = None if delivery.type == TEST else pause_after(delivery.attempts + 1, answer.retry_after if answer else "")
    state: DeliveryState = "pending"
    if not attempt.error:
        state = "delivered"
    elif pause is None:
        state = "failed"
    return DeliveryResult(delivery, attempt, state, pause or 0.0)
