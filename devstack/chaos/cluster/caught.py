"""Caught: whether the suite itself says what a promoted standby has lost."""

from collections.abc import Iterable, Mapping, Sequence

import psycopg

from devstack.chaos.history import Operation, placed
from devstack.chaos.stage import Stage
from devstack.chaos.verdict import LOST, OK, Offence, Verdict
from ordersaga.reconcile.findings import ReconcileFinding
from ordersaga.reconcile.reconcile import Reconciliation

QUESTION = "Does `reconcile` name each lost order that another service knows, and the relay that history was lost?"
RELAY = "orders-relay"
SAYS_LOST = "has lost"
STORED = "select distinct originator_id::text from stored_events where originator_id = any(%s::uuid[])"
KNOWN = "select distinct key from event_log where key = any(%s)"


def caught(stage: Stage, operations: Sequence[Operation]) -> Verdict:
    """Of the database of orders. Call it when everything has settled as far as it does."""
    urls = stage.scene.application.owner_urls()
    orders = placed(operations)
    lost = set(orders) - present(urls["order_service"], STORED, orders)
    known = present(urls["projections"], KNOWN, lost)
    named = {finding.key for finding in findings(stage, urls)}
    counts = {OK: len(orders) - len(lost), LOST: len(lost), "known elsewhere": len(known), "named": len(known & named)}
    return judge(counts, known - named, stage.scene.said_by(RELAY))


def judge(counts: Mapping[str, int], unnamed: Iterable[str], relay_says: str) -> Verdict:
    offences = [Offence(f"order {order}", "is lost, known elsewhere, and reconcile is silent") for order in unnamed]
    if counts["known elsewhere"] and SAYS_LOST not in relay_says:
        offences.append(Offence(RELAY, f"does not say that history was lost; it says: {relay_says or 'nothing'}"))
    return Verdict("caught", QUESTION, counts, offences)


def present(url: str, query: str, ids: Iterable[str]) -> set[str]:
    with psycopg.connect(url) as connection:
        return {found for (found,) in connection.execute(query.encode(), (list(ids),))}


def findings(stage: Stage, urls: Mapping[str, str]) -> list[ReconcileFinding]:
    found: list[ReconcileFinding] = []
    Reconciliation(stage.scene.application.services, urls, found.append, patience=2).run()
    return found
