"""The selection of parked messages: by id, failure group or key, or all; of one service or of all."""

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import UUID

import click
from psycopg import Connection

from ordersaga.cli.app import Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed, full_command
from ordersaga.cli.ids import IdDigits, KeyText, only
from ordersaga.cli.options import group_option
from ordersaga.parked import by_digits, inspection, listing, running_attempt
from ordersaga.parked.listing import ParkedFilter
from ordersaga.parked.operator import Operator, UnknownMessage
from ordersaga.parked.refused_by import REFUSED_BY, RefusedBy
from ordersaga.parked.running_attempt import AttemptRuns
from ordersaga.readside import short_ids
from ordersaga.service import Service

Command = Callable[..., Any]
Search = Callable[[Connection[Any], str, int], list[UUID]]


refused_by_option = click.option(
    "--refused-by", type=click.Choice(REFUSED_BY), help="Only messages that a reaction, or that the broker refused."
)


def selecting(command: Command) -> Command:
    """Arguments `messages`, `key`, `failure`, `everything`, `group` and `refused_by`."""
    for option in (
        click.option("--all", "everything", is_flag=True, help="Every message that failed."),
        click.option("--key", type=KeyText(), help="The first message of this key, which the others wait for."),
        click.option("--failure", metavar="ID", help="Those of one failure group, as `parked list` names it."),
        refused_by_option,
        group_option,
        click.argument("messages", nargs=-1, type=IdDigits(), metavar="[MESSAGE]..."),
    ):
        command = option(command)
    return command


def one_or_all(application: Application, group: Service | None) -> list[Service]:
    return [group] if group else list(application.services)


class Target(NamedTuple):
    """A parked message, and who refused it."""

    message: UUID
    refused_by: RefusedBy


class Chosen(NamedTuple):
    """Messages of one service, in the order in which they were parked."""

    service: Service
    targets: list[Target]


def choose(
    application: Application,
    messages: tuple[str, ...],
    group: Service | None,
    refused_by: RefusedBy | None,
    failure: str | None,
    key: str | None,
    everything: bool,
) -> list[Chosen]:
    """Raises UsageError unless one way of choosing is used, Failed when what is named is not parked."""
    if bool(messages) + bool(failure) + bool(key) + everything != 1:
        raise click.UsageError("Say which: message ids, or --failure ID, or --key KEY, or --all.")
    if messages:
        return choose_by_id(application, messages, group, refused_by)
    wanted = ParkedFilter(failure=failure, key=key, refused_by=refused_by, failed=True)
    chosen = []
    for service in one_or_all(application, group):
        with connected(application, service, service.role) as connection:
            rows = listing.messages(connection, wanted)
        chosen.append(Chosen(service, [Target(row["message_id"], row["refused_by"]) for row in rows]))
    if (failure or key) and not any(found.targets for found in chosen):
        what = f"of the failure group {failure}" if failure else f"of the key {key}"
        raise Failed(f"No message {what} is parked. {full_command('parked list')} shows what is.")
    return [found for found in chosen if found.targets]


def whole_id(application: Application, digits: str, group: Service | None, search: Search = by_digits.parked) -> UUID:
    """The id with these digits among those that `search` finds. Raises Failed."""
    if found := short_ids.whole(digits):
        return found
    candidates: dict[UUID, None] = {}
    for service in one_or_all(application, group):
        with connected(application, service, service.role) as connection:
            candidates |= dict.fromkeys(search(connection, digits, short_ids.MAX_CANDIDATES))
    return only(list(candidates)[: short_ids.MAX_CANDIDATES], digits, not_parked(f"Message {digits}"))


def not_parked(what: str) -> str:
    return f"{what} is not parked. {full_command('parked list --messages')} names those that are."


def choose_by_id(
    application: Application, messages: tuple[str, ...], group: Service | None, refused_by: RefusedBy | None
) -> list[Chosen]:
    """Raises Failed when a message is not parked, or is parked more than once."""
    found: dict[UUID, list[tuple[Service, RefusedBy]]] = {
        whole_id(application, message, group): [] for message in messages
    }
    for service in one_or_all(application, group):
        with connected(application, service, service.role) as connection:
            for message, refusals in found.items():
                parked = inspection.refusals(connection, message)
                refusals += [(service, by) for by in parked if refused_by in (None, by)]
    by_service: dict[Service, list[Target]] = {}
    for message, refusals in found.items():
        service, by = only_refusal(message, refusals)
        by_service.setdefault(service, []).append(Target(message, by))
    return [Chosen(service, targets) for service, targets in by_service.items()]


def only_refusal(message: UUID, refusals: list[tuple[Service, RefusedBy]]) -> tuple[Service, RefusedBy]:
    """The only service that has parked the message, and who refused it. Raises Failed."""
    if not refusals:
        raise Failed(not_parked(f"Message {message}"))
    if len(refusals) > 1:
        names = " and ".join(f"{service.group} ({by})" for service, by in refusals)
        raise Failed(f"Message {message} is parked by {names}: say which with --group or --refused-by.")
    return refusals[0]


def find(
    application: Application, message: str, group: Service | None, refused_by: RefusedBy | None
) -> tuple[Service, Target]:
    """The parked message with this id, or these digits of it, and the service that has parked it. Raises Failed."""
    [(service, [target])] = choose_by_id(application, (message,), group, refused_by)
    return service, target


Action = Callable[..., str | None]
"""(connection, message id, operator, refused_by=...) -> the new state."""


def act(
    application: Application, chosen: list[Chosen], action: Action, operator: Operator, label: str
) -> list[dict[str, Any]]:
    """Apply an action to each message in its own transaction, with progress. Messages no longer parked are `gone`.

    Workers begin no attempt before it; those under way are waited for.
    """
    done = []
    for service, targets in chosen:
        with connected(application, service, service.role) as connection, suppress(AttemptRuns):
            running_attempt.await_end(connection, [target.message for target in targets])
    total = sum(len(found.targets) for found in chosen)
    with click.progressbar(length=total, label=label, file=sys.stderr, hidden=total == 1) as bar:
        for service, (message, refused_by), connection in connected_targets(application, chosen):
            try:
                state = action(connection, message, operator, refused_by=refused_by)
            except UnknownMessage:
                state = "gone"
            done.append({"group": service.group, "message_id": message, "refused_by": refused_by, "state": state})
            bar.update(1)
    return done


def connected_targets(
    application: Application, chosen: list[Chosen]
) -> Iterator[tuple[Service, Target, Connection[Any]]]:
    """Each message with its service and a connection to the service's database."""
    for service, targets in chosen:
        with connected(application, service, service.role) as connection:
            for target in targets:
                yield service, target, connection
