"""Pair: a primary with one physical standby, reached by URLs that name both."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import quote

from devstack.chaos.cluster.node import Node
from devstack.ports import LOOPBACK
from devstack.records import Records
from devstack.servers.databases import create_databases, create_roles
from devstack.servers.postgres import OWNER
from devstack.state import State
from devstack.waiting import until

Mode = Literal["synchronous", "asynchronous"]
SECONDS = 30
STANDBY = "select sync_state, state, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) from pg_stat_replication"


class Pair:
    """`primary` and `standby` change places in `fail_over`; the former primary stays as it was when it died."""

    def __init__(self, state: State, mode: Mode) -> None:
        self.mode = mode
        self._state = state
        records = Records(state)
        self.primary, self.standby = (Node(state, records, name) for name in ("postgres-a", "postgres-b"))

    def start(self) -> None:
        """Both run, the databases exist, and the standby has everything."""
        self.primary.start()
        create_roles(self.primary)
        create_databases(self.primary)
        self.follow()

    def follow(self) -> None:
        """Copy the standby from the primary again; in synchronous mode every later commit waits for it."""
        self.standby.copy_of(self.primary)
        self.standby.start()
        until(self._streams, "the standby to follow the primary", SECONDS)
        if self.mode == "synchronous":
            self.primary.set("synchronous_standby_names", f'"{self.standby.name}"')
            until(lambda: self._streams("sync"), "commits to wait for the standby", SECONDS)

    def _streams(self, sync_state: str = "") -> bool:
        rows = self.primary.ask(STANDBY)
        return bool(rows) and rows[0][1] == "streaming" and (not sync_state or rows[0][0] == sync_state)

    def behind(self) -> int:
        """Bytes of WAL that the standby has not replayed; 0 when it is not connected."""
        return int((self.primary.ask(STANDBY) or [(None, None, 0)])[0][2] or 0)

    def cut(self) -> None:
        """The standby gets nothing more, as when the network between both fails."""
        self.standby.set("primary_conninfo", "")
        until(lambda: not self.primary.ask(STANDBY), "the standby to be cut off", SECONDS)

    def fail_over(self) -> None:
        """Kill the primary if it runs, promote the standby, and let both change places."""
        self.primary.kill()
        self.swap()

    def swap(self) -> None:
        """Promote the standby beside the primary, which is a second primary if it still runs."""
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def stop(self) -> None:
        self.standby.stop()
        self.primary.stop()

    def url(self, database: str, role: str = OWNER) -> str:
        """Leads to whichever of the two accepts writes."""
        secret = quote(self.primary.password(role), safe="")
        hosts = ",".join(f"{LOOPBACK}:{self._state.port(name)}" for name in ("postgres-a", "postgres-b"))
        return f"postgresql://{role}:{secret}@{hosts}/{database}?target_session_attrs=read-write"


@contextmanager
def running_pair(state: State, mode: Mode) -> Iterator[Pair]:
    """Started; stopped when the block ends, however it ends. Enter it in a thread that stays."""
    pair = Pair(state, mode)
    try:
        pair.start()
        yield pair
    finally:
        pair.stop()


@contextmanager
def running_node(state: State) -> Iterator[Node]:
    """A server without a standby, with roles and databases of its own."""
    node = Node(state, Records(state), "postgres-c")
    try:
        node.start()
        create_roles(node)
        create_databases(node)
        yield node
    finally:
        node.stop()
