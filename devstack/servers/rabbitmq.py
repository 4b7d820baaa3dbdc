"""A private RabbitMQ node: own directory, ports, node name and cookie, loopback only."""

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from devstack import children, ports
from devstack.death import Death
from devstack.managed import wait_until_ready
from devstack.ports import LOOPBACK
from devstack.records import Records
from devstack.servers.rabbitmq_install import epmd_program, server_program
from devstack.servers.rabbitmq_users import VHOST, definitions, password
from devstack.state import State
from ordersaga.cli.errors import Failed

START_SECONDS = 120
CONTROL_SECONDS = 60
METRICS = "rabbitmq metrics"
ADVANCED = "[{rabbit, [{quorum_tick_interval, 1000}]}].\n"
"""Milliseconds between two reports of a quorum queue's length; 5 s by default."""
MEMORY_LIMIT, DISK_FREE_LIMIT = "2GiB", "50MB"
LIMITS = (
    f"vm_memory_high_watermark.absolute = {MEMORY_LIMIT}\n"
    f"disk_free_limit.absolute = {DISK_FREE_LIMIT}\n"
    # What a quorum queue was given stays in memory until the log is full: 512 MiB by default, then all is written.
    "raft.wal_max_size_bytes = 67108864\n"
)
"""Of a node that shares its machine; compose.yaml has the same."""


def url(state: State, user: str) -> str:
    """AMQP URL of the private node; the password is the one kept in the state directory."""
    secret = quote(password(state, user), safe="")
    return f"amqp://{user}:{secret}@{LOOPBACK}:{state.port('rabbitmq')}/{VHOST}"


def metrics_url(state: State) -> str:
    """Base URL of the private node's metrics."""
    return f"http://{LOOPBACK}:{state.port(METRICS)}"


class RabbitMQ:
    """A node and its epmd; `start` and `stop` any number of times, from a thread that stays."""

    name = "rabbitmq"

    def __init__(self, state: State, records: Records, metrics: bool = True, more: Sequence[str] = ()) -> None:
        """With `metrics` it serves metrics over HTTP, which takes 7 MB more and 5 s more at every stop.

        `more` names groups beside the shop's that get a user.
        """
        self._more = tuple(more)
        self._metrics = metrics
        self._state = state
        self._records = records
        self._home = state.directory / "rabbitmq"
        self._node: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self.log = state.log(self.name)

    @property
    def port(self) -> int:
        return self._state.port("rabbitmq")

    @property
    def pid(self) -> int | None:
        return self._node.pid if self._node and self._node.poll() is None else None

    @property
    def death(self) -> Death | None:
        return Death.of(self.name, self._node)

    @property
    def epmd_pid(self) -> int | None:
        return self._epmd.pid if self._epmd and self._epmd.poll() is None else None

    def amqp_url(self, user: str) -> str:
        return url(self._state, user)

    @property
    def metrics_url(self) -> str:
        return metrics_url(self._state)

    def start(self) -> None:
        """Raises Failed when the provisioner cannot open a connection within two minutes."""
        self.launch()
        wait_until_ready(self, START_SECONDS)

    def launch(self) -> None:
        """Start epmd and the node without waiting for them."""
        self.renew_ports()
        if self.epmd_pid is None:
            self._start_epmd()
        self._configure()
        self._node = self._spawn(server_program())
        self._records.add(self.name, self._node.pid, self.port)

    def renew_ports(self) -> None:
        """Only before the first launch: afterwards others know the ports."""
        if self._node is None:
            self._end_stray_epmd()
            for port in ("rabbitmq", "rabbitmq distribution", "rabbitmq epmd", METRICS):
                self._state.renew_port(port)

    def _start_epmd(self) -> None:
        """Erlang's name server, as our own child: started by the node, it would outlive it."""
        port = self._state.port("rabbitmq epmd")
        self._epmd = self._spawn(epmd_program(), "-port", str(port), "-address", LOOPBACK)
        self._records.add("epmd", self._epmd.pid, port)

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        self._home.mkdir(mode=0o700, exist_ok=True)
        return children.spawn([*children.setpriv(), *command], self._environment(), self.log, self._home)

    def _configure(self) -> None:
        files = {
            "rabbitmq.conf": self._configuration(),
            "definitions.json": definitions(self._state, self._more),
            "enabled_plugins": "[rabbitmq_prometheus].\n" if self._metrics else "[].\n",
            "advanced.config": ADVANCED,
            "rabbitmq-env.conf": "",
        }
        for name, text in files.items():
            self._state.write_text(f"rabbitmq/{name}", text)
        cookie = self._home / ".erlang.cookie"
        if not cookie.exists():
            self._state.write_text("rabbitmq/.erlang.cookie", self._state.secret("erlang cookie"))
            cookie.chmod(0o400)

    def _configuration(self) -> str:
        return (
            f"listeners.tcp.1 = {LOOPBACK}:{self.port}\n"
            f"load_definitions = {self._home / 'definitions.json'}\n"
            f"{LIMITS}"
            "log.file = false\n"
            "log.console = true\n"
            "log.console.use_colors = off\n"
            "log.console.level = warning\n"
        ) + (self._metrics_configuration() if self._metrics else "")

    def _metrics_configuration(self) -> str:
        return f"prometheus.tcp.ip = {LOOPBACK}\nprometheus.tcp.port = {self._state.port(METRICS)}\n"

    def _environment(self) -> dict[str, str]:
        """Nothing of the caller's but PATH, so that no RABBITMQ_* of another node gets in."""
        name = self._state.secret("rabbitmq node name")[:10]
        return {
            **children.plain_environment(),
            "HOME": str(self._home),
            # Makes the start script exec the Erlang machine instead of staying above it as a shell.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_NODENAME": f"ordersaga-{name}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._state.port("rabbitmq distribution")),
            "RABBITMQ_CONF_ENV_FILE": str(self._home / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self._home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self._home / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self._home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._home / "log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
            "ERL_EPMD_PORT": str(self._state.port("rabbitmq epmd")),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_CRASH_DUMP_BYTES": "0",
        }

    def is_ready(self) -> bool:
        """Whether the provisioner can sign in."""
        import pika
        from pika.exceptions import AMQPError

        if not ports.answers(self.port):
            return False
        try:
            pika.BlockingConnection(pika.URLParameters(self.amqp_url("provisioner"))).close()
        except (AMQPError, OSError):
            return False
        return True

    def ask_to_stop(self) -> None:
        if self._node and self.pid:
            self._node.terminate()

    def stop(self) -> None:
        """Orderly, else SIGKILL; epmd goes last."""
        if self._node:
            children.end(self._node, (signal.SIGTERM, 20))
        if self._epmd:
            children.end(self._epmd, (signal.SIGTERM, 2))
        self._end_stray_epmd()
        for name in (self.name, "epmd"):
            self._records.remove(name)

    def _end_stray_epmd(self) -> None:
        """A node that misses its epmd starts another, a daemon that would stay; epmd obeys when no node is left."""
        port = self._state.port("rabbitmq epmd")
        if ports.answers(port):
            command = [epmd_program(), "-port", str(port), "-kill"]
            subprocess.run(command, capture_output=True, check=False, timeout=10)

    def control(self, *command: str) -> str:
        """Run a command of `rabbitmqctl` on the node. Returns what it prints. Raises Failed."""
        environment = self._environment()
        program = Path(server_program()).with_name("rabbitmqctl")
        full = [str(program), "-n", environment["RABBITMQ_NODENAME"], *command]
        done = subprocess.run(
            full, env=environment, capture_output=True, text=True, check=False, timeout=CONTROL_SECONDS
        )
        if done.returncode:
            raise Failed(f"rabbitmqctl {' '.join(command)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def kill(self) -> None:
        """SIGKILL to the node, as a crash would."""
        if self._node:
            children.end(self._node)
