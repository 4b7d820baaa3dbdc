"""The diagnosis: asks every server at the same time, and ends in time whether they answer or not."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Thread

from ordersaga.diagnosis.application import pauses, seeding
from ordersaga.diagnosis.application.workers import workers
from ordersaga.diagnosis.ask_broker import ask_broker, ask_metrics
from ordersaga.diagnosis.ask_database import SeenServers, ask_database
from ordersaga.diagnosis.database import held_locks, lock_waits, transactions
from ordersaga.diagnosis.findings import PLACES, DiagnosisFinding, Unseen
from ordersaga.diagnosis.named_lock import NamedLock
from ordersaga.diagnosis.questions import Answered, Terms
from ordersaga.service import Service

SECONDS = 10.0
"""After this time a server counts as one that does not answer."""
STAND_STILL = {pauses.KIND, held_locks.KIND}
"""Findings that explain why nobody receives."""


@dataclass(frozen=True)
class DiagnosedServers:
    """The services of an application, and where their servers are."""

    services: Sequence[Service]
    database_urls: Mapping[str, str]
    """By database."""
    amqp_url: str
    metrics_urls: str = ""
    """Base URLs of the broker's metrics, with spaces between; empty without them."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found, the most severe first."""

    findings: list[DiagnosisFinding]
    unseen: list[Unseen]
    locks: list[NamedLock]


def diagnose(servers: DiagnosedServers, terms: Terms, seconds: float = SECONDS) -> Diagnosis:
    """Ask all questions of all servers; one that has not answered after so many seconds is a finding."""
    seen = SeenServers()
    tasks = [
        (Answered(each.database), partial(ask_database, each, servers.database_urls[each.database], terms, seen))
        for each in servers.services
    ]
    tasks += [
        (Answered("rabbitmq"), partial(ask_broker, servers.services, servers.amqp_url, terms)),
        (Answered("rabbitmq metrics"), partial(ask_metrics, servers.services, servers.metrics_urls, terms)),
    ]
    # Daemons: a server that hangs does not keep the process from ending.
    threads = [Thread(target=guarded, args=(ask, answered), daemon=True) for answered, ask in tasks]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread, (answered, _) in zip(threads, tasks, strict=True):
        thread.join(max(0, end - time.monotonic()))
        if thread.is_alive():
            answered.findings.append(no_answer(answered, seconds))
    return collect(servers.services, [answered for answered, _ in tasks])


def guarded(ask: Callable[[Answered], None], answered: Answered) -> None:
    """Ask, and say of a fault of the diagnosis itself what was not asked."""
    try:
        ask(answered)
    except Exception as error:  # noqa: BLE001 - a thread that ends without a word would look like a healthy server
        what = f"everything from the question {answered.asking} on, because of a fault of doctor: {error!r}"
        answered.unseen.append(Unseen(answered.place, what, "report it"))


def no_answer(answered: Answered, seconds: float) -> DiagnosisFinding:
    what = f"{answered.place} does not answer: {seconds:g} s were not enough when it was asked {answered.asking}"
    return DiagnosisFinding(
        "critical", "does not answer", answered.place, what, "see whether it hangs or is overloaded"
    )


def collect(services: Iterable[Service], answers: Sequence[Answered]) -> Diagnosis:
    """What all servers said, and what follows from what two of them said."""
    by_group = {service.group: service for service in services}
    locks = [lock for answered in answers for lock in answered.locks]
    findings = [finding for answered in answers for finding in answered.findings]
    paused = {finding.place for finding in findings if finding.kind in STAND_STILL}
    groups = [status for answered in answers for status in answered.groups]
    together = Answered("")
    together.take(workers(groups, by_group, locks, paused))
    begun = {finding.place for finding in findings if finding.kind == seeding.KIND}
    together.take(seeding.not_begun(groups, by_group, begun))
    unseen = [each for answered in answers for each in answered.unseen]
    return Diagnosis(sorted(merged(without_repeats(findings + together.findings)), key=severity), unseen, locks)


def without_repeats(findings: Sequence[DiagnosisFinding]) -> list[DiagnosisFinding]:
    """Without the open transactions of sessions whose locks are findings already."""
    named = {session_of(finding) for finding in findings if finding.kind == lock_waits.KIND}
    return [finding for finding in findings if finding.kind != transactions.KIND or session_of(finding) not in named]


def session_of(finding: DiagnosisFinding) -> tuple[str, int | None]:
    return finding.place, finding.who.pid if finding.who else None


def severity(finding: DiagnosisFinding) -> tuple[bool, str]:
    return finding.severity != "critical", finding.place


def merged(findings: Iterable[DiagnosisFinding]) -> list[DiagnosisFinding]:
    """What is true of several databases is told once, with all their names."""
    found: dict[DiagnosisFinding, list[str]] = {}
    for finding in findings:
        found.setdefault(replace(finding, place=""), []).append(finding.place)
    return [replace(finding, place=PLACES.join(dict.fromkeys(places))) for finding, places in found.items()]
