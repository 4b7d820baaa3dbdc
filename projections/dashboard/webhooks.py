"""The client of the read side's `/webhooks`: each request carries the signed-in viewer's token."""

from typing import TypeVar
from uuid import UUID

from ordersaga.http.openapi import View
from ordersaga.http.webhook_views import RetriedView, StateView, TestView
from projections.dashboard.services import ACTION_TIMEOUT_SECONDS, Services
from projections.service import projections

Answer = TypeVar("Answer", bound=View)


class WebhookActions:
    """Actions on subscriptions, with a viewer's token. Each raises ServiceRefused, whose text says what and why."""

    def __init__(self, services: Services, token: str) -> None:
        self.services = services
        self.token = token

    def test(self, subscription_id: UUID, reason: str) -> int:
        """Send a test. Returns the number of its delivery."""
        return self._post(TestView, f"{subscription_id}/test", reason).delivery

    def pause(self, subscription_id: UUID, reason: str) -> bool:
        """Returns False when it was paused."""
        return self._post(StateView, f"{subscription_id}/pause", reason).changed

    def resume(self, subscription_id: UUID, reason: str) -> bool:
        """Returns False when it was active."""
        return self._post(StateView, f"{subscription_id}/resume", reason).changed

    def retry_failed(self, subscription_id: UUID, reason: str) -> int:
        """Send what has failed for good again. Returns the number of deliveries."""
        return self._post(RetriedView, f"{subscription_id}/retry-failed", reason).retried

    def retry(self, delivery: int, reason: str) -> None:
        """Send one delivery again."""
        self._post(RetriedView, f"deliveries/{delivery}/retry", reason)

    def _post(self, kind: type[Answer], path: str, reason: str) -> Answer:
        return self.services.ask(
            kind,
            "POST",
            projections.name,
            f"/webhooks/{path}",
            self.token,
            ACTION_TIMEOUT_SECONDS,
            json={"reason": reason},
        )
