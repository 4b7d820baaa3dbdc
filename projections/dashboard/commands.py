"""The client of the services' commands on one order; each request carries the signed-in viewer's token."""

from collections.abc import Mapping
from uuid import UUID

import requests

from projections.dashboard.services import ACTION_TIMEOUT_SECONDS, ServiceRefused, problem_of


class Commands:
    """Commands on orders and payments. Each raises ServiceRefused, whose text says what and why."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        """`urls` by name of the service, such as `order_service`."""
        self._urls = dict(urls)
        self._session = requests.Session()
        # Without the environment's proxies: the services are on this network.
        self._session.trust_env = False

    def cancel(self, token: str, order_id: UUID, reason: str) -> None:
        """Cancel an order, before or after its confirmation."""
        self._post("order_service", f"/orders/{order_id}/cancellation", token, reason)

    def refund(self, token: str, order_id: UUID, reason: str) -> None:
        """Have a failed refund tried again."""
        self._post("payment_service", f"/payments/{order_id}/refund", token, reason)

    def _post(self, service: str, path: str, token: str, reason: str) -> None:
        if service not in self._urls:
            raise ServiceRefused(f"This dashboard does not know the address of {service}: set SERVICES.")
        headers = {"Authorization": f"Bearer {token}"}
        try:
            answer = self._session.post(
                self._urls[service] + path,
                headers=headers,
                json={"reason": reason},
                timeout=ACTION_TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException:
            raise ServiceRefused("It does not answer. Whether the action took effect is unknown: reload.") from None
        if answer.status_code not in (200, 202):
            raise ServiceRefused(problem_of(answer))
