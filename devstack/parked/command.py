"""`ordersaga parked list | show | actions | retry | dry-run | edit | skip`."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from devstack.databases import connected
from devstack.options import actor_option, environments_of_running, json_option, reason_option, state_option
from devstack.parked import display
from devstack.parked.selection import act, choose, each, find, group_option, selecting
from devstack.parked.services import handler_of, world_of
from devstack.processes import GROUPS
from devstack.state import State
from devstack.text import to_json
from ordersaga.cli.errors import Failed
from ordersaga.parked import dry_run as rehearsal
from ordersaga.parked import inspection, operations
from ordersaga.parked.operations import Operator, Refused, UnknownMessage

LONGEST_LIST = 100


@contextmanager
def told() -> Iterator[None]:
    """What the library refuses, said to a person."""
    try:
        yield
    except (UnknownMessage, Refused) as error:
        raise Failed(f"Nothing was done: {error}.") from None


def report(done: list[dict[str, Any]], as_json: bool, state: str | None = None) -> None:
    """`state` is what has become of messages that are no longer there."""
    done = [{**one, "state": one["state"] or state} for one in done]
    if as_json:
        print(to_json({"messages": done}))
        return
    for (group, name), number in Counter((one["group"], one["state"]) for one in done).items():
        print(f"{group}: {number} {display.STATES[name]}")
    if not done:
        print("Nothing is parked.")


@click.group()
def parked() -> None:
    """Look at messages that could not be handled, and deal with them.

    A message that fails holds up the later messages of its key, and nothing else. Mend the cause, then retry; every
    action is recorded with who and why.
    """


@parked.command("list")
@state_option
@group_option
@click.option("--failure", metavar="ID", help="Of this failure group only.")
@click.option("--messages", "singly", is_flag=True, help="List the messages instead of their failure groups.")
@click.option("--limit", type=click.IntRange(min=1), default=LONGEST_LIST, show_default=True, help="With --messages.")
@json_option
def list_(state: State, group: str | None, failure: str | None, singly: bool, limit: int, as_json: bool) -> None:
    """List failures, each an exception and the place that raised it: how many messages, since when, what waits."""
    environments = environments_of_running(state)
    groups: list[tuple[str, inspection.FailureGroup]] = []
    messages: list[dict[str, Any]] = []
    for name in [group] if group else GROUPS:
        with connected(environments, name, name) as connection:
            if singly:
                messages += [{"group": name, **row} for row in inspection.messages(connection, failure, limit)]
            else:
                found = inspection.failure_groups(connection)
                groups += [(name, each) for each in found if failure in (None, each.failure)]
    if as_json:
        print(to_json({"messages": messages[:limit]} if singly else {"failures": display.groups_json(groups)}))
    elif messages or groups:
        lines = display.messages_table(messages[:limit]) if singly else display.groups_table(groups)
        print("\n".join(lines))
    else:
        print("Nothing is parked.")


@parked.command()
@state_option
@group_option
@click.argument("message", type=click.UUID)
@json_option
def show(state: State, group: str | None, message: UUID, as_json: bool) -> None:
    """Show one message: headers, body, failure with traceback, what waits behind it, what was done to it."""
    environments = environments_of_running(state)
    group = find(environments, message, group)
    with connected(environments, group, group) as connection, told():
        found = {"group": group, **inspection.show(connection, message)}
    print(to_json(found) if as_json else "\n".join(display.message_text(found)))


@parked.command()
@state_option
@group_option
@click.argument("message", type=click.UUID, required=False)
@click.option("--limit", type=click.IntRange(min=1), default=LONGEST_LIST, show_default=True, help="The newest.")
@json_option
def actions(state: State, group: str | None, message: UUID | None, limit: int, as_json: bool) -> None:
    """List who retried, edited or skipped what, when and why; also of messages that are no longer parked."""
    environments = environments_of_running(state)
    found: list[dict[str, Any]] = []
    for name in [group] if group else GROUPS:
        with connected(environments, name, name) as connection:
            found += [{"group": name, **row} for row in inspection.actions(connection, message, limit)]
    found = sorted(found, key=itemgetter("acted_at"), reverse=True)[:limit]
    print(to_json({"actions": found}) if as_json else "\n".join(display.actions_table(found) or ["None."]))


@parked.command()
@state_option
@selecting
@actor_option
@reason_option
@json_option
def retry(state: State, actor: str, reason: str, as_json: bool, **selection: Any) -> None:
    """Try messages again now, with all their attempts; dead ones too. What waits behind them follows in order."""
    environments = environments_of_running(state)
    chosen = choose(environments, **selection)
    report(act(environments, chosen, operations.retry, Operator(actor, reason), "retry"), as_json)


@parked.command()
@state_option
@selecting
@actor_option
@reason_option
@click.option("--yes", is_flag=True, help="Do not ask when it is for more than one message.")
@json_option
def skip(state: State, actor: str, reason: str, yes: bool, as_json: bool, **selection: Any) -> None:
    """Give messages up: they never take effect, and what waits behind them goes on. This cannot be undone."""
    environments = environments_of_running(state)
    chosen = choose(environments, **selection)
    number = sum(len(found.messages) for found in chosen)
    if number > 1 and not yes:
        click.confirm(f"Skip {number} messages for good?", abort=True, err=True)
    report(act(environments, chosen, operations.skip, Operator(actor, reason), "skip"), as_json, "skipped")


@parked.command()
@state_option
@group_option
@click.argument("message", type=click.UUID)
@click.option(
    "--file",
    "source",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="The new body; - is standard input.  [default: opens $EDITOR]",
)
@actor_option
@reason_option
@json_option
def edit(
    state: State, group: str | None, message: UUID, source: Path | None, actor: str, reason: str, as_json: bool
) -> None:
    """Replace the body of one message and try it again. The original is kept; the contract has to be met."""
    environments = environments_of_running(state)
    group = find(environments, message, group)
    with connected(environments, group, group) as connection, told():
        body = read_body(source, inspection.show(connection, message)["body"])
        operator = Operator(actor, reason)
        new_state = operations.edit(connection, message, body, handler_of(group).contracts, operator)
    report([{"group": group, "message_id": message, "state": new_state}], as_json)


def read_body(source: Path | None, now: bytes) -> bytes:
    if source is not None:
        return sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
    edited = click.edit(now.decode(errors="replace"), extension=".json")
    if edited is None:
        raise Failed("The body was not changed, so nothing was done.")
    return edited.strip().encode()


@parked.command("dry-run")
@state_option
@selecting
@click.option("--outside", is_flag=True, help="Call outside steps too, for real: a card may be charged.")
@json_option
def dry_run(state: State, outside: bool, as_json: bool, **selection: Any) -> None:
    """Run the reaction, show the rows it makes, and roll everything back. Exit code 1 when one would fail.

    Outside steps (calls to other systems, such as the card processor) are left out, and the reaction with them,
    unless --outside is given. Of several messages each is tried as if the others were not there.
    """
    environments = environments_of_running(state)
    runs: list[dict[str, Any]] = []
    failed = False
    chosen = choose(environments, **selection)
    handlers = {found.group: handler_of(found.group) for found in chosen}
    worlds = {found.group: world_of(environments, found.group) if outside else rehearsal.NO_WORLD for found in chosen}
    for group, message, connection in each(environments, chosen):
        with told():
            run = rehearsal.dry_run(connection, message, handlers[group], worlds[group])
        failed = failed or run.failure is not None
        if as_json:
            runs.append({"group": group, **run.as_json()})
        else:
            print("\n".join(display.dry_run_text(group, run)))
    if as_json:
        print(to_json({"dry_runs": runs}))
    else:
        print("Everything was rolled back.")
    raise SystemExit(1 if failed else 0)
