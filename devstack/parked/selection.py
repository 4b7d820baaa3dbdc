"""Which messages a command is for: one, several, those of one failure, or all, of one consumer group or of all."""

import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

import click
from psycopg import Connection

from devstack.databases import connected
from devstack.environment import Environments
from devstack.processes import GROUPS
from ordersaga.cli.errors import Failed
from ordersaga.parked import inspection, operations
from ordersaga.parked.operations import Operator

Command = Callable[..., Any]

group_option = click.option("--group", type=click.Choice(GROUPS), help="Of this consumer group only.")


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


class Chosen(NamedTuple):
    """Messages of one consumer group, in the order in which they were parked."""

    group: str
    messages: list[UUID]


def choose(
    environments: Environments, messages: tuple[UUID, ...], group: str | None, failure: str | None, everything: bool
) -> list[Chosen]:
    """Raises UsageError unless one way of choosing is used, Failed when what is named is not parked."""
    if bool(messages) + bool(failure) + everything != 1:
        raise click.UsageError("Say which: message ids, or --failure ID, or --all.")
    if messages:
        return one_by_one(environments, messages, group)
    chosen = []
    for name in [group] if group else GROUPS:
        with connected(environments, name, name) as connection:
            chosen.append(Chosen(name, inspection.failed(connection, failure)))
    if failure and not any(found.messages for found in chosen):
        raise Failed(f"No message of the failure group {failure} is parked. `./ordersaga parked list` names them.")
    return [found for found in chosen if found.messages]


def one_by_one(environments: Environments, messages: tuple[UUID, ...], group: str | None) -> list[Chosen]:
    places: dict[UUID, list[str]] = {message: [] for message in messages}
    for name in [group] if group else GROUPS:
        with connected(environments, name, name) as connection:
            for message in places:
                if inspection.is_parked(connection, message):
                    places[message].append(name)
    for message, groups in places.items():
        require_one(message, groups)
    by_group: dict[str, list[UUID]] = {}
    for message, (name,) in places.items():
        by_group.setdefault(name, []).append(message)
    return [Chosen(name, found) for name, found in by_group.items()]


def require_one(message: UUID, groups: list[str]) -> None:
    if not groups:
        raise Failed(f"Message {message} is not parked. `./ordersaga parked list --messages` names those that are.")
    if len(groups) > 1:
        raise Failed(f"Message {message} is parked by {' and '.join(groups)}: say which with --group.")


def find(environments: Environments, message: UUID, group: str | None) -> str:
    """The consumer group that has parked this message. Raises Failed."""
    return one_by_one(environments, (message,), group)[0].group


Action = Callable[[Connection[Any], UUID, Operator], str | None]


def act(
    environments: Environments, chosen: list[Chosen], action: Action, operator: Operator, label: str
) -> list[dict[str, Any]]:
    """Do it to each in a transaction of its own, with progress. Those that have left meanwhile are `gone`."""
    done = []
    total = sum(len(found.messages) for found in chosen)
    with click.progressbar(length=total, label=label, file=sys.stderr, hidden=total == 1) as bar:
        for group, message, connection in each(environments, chosen):
            try:
                state = action(connection, message, operator)
            except operations.UnknownMessage:
                state = "gone"
            done.append({"group": group, "message_id": message, "state": state})
            bar.update(1)
    return done


def each(environments: Environments, chosen: list[Chosen]) -> Iterator[tuple[str, UUID, Connection[Any]]]:
    for group, messages in chosen:
        with connected(environments, group, group) as connection:
            for message in messages:
                yield group, message, connection
