"""`ordersaga parked note | hold | release`: what people write about failures, and what is not tried meanwhile."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import click
from psycopg import Connection

from ordersaga.cli.app import Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed, full_command
from ordersaga.cli.ids import IdDigits
from ordersaga.cli.options import actor_option, group_option, json_option, reason_option
from ordersaga.cli.parked.outcome import report
from ordersaga.cli.parked.refused import errors_as_failures
from ordersaga.cli.parked.selection import act, choose_by_id, one_or_all, refused_by_option
from ordersaga.cli.text import printable, to_json
from ordersaga.parked import failure_notes, operations
from ordersaga.parked.failure_notes import FailureNote, UnknownFailure
from ordersaga.parked.operator import Operator
from ordersaga.parked.refused_by import RefusedBy
from ordersaga.service import Service

NoteAt = tuple[Service, FailureNote]


def at_failure(
    application: Application,
    group: Service | None,
    failure: str,
    action: Callable[[Connection[Any], str], FailureNote],
) -> list[NoteAt]:
    """Apply an action to a failure group, at each group of workers that has it. Raises Failed when none has."""
    found: list[NoteAt] = []
    for service in one_or_all(application, group):
        with connected(application, service, service.role) as connection, errors_as_failures():
            try:
                found.append((service, action(connection, failure)))
            except UnknownFailure:
                continue
    if not found:
        raise Failed(f"There is no failure {failure}. {full_command('parked list')} names those that are.")
    return found


def show(found: list[NoteAt], as_json: bool) -> None:
    if as_json:
        click.echo(to_json({"failures": [{"group": service.group, **asdict(note)} for service, note in found]}))
        return
    for service, note in found:
        held = f"on hold by {note.held_by}: {note.held_reason}" if note.held_since else "not on hold"
        click.echo(printable(f"{service.group}: {note.failure} {note.error} of {note.contract or '-'}: {held}"))
        for name in ("owner", "link", "note"):
            if text := getattr(note, name):
                click.echo(f"  {name:6}" + "\n        ".join(map(printable, text.splitlines())))


@click.command("note")
@group_option
@click.argument("failure", metavar="FAILURE")
@click.option("--note", help="Free text; an empty one removes it.")
@click.option("--owner", help="Who cares for it; an empty text removes it.")
@click.option("--link", help="A ticket, http or https; an empty text removes it.")
@actor_option
@reason_option
@json_option
@click.pass_obj
def note(
    application: Application,
    /,
    group: Service | None,
    failure: str,
    actor: str,
    reason: str,
    as_json: bool,
    **said: Any,
) -> None:
    """Write a note, an owner or a link to a failure; it stays when its last message is gone."""
    if all(text is None for text in said.values()):
        raise click.UsageError("Say what to write: --note, --owner or --link.")
    write = partial(failure_notes.annotate, operator=Operator(actor, reason), **said)
    show(at_failure(application, group, failure, write), as_json)


def holding(command: Callable[..., Any]) -> Callable[..., Any]:
    """Arguments `messages`, `failure`, `group` and `refused_by`."""
    for option in (
        click.option("--failure", metavar="ID", help="A failure, with all that will fail so."),
        refused_by_option,
        group_option,
        click.argument("messages", nargs=-1, type=IdDigits(), metavar="[MESSAGE]..."),
        actor_option,
        reason_option,
        json_option,
    ):
        command = option(command)
    return command


@click.command("hold")
@holding
@click.pass_obj
def hold(application: Application, /, **chosen: Any) -> None:
    """Keep a failure, or single messages, from being tried until you release them.

    What fails in the same way from now on is held too. A message that you retry by itself is tried all the same.
    """
    hold_or_release(application, True, **chosen)


@click.command("release")
@holding
@click.pass_obj
def release(application: Application, /, **chosen: Any) -> None:
    """Let a failure, or single messages, be tried again; they are due now."""
    hold_or_release(application, False, **chosen)


def hold_or_release(
    application: Application,
    held: bool,
    messages: tuple[str, ...],
    failure: str | None,
    group: Service | None,
    refused_by: RefusedBy | None,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    if bool(messages) + bool(failure) != 1:
        raise click.UsageError("Say which: message ids, or --failure ID.")
    operator = Operator(actor, reason)
    if failure:
        action = failure_notes.hold if held else failure_notes.release
        show(at_failure(application, group, failure, partial(action, operator=operator)), as_json)
        return
    chosen = choose_by_id(application, messages, group, refused_by)
    act_on_one, label = (operations.hold, "hold") if held else (operations.release, "release")
    report(application, act(application, chosen, act_on_one, operator, label), as_json)
