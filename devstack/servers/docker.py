"""Postgres 18 and RabbitMQ 4 as containers bound to loopback, for `--docker`."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from shutil import which

from rich.console import Console

from devstack import children
from devstack.ports import LOOPBACK
from devstack.servers.postgres import OWNER, Postgres
from devstack.servers.rabbitmq import ADVANCED, LIMITS, METRICS, RabbitMQ
from devstack.servers.rabbitmq_users import definitions
from devstack.state import State
from ordersaga.cli.errors import CannotRunHere

POSTGRES_IMAGE = f"postgres:{os.environ.get('POSTGRES_VERSION') or '18.6'}"
RABBITMQ_IMAGE = f"rabbitmq:{os.environ.get('RABBITMQ_VERSION') or '4.2.9'}"
"""As in compose.yaml, whose variables these are too."""
ANSWER_SECONDS = 20


def problem() -> str:
    """Why no container can be started; empty when an engine answers."""
    if which("docker") is None:
        return "the command `docker` is missing"
    try:
        done = _docker("info", "--format", "{{.ServerVersion}}")
    except subprocess.TimeoutExpired:
        return f"the Docker engine did not answer within {ANSWER_SECONDS} s"
    return "" if done.returncode == 0 else done.stderr.strip() or "the Docker engine does not answer"


def check_engine() -> None:
    """Raises CannotRunHere when no engine answers."""
    if found := problem():
        raise CannotRunHere(f"--docker: {found}\nStart Docker, or leave --docker away for private servers.")


def pull(console: Console) -> None:
    """Pull missing images before the start; raises CannotRunHere when that fails."""
    for image in (POSTGRES_IMAGE, RABBITMQ_IMAGE):
        if _docker("image", "inspect", image).returncode:
            console.print(f"Pulling {image} (once)", highlight=False)
            if subprocess.run(["docker", "pull", image], stdout=sys.stderr, check=False).returncode:
                raise CannotRunHere(f"--docker: the image {image} could not be pulled.")


def remove_data(state: State) -> None:
    """Remove the containers of this state directory and their data."""
    for name in (Postgres.name, RabbitMQ.name):
        _docker("rm", "--force", _name(state, name))
        _docker("volume", "rm", "--force", _name(state, name))


class DockerPostgres(Postgres):
    def launch(self) -> None:
        self.renew_ports()
        secret = {"POSTGRES_USER": OWNER, "POSTGRES_PASSWORD": self.password(OWNER), "POSTGRES_DB": "postgres"}
        volumes = [f"{_name(self._state, self.name)}:/var/lib/postgresql"]
        image = [POSTGRES_IMAGE, "postgres", "-c", "max_connections=500", "-c", "timezone=UTC"]
        self._process = _run(self._state, self.name, [f"{self.port}:5432"], volumes, secret, image)
        self._records.add(self.name, self._process.pid, self.port)


class DockerRabbitMQ(RabbitMQ):
    def launch(self) -> None:
        self.renew_ports()
        configuration = f"listeners.tcp.default = 5672\nload_definitions = /etc/rabbitmq/definitions.json\n{LIMITS}"
        self._home.mkdir(mode=0o700, exist_ok=True)
        volumes = [f"{_name(self._state, self.name)}:/var/lib/rabbitmq"]
        files = {
            "rabbitmq.conf": configuration,
            "advanced.config": ADVANCED,
            "definitions.json": definitions(self._state),
        }
        for name, text in files.items():
            path = self._state.write_text(f"rabbitmq/{name}", text)
            path.chmod(0o644)
            volumes.append(f"{path}:/etc/rabbitmq/{name}:ro")
        published = [f"{self.port}:5672", f"{self._state.port(METRICS)}:15692"]
        self._node = _run(self._state, self.name, published, volumes, {}, [RABBITMQ_IMAGE])
        self._records.add(self.name, self._node.pid, self.port)


def _name(state: State, name: str) -> str:
    return f"ordersaga-{state.secret('docker')[:8].lower()}-{name}"


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS)


def _run(
    state: State,
    name: str,
    published: Sequence[str],
    volumes: Sequence[str],
    variables: Mapping[str, str],
    image: Sequence[str],
) -> subprocess.Popen[bytes]:
    """`docker run` in the foreground: it hands signals on to the container, so it is stopped like a server."""
    container = _name(state, name)
    _docker("rm", "--force", container)
    options = ["--rm", "--name", container, "--hostname", name]
    options += [f"--publish={LOOPBACK}:{ports}" for ports in published]
    options += [f"--volume={volume}" for volume in volumes] + [f"--env={variable}" for variable in variables]
    command = [*children.setpriv(death_signal=signal.SIGTERM), "docker", "run", *options, *image]
    return children.spawn(command, {**children.plain_environment(), **variables}, state.log(name), state.directory)
