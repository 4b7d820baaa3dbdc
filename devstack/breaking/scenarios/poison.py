"""`poison`: a reaction refuses a message, which is parked."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL, Literal

from devstack.breaking.run import command_of
from devstack.breaking.scenario import FailureScenario
from devstack.chaos.narrative.command import chaos_command_of
from devstack.servers.postgres import OWNER
from inventory_service.stock import stock_item_id
from ordersaga.cli.errors import CannotRunHere, Failed
from ordersaga.parked import listing
from ordersaga.parked.listing import ParkedFilter
from ordersaga.runtime.sessions import MIGRATION, connect

DATABASE = "inventory_service"
REFUSED, FINE = "break-refused", "break-fine"
CREATE_TRIGGER = SQL("""
create or replace function break_refuses() returns trigger language plpgsql as $$
begin
    if clock_timestamp() < {end} then raise exception 'the shelf of break-refused is locked for stocktaking'; end if;
    return new;
end $$;
create or replace trigger break_refuses before insert on stored_events
    for each row when (new.originator_id = {item}) execute function break_refuses()
""")
"""Until `end`, also when the command is killed with SIGKILL and cannot remove the trigger."""
DROP_TRIGGER = """
drop trigger if exists break_refuses on stored_events;
drop function if exists break_refuses()
"""


class Poison(FailureScenario):
    name = "poison"
    about = (
        "A message that its receiver cannot handle is called poisonous: delivered again and again, it blocks its "
        "queue for everybody. Here it is put aside (parked) with its error, and retried with a growing pause. Later "
        "messages of the same order wait behind it, so that nothing overtakes; all other orders go on."
    )
    does = "A trigger in the database of inventory refuses every reservation of the product break-refused."
    expect = (
        "The order of break-refused stays placed: inventory parks its message and retries it with a growing backoff. "
        "The order of break-fine is confirmed, because a parked message keeps only its own key waiting."
    )
    heals = "The trigger is removed; the next attempt succeeds."
    pages = ("parked",)
    commands = ("parked list --messages", "logs -f inventory-worker")
    skus = (REFUSED, FINE)
    seconds = 15
    brief = 5

    refused: UUID | None = None

    def check(self) -> None:
        if self.scene.external.databases:
            raise CannotRunHere("The databases are your own: `break poison` changes only those of a private Postgres.")

    def prepare(self) -> None:
        for sku in (REFUSED, FINE):
            self.scene.stock(sku, 5)

    @contextmanager
    def broken(self) -> Iterator[None]:
        item = Literal(str(stock_item_id(REFUSED)))
        end = Literal(datetime.now(UTC) + timedelta(seconds=self.lasts + self.limit))
        try:
            with self.owner() as connection, connection.transaction():
                connection.execute(CREATE_TRIGGER.format(item=item, end=end))
            yield
        finally:
            with self.owner() as connection, connection.transaction():
                connection.execute(DROP_TRIGGER)

    @contextmanager
    def owner(self) -> Iterator[Connection[tuple[object, ...]]]:
        """Raises Failed when the database does not answer, or is locked."""
        try:
            url = self.scene.environments.database_url(DATABASE, OWNER)
            with connect(url, "ordersaga break", MIGRATION) as connection:
                yield connection
        except LockNotAvailable:
            raise Failed(f"The table stored_events of {DATABASE} is locked. Try again.") from None
        except psycopg.OperationalError as error:
            raise Failed(f"The database {DATABASE} does not answer: {error}") from None

    def begin(self) -> str:
        self.refused = self.scene.place(REFUSED, title="alice, whose product inventory refused at first")
        fine = self.scene.place(FINE)
        return f"Placed order {self.refused} of {REFUSED}, and {fine} of {FINE}."

    def parked(self) -> list[dict[str, Any]]:
        with self.owner() as connection:
            return listing.messages(connection, ParkedFilter(key=str(self.refused)))

    def has_struck(self) -> bool:
        return bool(self.parked())

    def seen(self) -> str:
        orders = super().seen()
        parked = [f"{row['contract']} is {row['state']} after {attempts(row['attempts'])}" for row in self.parked()]
        return f"{orders} Parked: {', '.join(parked) or 'nothing'}."

    def advice(self) -> str:
        return (
            "The trigger is removed, and the next attempt is not due yet. To retry at once: "
            f"./ordersaga parked retry --key {self.refused} --reason 'the trigger is removed'"
        )


def attempts(number: int) -> str:
    return "1 attempt" if number == 1 else f"{number} attempts"


on_running_stack = command_of(Poison)
on_own_stack = chaos_command_of(Poison)
