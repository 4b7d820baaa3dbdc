"""Ids that are given to a command whole or by some of their digits."""

from collections.abc import Sequence
from uuid import UUID

import click

from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import application_of
from ordersaga.cli.projections.read_side import read_side_of
from ordersaga.readside import short_ids


class IdDigits(click.ParamType[str]):
    """The digits of an id, or at least four of them, without hyphens."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        digits = short_ids.digits_of(value)
        if digits is None:
            self.fail(f"{value!r} is not {short_ids.RULE}", param, ctx)
        return digits


class MessageId(click.ParamType[UUID]):
    """A message of the event log, whole or by the first of its digits."""

    name = "id"

    def convert(self, value: str | UUID, param: click.Parameter | None, ctx: click.Context | None) -> UUID:
        digits = IdDigits().convert(str(value), param, ctx)
        return short_ids.whole(digits) or self.found(application_of(ctx), digits)

    def found(self, application: Application, digits: str) -> UUID:
        with connected(application, read_side_of(application), OWNER) as connection:
            candidates = short_ids.messages_beginning(connection, digits)
        unknown = f"No message of the event log begins with {digits}. Give its first digits, or the whole id."
        return only(candidates, digits, unknown)


class KeyId(click.ParamType[UUID]):
    """An id that is a key, such as an order's, whole or by the last of its digits, which pages show."""

    name = "id"

    def convert(self, value: str | UUID, param: click.Parameter | None, ctx: click.Context | None) -> UUID:
        digits = IdDigits().convert(str(value), param, ctx)
        return short_ids.whole(digits) or self.found(application_of(ctx), digits)

    def found(self, application: Application, digits: str) -> UUID:
        unknown = f"No key of the event log ends with {digits}. Give its last digits, or the whole id."
        return only(keys(application, digits), digits, unknown)


class KeyText(click.ParamType[str]):
    """A key of any kind; where it could be the last digits of an id, the id that the event log has."""

    name = "key"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        application, digits = application_of(ctx), short_ids.digits_of(value)
        if digits is None or short_ids.whole(digits) or application.read_side is None:
            return value
        candidates = keys(application, digits)
        return str(only(candidates, digits, "")) if candidates else value


def keys(application: Application, digits: str) -> list[UUID]:
    with connected(application, read_side_of(application), OWNER) as connection:
        return short_ids.keys_ending(connection, digits)


def only(candidates: Sequence[UUID], digits: str, unknown: str) -> UUID:
    """The one candidate. Raises Failed: there is none, which `unknown` says, or there are several."""
    if not candidates:
        raise Failed(unknown)
    if len(candidates) > 1:
        raise Failed(f"{digits} fits several: {short_ids.named(list(candidates))}. Give more digits, or the whole id.")
    return candidates[0]
