"""Shared options and arguments: times, services and groups by name, actor and reason."""

from datetime import UTC, datetime
from getpass import getuser
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ordersaga.cli.app import Application
    from ordersaga.service import Service


class Moment(click.ParamType[datetime]):
    """An ISO 8601 time; without an offset it is UTC."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-03-01T12:00:00+00:00", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class OneOfServices(click.ParamType["Service"]):
    """A service of the application, by the name that `name_of` gives it."""

    name = "service"

    def candidates(self, application: "Application") -> list["Service"]:
        return list(application.services)

    def name_of(self, service: "Service") -> str:
        return service.name

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> "Service":
        from ordersaga.cli.app import Application

        application = ctx and ctx.find_object(Application)
        assert application, "the group of commands makes one"
        by_name = {self.name_of(service): service for service in self.candidates(application)}
        if value not in by_name:
            self.fail(f"{value!r} is not one of {', '.join(map(repr, by_name))}.", param, ctx)
        return by_name[value]


class OneWithOutbox(OneOfServices):
    """A service that a relay publishes."""

    def candidates(self, application: "Application") -> list["Service"]:
        return application.with_outbox


class OneOfGroups(OneOfServices):
    """A service by its consumer group."""

    name = "group"

    def name_of(self, service: "Service") -> str:
        return service.group


services_argument = click.argument("services", nargs=-1, type=OneWithOutbox(), metavar="[SERVICE]...")
service_option = click.option("--service", type=OneWithOutbox(), metavar="SERVICE", help="Of this service only.")
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
