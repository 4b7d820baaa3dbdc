"""Drained: everything announced is published, and every queue is empty."""

from collections.abc import Mapping, Sequence
from typing import Any

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.verdict import Offence, Verdict
from ordersaga.broker.bound_contracts import RECORDS
from ordersaga.cli.app import Application
from ordersaga.relay.status import detached_queues, unpublished
from ordersaga.runtime.sessions import REPORT, connect
from projections.monitor.broker import QUEUE, Broker

QUESTION = "Is every outbox published, every queue empty and attached, and nothing unacknowledged?"


def drained(evidence: Evidence) -> Verdict:
    return judge(outboxes(evidence.application), queues(evidence.application))


def judge(outboxes: Mapping[str, Sequence[Any]], queues: Mapping[str, tuple[int, int]] | str) -> Verdict:
    """`outboxes` has by database the unpublished rows and the detached queues; `queues` the messages ready and
    unacknowledged, or why they are not known."""
    offences = []
    for database, (rows, detached) in outboxes.items():
        if rows:
            offences.append(Offence(f"outbox {database}", f"{rows} rows are not published"))
        offences += [Offence(f"queue {queue.queue}", f"is detached since {queue.since}") for queue in detached]
    if isinstance(queues, str):
        return Verdict("drained", QUESTION, {}, [*offences, Offence("broker", queues)])
    if not queues:
        offences.append(Offence("broker", "it has no queue"))
    for name, (ready, unacknowledged) in queues.items():
        if ready or unacknowledged:
            offences.append(Offence(f"queue {name}", f"{ready} ready, {unacknowledged} unacknowledged"))
    return Verdict("drained", QUESTION, {"queues": len(queues)}, offences)


def outboxes(application: Application) -> dict[str, tuple[int, Sequence[Any]]]:
    found: dict[str, tuple[int, Sequence[Any]]] = {}
    for service in application.with_outbox:
        with connect(application.owner_urls()[service.name], "ordersaga chaos", REPORT) as connection:
            found[service.name] = unpublished(connection), detached_queues(connection)
    return found


def queues(application: Application) -> dict[str, tuple[int, int]] | str:
    """By queue, messages ready and unacknowledged, as the broker counted them up to a second ago."""
    answer = Broker(application.broker_metrics_url()).ask()
    if answer.queues is None:
        return answer.problem or "no answer"
    kinds = f"{QUEUE}messages_ready", f"{QUEUE}messages_unacked"
    figures = answer.queues
    names = [name for name in figures.labels(*kinds) if not name.startswith(RECORDS)]
    return {name: (figures.total(kinds[0], name), figures.total(kinds[1], name)) for name in names}
