"""Shared options and arguments: times, services and groups by name, actor and reason."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from getpass import getuser
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from ordersaga.cli.names import completions, not_one_of

if TYPE_CHECKING:
    from ordersaga.cli.app import Application
    from ordersaga.service import Service


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
AGE = re.compile(r"(\d{1,9})([smhd])")


class Moment(click.ParamType[datetime]):
    """An ISO 8601 time, without an offset in UTC; or an age, such as 30s, 5m, 2h or 1d."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            if age := AGE.fullmatch(value):
                return datetime.now(UTC) - timedelta(seconds=int(age[1]) * UNITS[age[2]])
            moment = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time such as 2026-03-01T12:00:00+00:00, or an age such as 5m", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def application_of(context: click.Context | None) -> "Application":
    """The application that the commands work on; for a shell that completes, when no command has run, a new one."""
    from ordersaga.cli.app import Application
    from ordersaga.cli.loading import services_of

    assert context, "commands run in a context"
    found = context.find_object(Application)
    return found or Application(partial(services_of, context.find_root().params.get("app")))


class OneOfServices(click.ParamType["Service"]):
    """A service of the application, by the name that `name_of` gives it."""

    name = "service"
    also: Sequence[str] = ()
    """Other words that may stand in the place of a name, for its message."""

    def candidates(self, application: "Application") -> list["Service"]:
        return list(application.services)

    def name_of(self, service: "Service") -> str:
        return service.name

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> "Service":
        if ctx and ctx.resilient_parsing:
            self.fail("a shell that completes needs no service, whose import takes a second", param, ctx)
        by_name = {self.name_of(service): service for service in self.candidates(application_of(ctx))}
        if value not in by_name:
            self.fail(not_one_of(value, [*by_name, *self.also]), param, ctx)
        return by_name[value]

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        application = application_of(ctx)
        known = application.known_names.get(self.name)
        try:
            names = known or [self.name_of(service) for service in self.candidates(application)]
        except click.ClickException:
            return []
        return completions(names, incomplete)


class OneWithOutbox(OneOfServices):
    """A service that a relay publishes."""

    name = "publishing service"

    def candidates(self, application: "Application") -> list["Service"]:
        return application.with_outbox


class OneOfGroups(OneOfServices):
    """A service by its consumer group."""

    name = "group"

    def name_of(self, service: "Service") -> str:
        return service.group


services_argument = click.argument("services", nargs=-1, type=OneWithOutbox(), metavar="[SERVICE]...")
group_option = click.option("--group", type=OneOfGroups(), metavar="GROUP", help="Of this consumer group only.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def account_name() -> str:
    try:
        return getuser()
    except (KeyError, OSError):
        raise click.UsageError("Your account has no name here: say who you are with --actor.") from None


actor_option = click.option(
    "--actor", envvar="USER", default=account_name, help="Who you are, for the record.  [default: your account's name]"
)


def require_text(_: click.Context, __: click.Parameter, reason: str) -> str:
    if not reason.strip():
        raise click.BadParameter("say why, in a few words: it is kept beside your name")
    return reason


reason_option = click.option("--reason", required=True, callback=require_text, help="Why, for the record.")
