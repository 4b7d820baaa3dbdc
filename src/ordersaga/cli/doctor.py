"""`ordersaga doctor`: name what stalls a running application, and what to do."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from ordersaga.cli.app import OWNER, PROVISIONER, Application
from ordersaga.cli.options import json_option
from ordersaga.cli.text import ago, printable, to_json
from ordersaga.diagnosis.diagnose import SECONDS, DiagnosedServers, Diagnosis, diagnose
from ordersaga.diagnosis.findings import PLACES, DiagnosisFinding, Unseen
from ordersaga.diagnosis.limits import DiagnosisLimits
from ordersaga.diagnosis.named_lock import NamedLock
from ordersaga.diagnosis.party import Party
from ordersaga.diagnosis.questions import Terms
from ordersaga.diagnosis.settings import DiagnosisSettings
from ordersaga.runtime.settings import read_settings

LIMITS = DiagnosisLimits()
INDENT = " " * 10
SECONDS_OF = click.FloatRange(min=0)


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options `transaction`, `wait` and `timeout`, in seconds."""
    for name, default, text in (
        ("timeout", SECONDS, "When a server has not answered by then, that is a finding."),
        ("wait", LIMITS.wait, "How long a session may wait for a lock."),
        ("transaction", LIMITS.transaction, "How long a transaction may be open."),
    ):
        command = click.option(
            f"--{name}", type=SECONDS_OF, default=default, show_default=True, metavar="SECONDS", help=text
        )(command)
    return command


locks_option = click.option(
    "--locks", is_flag=True, help="Also list who has which named lock: relays, workers, commands."
)


@click.command()
@limit_options
@locks_option
@json_option
@click.pass_obj
def doctor(
    application: Application, transaction: float, wait: float, timeout: float, locks: bool, as_json: bool
) -> None:
    """Name what stalls a running application: what, since when, who, and what to do.

    It asks Postgres, RabbitMQ and the tables of the services, all at the same time, and changes nothing. It ends within
    the timeout also when a server hangs. BROKER_METRICS_URL lets it see the broker's alarms, its clock, and queues
    that belong to no service.

    Exit code 0 when there is nothing to find, 1 when there is, 2 when nothing was found but something could not be
    seen, or a URL is missing.
    """
    found = ask_servers(application, DiagnosisLimits(transaction=transaction, wait=wait), timeout)
    click.echo(to_json(as_data(found)) if as_json else "\n".join(lines(found, locks)))
    raise SystemExit(exit_code(found))


def ask_servers(application: Application, limits: DiagnosisLimits, seconds: float) -> Diagnosis:
    """Ask the servers of the application. Raises MissingSetting when a URL is missing."""
    servers = DiagnosedServers(
        application.services,
        application.urls(application.services, OWNER),
        application.amqp_url(PROVISIONER),
        application.broker_metrics_url(),
    )
    return diagnose(servers, Terms(limits, read_settings(DiagnosisSettings)), seconds)


def exit_code(found: Diagnosis) -> int:
    return 1 if found.findings else 2 if found.unseen else 0


def as_data(found: Diagnosis) -> dict[str, Any]:
    """`clean` says that everything could be seen, and nothing was found."""
    return {
        "clean": exit_code(found) == 0,
        "findings": list(map(finding_data, found.findings)),
        "unseen": [asdict(each) for each in found.unseen],
        "locks": [{**lock._asdict(), "who": party_data(lock.who)} for lock in found.locks],
    }


def finding_data(finding: DiagnosisFinding) -> dict[str, Any]:
    data = asdict(finding)
    return {"places": data.pop("place").split(PLACES), **data, "who": party_data(finding.who)}


def party_data(party: Party | None) -> dict[str, Any] | None:
    return party._asdict() if party else None


def lines(found: Diagnosis, with_locks: bool) -> Iterator[str]:
    """The findings, what was not seen, and a verdict in the last line."""
    for text in paragraphs(found, with_locks):
        yield from map(printable, text)
    yield verdict(found)


def paragraphs(found: Diagnosis, with_locks: bool) -> Iterator[list[str]]:
    yield from map(finding_lines, found.findings)
    yield from map(unseen_lines, found.unseen)
    if with_locks:
        yield from map(lock_lines, found.locks)


def finding_lines(finding: DiagnosisFinding) -> list[str]:
    since = f" ({since_text(finding.since)})" if finding.since else ""
    who = [f"{INDENT}who: {party_text(finding.who)}"] if finding.who else []
    return [f"{finding.severity:10}{finding.place}: {finding.what}{since}", *who, f"{INDENT}do:  {finding.remedy}"]


def unseen_lines(unseen: Unseen) -> list[str]:
    return [f"{'not seen':10}{unseen.place}: {unseen.what}", f"{INDENT}do:  {unseen.remedy}"]


def lock_lines(lock: NamedLock) -> list[str]:
    verb = ("shares" if lock.is_shared else "has") if lock.is_held else "waits for"
    who = f"{lock.who.application_name or 'a session without a name'}, pid {lock.who.pid},"
    return [f"{'lock':10}{lock.place}: {who} {verb} the {lock.name}"]


def party_text(party: Party) -> str:
    """The session, its transaction and its statement, as far as they may be seen."""
    name = f" {party.application_name}" if party.application_name else ""
    known = [
        f"pid {party.pid}{name}",
        f"from {party.client}" if party.client else "",
        f"role {party.role}, database {party.database}",
        party.state or "",
        f"transaction {since_text(party.transaction_since)}" if party.transaction_since else "",
    ]
    text = ", ".join(filter(None, known))
    return f"{text}: {party.statement}" if party.statement else text


def since_text(moment: datetime) -> str:
    return f"since {moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, {ago(moment)}"


def verdict(found: Diagnosis) -> str:
    number = len(found.findings)
    what = f"Findings: {number}" if number else "Nothing found"
    return f"{what}. Not seen: {len(found.unseen)}" if found.unseen else what
