"""Which messages a command is for: one, several, those of one failure, or all, of one consumer group or of all."""

import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

import click
from psycopg import Connection

from ordersaga.cli.app import Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed, run_this
from ordersaga.cli.options import group_option
from ordersaga.parked import inspection, operations
from ordersaga.parked.operations import Operator
from ordersaga.service import Service

Command = Callable[..., Any]


def selecting(command: Command) -> Command:
    """Arguments `messages`, `failure`, `everything` and `group`."""
    for option in (
        click.option("--all", "everything", is_flag=True, help="Every message that failed."),
        click.option("--failure", metavar="ID", help="Those of one failure group, as `parked list` names it."),
        group_option,
        click.argument("messages", nargs=-1, type=click.UUID, metavar="[MESSAGE]..."),
    ):
        command = option(command)
    return command


def one_or_all(application: Application, group: Service | None) -> list[Service]:
    return [group] if group else list(application.services)


class Chosen(NamedTuple):
    """Messages of one consumer group, in the order in which they were parked."""

    service: Service
    messages: list[UUID]


def choose(
    application: Application,
    messages: tuple[UUID, ...],
    group: Service | None,
    failure: str | None,
    everything: bool,
) -> list[Chosen]:
    """Raises UsageError unless one way of choosing is used, Failed when what is named is not parked."""
    if bool(messages) + bool(failure) + everything != 1:
        raise click.UsageError("Say which: message ids, or --failure ID, or --all.")
    if messages:
        return one_by_one(application, messages, group)
    chosen = []
    for service in one_or_all(application, group):
        with connected(application, service, service.role) as connection:
            chosen.append(Chosen(service, inspection.failed(connection, failure)))
    if failure and not any(found.messages for found in chosen):
        raise Failed(f"No message of the failure group {failure} is parked. {run_this('parked list')} names them.")
    return [found for found in chosen if found.messages]


def one_by_one(application: Application, messages: tuple[UUID, ...], group: Service | None) -> list[Chosen]:
    parked_by: dict[UUID, list[Service]] = {message: [] for message in messages}
    for service in one_or_all(application, group):
        with connected(application, service, service.role) as connection:
            for message in parked_by:
                if inspection.is_parked(connection, message):
                    parked_by[message].append(service)
    by_service: dict[Service, list[UUID]] = {}
    for message, services in parked_by.items():
        by_service.setdefault(the_only(message, services), []).append(message)
    return [Chosen(service, found) for service, found in by_service.items()]


def the_only(message: UUID, services: list[Service]) -> Service:
    """The service whose group has parked the message. Raises Failed."""
    if not services:
        advice = f"{run_this('parked list --messages')} names those that are."
        raise Failed(f"Message {message} is not parked. {advice}")
    if len(services) > 1:
        names = " and ".join(service.group for service in services)
        raise Failed(f"Message {message} is parked by {names}: say which with --group.")
    return services[0]


def find(application: Application, message: UUID, group: Service | None) -> Service:
    """The service whose group has parked this message. Raises Failed."""
    return one_by_one(application, (message,), group)[0].service


Action = Callable[[Connection[Any], UUID, Operator], str | None]


def act(
    application: Application, chosen: list[Chosen], action: Action, operator: Operator, label: str
) -> list[dict[str, Any]]:
    """Do it to each in a transaction of its own, with progress. Those that have left meanwhile are `gone`."""
    done = []
    total = sum(len(found.messages) for found in chosen)
    with click.progressbar(length=total, label=label, file=sys.stderr, hidden=total == 1) as bar:
        for service, message, connection in each(application, chosen):
            try:
                state = action(connection, message, operator)
            except operations.UnknownMessage:
                state = "gone"
            done.append({"group": service.group, "message_id": message, "state": state})
            bar.update(1)
    return done


def each(application: Application, chosen: list[Chosen]) -> Iterator[tuple[Service, UUID, Connection[Any]]]:
    for service, messages in chosen:
        with connected(application, service, service.role) as connection:
            for message in messages:
                yield service, message, connection
