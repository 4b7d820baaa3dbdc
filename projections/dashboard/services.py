"""Parked messages, asked for and acted on at the services over HTTP, in the name of the signed-in person."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import requests
from requests.adapters import HTTPAdapter

from ordersaga.http.openapi import View
from ordersaga.http.parked_views import Done, DryRunView, ParkedList, ParkedView, RetriesDone

Answer = TypeVar("Answer", bound=View)
LIST_SECONDS = 2.0
ACT_SECONDS = 15.0
"""A dry run calls the reaction, which may wait for a lock."""
MOST_ROWS = 25
"""Drawn anew at every refresh: 100 rows held the browser of a busy machine up for 16 s each time."""
BATCH = 200


class Refused(Exception):
    """A service said no, or nothing; the text tells a person what and why."""


@dataclass(frozen=True)
class ParkedAt:
    """What one service has parked, or why that is not known."""

    service: str
    found: ParkedList | None
    problem: str = ""


class Services:
    """Every service that keeps parked messages, by its name, such as `order_service`."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self.urls = dict(urls)
        self._session = requests.Session()
        # Not the environment's proxies: services are asked directly.
        self._session.trust_env = False
        self._session.mount("http://", HTTPAdapter(pool_maxsize=16))
        self._pool = ThreadPoolExecutor(max(1, len(self.urls)), thread_name_prefix="parked")

    def parked(self, token: str, failure: str | None = None) -> Sequence[ParkedAt]:
        """All services are asked at the same time; one that is away does not hide the others."""
        return list(self._pool.map(lambda service: self._parked_at(service, token, failure), self.urls))

    def _parked_at(self, service: str, token: str, failure: str | None) -> ParkedAt:
        query = {"limit": MOST_ROWS, **({"failure": failure} if failure else {})}
        try:
            found = self._ask(ParkedList, "GET", service, "/parked", token, LIST_SECONDS, params=query)
        except Refused as problem:
            return ParkedAt(service, None, str(problem))
        return ParkedAt(service, found)

    def show(self, token: str, service: str, message_id: UUID) -> ParkedView:
        return self._ask(ParkedView, "GET", service, f"/parked/{message_id}", token, LIST_SECONDS)

    def dry_run(self, token: str, service: str, message_id: UUID) -> DryRunView:
        return self._ask(DryRunView, "POST", service, f"/parked/{message_id}/dry-run", token, ACT_SECONDS)

    def retry(self, token: str, service: str, message_id: UUID, reason: str, seen: str) -> Done:
        body = {"reason": reason, "seen": seen}
        return self._ask(Done, "POST", service, f"/parked/{message_id}/retry", token, ACT_SECONDS, json=body)

    def skip(self, token: str, service: str, message_id: UUID, reason: str, seen: str) -> Done:
        body = {"reason": reason, "seen": seen}
        return self._ask(Done, "POST", service, f"/parked/{message_id}/skip", token, ACT_SECONDS, json=body)

    def retry_group(self, token: str, service: str, failure: str, reason: str) -> int:
        """Batch by batch; returns how many are tried again."""
        retried, after = 0, 0
        while True:
            body = {"failure": failure, "reason": reason, "after": after, "limit": BATCH}
            done = self._ask(RetriesDone, "POST", service, "/parked/retries", token, ACT_SECONDS, json=body)
            retried += done.retried
            if done.next is None:
                return retried
            after = done.next

    def _ask(
        self, kind: type[Answer], method: str, service: str, path: str, token: str, seconds: float, **more: Any
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}"}
        try:
            response = self._session.request(
                method, self.urls[service] + path, headers=headers, timeout=seconds, allow_redirects=False, **more
            )
        except requests.RequestException:
            raise Refused("It does not answer. Nothing is known of what became of this; look again.") from None
        if response.status_code != 200:
            raise Refused(said(response))
        return kind.model_validate_json(response.content)


def said(response: requests.Response) -> str:
    """The detail of a problem document, with its fields."""
    try:
        document = response.json()
        fields = "; ".join(f"{each['field']}: {each['message']}" for each in document.get("errors", []))
        return f"{document['detail']} {fields}".strip()
    except (ValueError, KeyError, TypeError):
        return f"It answered with {response.status_code}."
