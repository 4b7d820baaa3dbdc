"""`database-crash`: Postgres is killed, and stays away for a while."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import psutil
import requests

from devstack.breaking.frozen import frozen
from devstack.breaking.run import command_of
from devstack.breaking.scenario import FailureScenario
from devstack.chaos.narrative.command import chaos_command_of
from devstack.demo.customers import token
from devstack.servers.postgres import Postgres
from ordersaga.cli.errors import CannotRunHere

DATABASE = Postgres.name
API = "orders-api"
SKU = "break-plate"
PATIENCE = 8
"""Seconds that one request may take: an API gives up waiting for its database before that."""
BEFORE, DURING = 4, 3


def detail_of(answer: requests.Response) -> str:
    """Of a problem document its detail, of anything else the beginning."""
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


class DatabaseCrash(FailureScenario):
    name = "database-crash"
    about = (
        "Every service keeps what it knows in Postgres. What a service has acknowledged is on disk: the answer is "
        "given after the commit. While the database is away a request gets 503 with `Retry-After`. The "
        "customer repeats it with the same Idempotency-Key, and whether the first try was stored or not, there is one "
        "order. Messages stay at the broker until their effect is committed."
    )
    does = "Postgres is killed (SIGKILL) while orders are under way, and its next start is delayed."
    expect = (
        "Requests get 503 with Retry-After. Workers and relays say that the database is away, and end nothing: they "
        "keep their messages, and continue once it answers."
    )
    heals = "Postgres starts, recovers from its log, and everything goes on where it was."
    pages = ("alarms", "infrastructure")
    commands = ("status", "logs -f postgres orders-worker")
    skus = (SKU,)
    seconds = 8
    brief = 5

    sent: Sequence[Future[UUID]] = ()

    def check(self) -> None:
        if self.scene.external.databases:
            raise CannotRunHere("The databases are your own: `break database-crash` kills only a private Postgres.")
        if "docker" in psutil.Process(self.scene.process(DATABASE).pid).cmdline():
            raise CannotRunHere("Postgres runs in a container: `docker kill` stops it.")

    def prepare(self) -> None:
        self.scene.stock(SKU, BEFORE + DURING)

    @contextmanager
    def broken(self) -> Iterator[None]:
        for number in range(BEFORE):
            title = "ann, whose order was under way when the database was killed" if number == BEFORE - 1 else ""
            self.scene.place(SKU, customer="ann", title=title)
        lost = self.scene.identity(DATABASE)
        self.say(f"ann orders {BEFORE} plates, one each. Postgres (pid {self.scene.kill(DATABASE)}) is killed.")
        # The supervisor starts it again at once: stopped before it answers, it stays away for `lasts` seconds.
        with frozen(self.scene.started_after(DATABASE, lost), self.lasts):
            yield

    def begin(self) -> str:
        self.say(f"A request meanwhile: {self.answer()}")
        customers = ThreadPoolExecutor(DURING)
        self.sent = [customers.submit(self.scene.place_until_accepted, SKU, "ben") for _ in range(DURING)]
        customers.shutdown(wait=False)
        return f"ben sends {DURING} orders while it is away, and repeats each under its key until it is accepted."

    def answer(self) -> str:
        """Of one request, which is not repeated."""
        headers = {"Authorization": f"Bearer {token(self.scene.state, 'customer', 'ann')}"}
        try:
            url = f"{self.scene.url(API)}/orders"
            found = requests.get(url, headers=headers, timeout=PATIENCE, proxies={"http": ""})
        except OSError as error:
            return f"no answer within {PATIENCE} s ({type(error).__name__})."
        return f"{found.status_code}, Retry-After {found.headers.get('Retry-After', 'none')}: {detail_of(found)}"

    def seen(self) -> str:
        return self.scene.said_by(API) or super().seen()

    def is_healed(self) -> bool:
        accepted = all(order.done() and order.result() for order in self.sent)
        return accepted and super().is_healed() and not self.scene.not_ready()


on_running_stack = command_of(DatabaseCrash)
on_own_stack = chaos_command_of(DatabaseCrash)
