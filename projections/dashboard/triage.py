"""The client of what the services offer on several parked messages: failure groups, runs of retries, pauses."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from ordersaga.http.parked_views import RetriesDone
from ordersaga.http.triage_views import (
    ActionOutcome,
    ConsumerView,
    GroupInFull,
    GroupSkipped,
    GroupView,
    Outcomes,
    RunsList,
    RunView,
)
from projections.dashboard.services import (
    ACTION_TIMEOUT_SECONDS,
    LIST_TIMEOUT_SECONDS,
    ParkedPlace,
    ServiceRefused,
    Services,
)

BATCH = 200
PAST_RUNS = 100


class ActionAnswer(NamedTuple):
    """What became of one of several messages; `outcome` is empty when its service did not answer."""

    place: ParkedPlace
    outcome: str
    detail: str


class Triage:
    """Failure groups, runs of retries and consumer groups at the services, with a viewer's token."""

    def __init__(self, services: Services, token: str) -> None:
        self.services = services
        self.token = token

    def group(self, service: str, failure: str) -> GroupInFull:
        path = f"/parked/groups/{failure}"
        return self.services.ask(GroupInFull, "GET", service, path, self.token, LIST_TIMEOUT_SECONDS)

    def annotate(self, service: str, failure: str, reason: str, note: str, owner: str, link: str) -> GroupView:
        body = {"reason": reason, "note": note, "owner": owner, "link": link}
        path = f"/parked/groups/{failure}"
        return self.services.ask(GroupView, "PUT", service, path, self.token, ACTION_TIMEOUT_SECONDS, json=body)

    def hold_group(self, service: str, failure: str, reason: str, *, held: bool) -> GroupView:
        """Puts a group on hold, or releases it."""
        path = f"/parked/groups/{failure}/{'hold' if held else 'release'}"
        return self.services.ask(
            GroupView, "POST", service, path, self.token, ACTION_TIMEOUT_SECONDS, json={"reason": reason}
        )

    def retry_group(self, service: str, failure: str, reason: str) -> int:
        """Retries a failure group at once, in batches; returns the number of messages."""
        retried, after = 0, None
        while True:
            body = {"failure": failure, "reason": reason, "after": after, "limit": BATCH}
            done = self.services.ask(
                RetriesDone, "POST", service, "/parked/retries", self.token, ACTION_TIMEOUT_SECONDS, json=body
            )
            retried += done.retried
            if done.next is None:
                return retried
            after = done.next

    def skip_group(self, service: str, failure: str, messages: int, reason: str) -> GroupSkipped:
        """Skips a failure group of so many messages, a batch at a time; at another number nothing is skipped."""
        skipped = gone = 0
        path = f"/parked/groups/{failure}/skip"
        while True:
            body = {"messages": messages, "reason": reason}
            done = self.services.ask(GroupSkipped, "POST", service, path, self.token, ACTION_TIMEOUT_SECONDS, json=body)
            skipped, gone, messages = skipped + done.skipped, gone + done.gone, done.left
            if not done.left:
                return GroupSkipped(skipped=skipped, gone=gone, left=0)

    def act_on_each(self, verb: str, places: Sequence[ParkedPlace], reason: str) -> list[ActionAnswer]:
        """One action on several messages; a message that refuses it, or a service, does not keep back the others.

        `verb`: retry, skip, hold or release.
        """
        by_service = attrgetter("service")
        found: list[ActionAnswer] = []
        for service, group in groupby(sorted(places, key=by_service), by_service):
            wanted = list(group)
            try:
                outcomes = self._select(verb, service, wanted, reason)
            except ServiceRefused as problem:
                found += [ActionAnswer(place, "", str(problem)) for place in wanted]
                continue
            found += [ActionAnswer(p, each.outcome, each.detail) for p, each in zip(wanted, outcomes, strict=True)]
        return found

    def _select(self, verb: str, service: str, places: Sequence[ParkedPlace], reason: str) -> Sequence[ActionOutcome]:
        messages = [{"message_id": str(place.message_id), "refused_by": place.refused_by} for place in places]
        body = {"action": verb, "reason": reason, "messages": messages}
        path = "/parked/selection"
        return self.services.ask(
            Outcomes, "POST", service, path, self.token, ACTION_TIMEOUT_SECONDS, json=body
        ).outcomes

    def runs(self, service: str, failure: str) -> list[RunView]:
        """The runs that retry this failure group, or all failures, the newest first."""
        found = self.services.ask(
            RunsList, "GET", service, "/parked/runs", self.token, LIST_TIMEOUT_SECONDS, params={"limit": PAST_RUNS}
        )
        return [run for run in found.runs if run.failure in (failure, None)]

    def start_run(self, service: str, failure: str, first: int, rate: float, max_failed: float, reason: str) -> RunView:
        """Retries `first` messages at once, the others at `rate` a second; `max_failed` from 0 to 1 stops it."""
        body = {"failure": failure, "first": first, "rate": rate, "max_failed": max_failed, "reason": reason}
        path = "/parked/runs"
        return self.services.ask(RunView, "POST", service, path, self.token, ACTION_TIMEOUT_SECONDS, json=body)

    def stop_run(self, service: str, run: int, reason: str) -> RunView:
        path = f"/parked/runs/{run}/stop"
        return self.services.ask(
            RunView, "POST", service, path, self.token, ACTION_TIMEOUT_SECONDS, json={"reason": reason}
        )

    def consumer(self, service: str) -> ConsumerView:
        return self.services.ask(ConsumerView, "GET", service, "/consumer", self.token, LIST_TIMEOUT_SECONDS)

    def pause(self, service: str, reason: str, *, paused: bool) -> ConsumerView:
        """Pauses the service's consumer group, or resumes it."""
        path = f"/consumer/{'pause' if paused else 'resume'}"
        return self.services.ask(
            ConsumerView, "POST", service, path, self.token, ACTION_TIMEOUT_SECONDS, json={"reason": reason}
        )
