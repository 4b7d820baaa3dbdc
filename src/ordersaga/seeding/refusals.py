"""What makes a seeding impossible or dangerous, each as a sentence with what to do."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from ordersaga.relay import detached
from ordersaga.runtime.sessions import REPORT, connect
from ordersaga.seeding.sources import SeedingSource
from ordersaga.service import Service

MARGIN = timedelta(hours=12)
"""Longest time in which a seeding that begins again repeats what the first one published."""


class SeedingRefused(Exception):
    """The group cannot be seeded as it is; the text says why and what to do."""


def require_group(group: Service, sources: Iterable[SeedingSource]) -> None:
    """Raises SeedingRefused for a group that has no history to get from event stores."""
    if group.is_read_side:
        raise SeedingRefused(
            f"{group.group} is a read side, which is made from the event stores by `ordersaga projections rebuild`."
        )
    if not list(sources):
        raise SeedingRefused(f"No service of the application announces what {group.group} reacts to.")


def effects(group: Service) -> Iterator[str]:
    """What the reactions of the group do beside recording: for each message of history they would do it too."""
    for name, reaction in group.reactions.by_contract.items():
        if reaction.outside and name == reaction.contract.NAME:
            yield f"{reaction.function.__name__} calls {reaction.resource} for {name}"
    for name, function in group.reactions.deadlines.items():
        yield f"{function.__name__} runs when the deadline {name!r} has passed; one of history has passed at once"


def require_harmless(group: Service) -> None:
    """Raises SeedingRefused when the reactions of the group have outside steps or deadlines."""
    if found := list(effects(group)):
        named = "\n".join(f"  {effect}" for effect in found)
        raise SeedingRefused(
            f"History would have effects outside the database of {group.group}, or before their time:\n{named}\n"
            "A reaction and its `needs_outside` can tell by `transaction.message.time` how old a message is. If they "
            "do, run the command again with --act-on-history."
        )


def require_new(group: str, received: int) -> None:
    """Raises SeedingRefused for a group that has received something."""
    if received:
        some = "at least 1,000" if received >= 1000 else f"{received:,}"
        raise SeedingRefused(
            f"{group} has received {some} messages: older ones of the same keys would arrive behind newer ones. Only a "
            "group that has received nothing can be seeded. Give what needs history a group and a database of its own, "
            "or start with an empty database."
        )


def require_recent(group: str, begun: datetime, inbox_retention: timedelta) -> None:
    """Raises SeedingRefused when the inbox may have purged what the interrupted seeding published."""
    if datetime.now(UTC) - begun > inbox_retention - MARGIN:
        raise SeedingRefused(
            f"The seeding of {group} began at {begun:%Y-%m-%d %H:%M} and was not completed. Its inbox remembers "
            f"messages for {inbox_retention.days} days (INBOX_RETENTION_DAYS): the first ones would take effect again. "
            "Start with an empty database."
        )


def require_attached(group: str, sources: Iterable[SeedingSource], urls: Mapping[str, str]) -> None:
    """Raises SeedingRefused while a relay publishes around a queue of the group."""
    for source in sources:
        with connect(urls[source.name], "ordersaga seed", REPORT) as store:
            for row in detached.load(store):
                if row.group == group:
                    raise SeedingRefused(f"The relay of {source.name} says: {row}. Wait until it has all of them.")
