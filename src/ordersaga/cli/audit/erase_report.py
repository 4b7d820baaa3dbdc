"""The report of an erasure, as text and as JSON: what exists, what was erased, and what remains."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import click

from ordersaga.cli.app import Application
from ordersaga.cli.errors import full_command
from ordersaga.privacy.erasure import Erasure, Erasures

ERASED = "What is sealed under their keys becomes unreadable for good, in event stores, outboxes, messages on the"
ERASED += " broker, parked messages, views and every copy of them."


def not_touched(application: Application) -> list[str]:
    """The data that an erasure leaves."""
    return [
        "the subject (a pseudonym), and all that was recorded without being sealed",
        "free text that somebody typed elsewhere, such as a reason",
        *application.not_erased,
        "the keys in backups and archived WAL: a restored backup is erased again by "
        f"{full_command('audit erase --again')} and by every migration, from the list of erasures; let backups expire",
    ]


def not_touched_lines(application: Application) -> list[str]:
    return ["Not touched:", *(f"  - {what}" for what in not_touched(application))]


@dataclass
class Erasable:
    """The personal keys of one person, and the read side's data about them."""

    subject: str
    facts: Mapping[str, int | None]
    """The read side's numbers of rows, which may lag behind; None where it does not answer."""
    keys: dict[str, int] = field(default_factory=dict)
    """Database -> keys, of those that have any."""
    before: dict[str, Erasure] = field(default_factory=dict)
    """Database -> the last erasure there."""

    def text(self) -> str:
        keys = ", ".join(f"{number} in {database}" for database, number in self.keys.items())
        facts = [
            f"; {'an unknown number of' if number is None else number} {name} on the read side"
            for name, number in self.facts.items()
        ]
        return f"{self.subject}: keys: {keys or 'none'}{''.join(facts)}."


def report(
    application: Application,
    found: Erasable,
    erased: Mapping[str, Erasure],
    erasures: Erasures,
    as_json: bool,
    announced: bool,
) -> None:
    """Print the report; `announced`: the data that remains was printed before."""
    if as_json:
        said = {
            "subject": found.subject,
            **found.facts,
            "erased": {name: done.keys for name, done in erased.items()},
            "erased_before": {name: before._asdict() for name, before in found.before.items()},
            "list": erasures.path,
            "not_touched": not_touched(application),
        }
        click.echo(json.dumps(said, default=str))
        return
    for name, done in erased.items():
        click.echo(f"{name}: erased {len(done.keys)} of the keys of {found.subject}.")
    for name, before in found.before.items():
        click.echo(
            f"{name}: {before.actor} had erased earlier data at {before.erased_at:%Y-%m-%d %H:%M:%S%z}: {before.reason}"
        )
    if not erased:
        click.echo(f"{found.subject} has no key that is not erased, so there is nothing to do.")
    elif not announced:
        click.echo("\n".join(not_touched_lines(application)))


def report_again(repeated: Mapping[str, list[Erasure]], as_json: bool) -> None:
    if as_json:
        erased = {name: [done._asdict() for done in erasures] for name, erasures in repeated.items() if erasures}
        click.echo(json.dumps({"erased_again": erased}, default=str))
        return
    for name, erasures in repeated.items():
        for done in erasures:
            click.echo(f"{name}: erased again {len(done.keys)} of the keys of {done.subject}.")
    if not any(repeated.values()):
        click.echo("No key that the list names has come back.")
