"""Node: a Postgres that may be the primary or the standby of a pair."""

import shutil
import signal
import subprocess
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.sql import SQL, Literal

from devstack import children
from devstack.ports import LOOPBACK
from devstack.records import Records
from devstack.servers.postgres import OWNER, SETTINGS, SIGN_IN, Postgres, binaries
from devstack.state import State
from ordersaga.cli.errors import Failed

PROMOTE_SECONDS = 60


class Node(Postgres):
    """Its name in pg_stat_replication and in synchronous_standby_names is that of its directory."""

    settings = f"{SETTINGS}wal_keep_size = 512MB\nmax_wal_senders = 8\n"
    sign_in = f"{SIGN_IN}host replication {OWNER} {LOOPBACK}/32 scram-sha-256\n"

    def __init__(self, state: State, records: Records, name: str) -> None:
        self.name = name
        super().__init__(state, records)

    def copy_of(self, primary: "Node") -> None:
        """Make its data a copy of that of a running primary, whose standby it is when it starts.

        Raises Failed with what pg_basebackup says.
        """
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)
        self._account.own(self._data)
        source = primary.replication_url(self.name)
        options = ["-D", str(self._data), "-d", source, "--write-recovery-conf", "--checkpoint=fast"]
        command = [*self._prefix(signal.SIGKILL), str(binaries() / "pg_basebackup"), *options]
        place, environment = self._state.directory, children.plain_environment()
        done = subprocess.run(command, env=environment, cwd=place, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"pg_basebackup could not copy {primary.name}:\n{done.stderr.strip()}")

    def replication_url(self, standby: str) -> str:
        """With which a standby follows this node."""
        secret = quote(self.password(OWNER), safe="")
        return f"postgresql://{OWNER}:{secret}@{LOOPBACK}:{self.port}/?application_name={standby}&sslmode=disable"

    def ask(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """As the owner of the server."""
        with psycopg.connect(self.superuser_url(), autocommit=True, connect_timeout=5) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def set(self, setting: str, value: str) -> None:
        """For good; the server reads it at once."""
        with psycopg.connect(self.superuser_url(), autocommit=True, connect_timeout=5) as connection:
            # The statement itself is not written to the log and waits for no standby.
            connection.execute(SQL("alter system set {} = {}").format(SQL(setting), Literal(value)))
            connection.execute("select pg_reload_conf()")

    @property
    def is_primary(self) -> bool:
        [(is_standby,)] = self.ask("select pg_is_in_recovery()")
        return not is_standby

    def promote(self) -> None:
        """Make the standby the primary, which waits for no standby of its own. Raises Failed."""
        self.set("synchronous_standby_names", "")
        [(is_done,)] = self.ask(f"select pg_promote(true, {PROMOTE_SECONDS})")
        if not is_done:
            raise Failed(f"{self.name} was not promoted within {PROMOTE_SECONDS} s; see {self.log}")
