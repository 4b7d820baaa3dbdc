"""The client of the services' `/parked` over HTTP; each request carries the signed-in viewer's token."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import requests
from requests.adapters import HTTPAdapter

from ordersaga.http.openapi import View
from ordersaga.http.parked_views import (
    ActionsList,
    ActionView,
    Done,
    DryRunView,
    ParkedList,
    ParkedRow,
    ParkedView,
)

Answer = TypeVar("Answer", bound=View)
Result = TypeVar("Result")
LIST_TIMEOUT_SECONDS = 2.0
ACTION_TIMEOUT_SECONDS = 15.0
"""A dry run calls the reaction, which may wait for a lock."""
MAX_ROWS = 25
"""Every refresh draws all rows; 100 rows blocked the browser of a busy machine for 16 s each time."""


class ServiceRefused(Exception):
    """A service refused a request or did not answer; the text says what and why."""

    def __init__(self, text: str, status: int = 0) -> None:
        """`status` is that of the response, 0 without one."""
        super().__init__(text)
        self.status = status

    @property
    def is_gone(self) -> bool:
        """Whether the message is not parked there, or no longer."""
        return self.status == 404


class ParkedPlace(NamedTuple):
    """A message at a service, and who refused it: a reaction and the broker may refuse the same message."""

    service: str
    message_id: UUID
    refused_by: str


@dataclass(frozen=True)
class ParkedAt:
    """The parked messages of one service, or the reason why they are unknown."""

    service: str
    found: ParkedList | None
    problem: str = ""


class Services:
    """The services that have parked messages, by name, such as `order_service`."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self.urls = dict(urls)
        self._session = requests.Session()
        # Without the environment's proxies: the services are on this network.
        self._session.trust_env = False
        self._session.mount("http://", HTTPAdapter(pool_maxsize=16))
        self._pool = ThreadPoolExecutor(max(1, len(self.urls)), thread_name_prefix="parked")

    def each(self, perform: Callable[[str], Result]) -> list[Result]:
        """Does something for each service, in parallel; the results are in the order of the services."""
        return list(self._pool.map(perform, self.urls))

    def parked(self, token: str, **wanted: str) -> Sequence[ParkedAt]:
        """Asks all services in parallel; an unavailable service does not hide the others.

        Args:
            token: here and below, of the signed-in viewer.
            wanted: here and below, filters of `GET /parked`: `key`, `failure`, `state`, `refused_by`, `after`.
        """
        return self.each(lambda service: self.parked_at(service, token, **wanted))

    def parked_at(self, service: str, token: str, **wanted: str) -> ParkedAt:
        """The first messages at one service, or behind the cursor `after`."""
        query = {"limit": MAX_ROWS, **wanted}
        try:
            found = self.ask(ParkedList, "GET", service, "/parked", token, LIST_TIMEOUT_SECONDS, params=query)
        except ServiceRefused as problem:
            return ParkedAt(service, None, str(problem))
        return ParkedAt(service, found)

    def show(self, token: str, place: ParkedPlace) -> ParkedView:
        path, query = f"/parked/{place.message_id}", {"refused_by": place.refused_by}
        return self.ask(ParkedView, "GET", place.service, path, token, LIST_TIMEOUT_SECONDS, params=query)

    def queue_of(self, token: str, service: str, message: ParkedRow) -> Sequence[ParkedRow]:
        """The first messages of its key, in the order in which they are handled; empty without a key."""
        if not message.key:
            return []
        found = self.parked_at(service, token, key=message.key, refused_by=message.refused_by).found
        return found.messages if found else []

    def next_of(self, token: str, service: str, message: ParkedRow) -> ParkedRow | None:
        """Another message of its failure group: the one behind it, or else the first."""
        same = {"failure": message.failure, "refused_by": message.refused_by}
        behind = f"{message.refused_by}.{message.position}"
        for more in ({"after": behind}, {}):
            found = self.parked_at(service, token, **same, **more).found
            others = [row for row in found.messages if row.message_id != message.message_id] if found else []
            if others:
                return others[0]
        return None

    def actions(self, token: str, place: ParkedPlace) -> Sequence[ActionView]:
        """Newest first, also on a message that is no longer parked."""
        query = {"message_id": str(place.message_id)}
        return self.ask(
            ActionsList, "GET", place.service, "/parked/actions", token, LIST_TIMEOUT_SECONDS, params=query
        ).actions

    def edit(self, token: str, place: ParkedPlace, reason: str, seen: str, body: str) -> Done:
        """Replaces the body of a message that a reaction refused, and retries it."""
        wanted = {"reason": reason, "seen": seen, "refused_by": place.refused_by, "body": body}
        path = f"/parked/{place.message_id}/body"
        return self.ask(Done, "PUT", place.service, path, token, ACTION_TIMEOUT_SECONDS, json=wanted)

    def dry_run(self, token: str, place: ParkedPlace) -> DryRunView:
        path = f"/parked/{place.message_id}/dry-run"
        return self.ask(DryRunView, "POST", place.service, path, token, ACTION_TIMEOUT_SECONDS)

    def act(self, verb: str, token: str, place: ParkedPlace, reason: str, seen: str | None) -> Done:
        """`verb`: retry, skip, hold or release. `seen`: the version at which the person decided."""
        path = f"/parked/{place.message_id}/{verb}"
        body = {"reason": reason, "seen": seen, "refused_by": place.refused_by}
        return self.ask(Done, "POST", place.service, path, token, ACTION_TIMEOUT_SECONDS, json=body)

    def ask(
        self, kind: type[Answer], method: str, service: str, path: str, token: str, seconds: float, **more: Any
    ) -> Answer:
        """The response to one request, as a view. Raises ServiceRefused."""
        return kind.model_validate_json(self.request(method, service, path, token, seconds, **more).content)

    def request(
        self, method: str, service: str, path: str, token: str, seconds: float, **more: Any
    ) -> requests.Response:
        """The response to one request. Raises ServiceRefused, also for a redirect, which is not followed."""
        if service not in self.urls:
            raise ServiceRefused(f"No service is called {service} here: SERVICES names those that are.", 404)
        headers = {**more.pop("headers", {}), "Authorization": f"Bearer {token}"}
        try:
            response = self._session.request(
                method, self.urls[service] + path, headers=headers, timeout=seconds, allow_redirects=False, **more
            )
        except requests.RequestException:
            raise ServiceRefused("It does not answer. Whether the action took effect is unknown: reload.") from None
        if response.status_code >= 300:
            raise ServiceRefused(problem_of(response), response.status_code)
        return response


def problem_of(response: requests.Response) -> str:
    """The detail of a problem document and the errors of its fields."""
    try:
        document = response.json()
        fields = "; ".join(f"{each['field']}: {each['message']}" for each in document.get("errors", []))
        return f"{document['detail']} {fields}".strip()
    except (ValueError, KeyError, TypeError):
        return f"It answered with {response.status_code}."
