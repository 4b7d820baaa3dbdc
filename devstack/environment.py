"""The environment of each process: its own databases, its own broker user, and the settings that it needs."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from devstack.external_servers import ExternalServers
from devstack.keys import audit_key_pem, personal_key, webhook_key
from devstack.ports import LOOPBACK
from devstack.processes import GROUPS, PROCESSES, Process
from devstack.servers import postgres, rabbitmq
from devstack.state import ERASURES, IMPORT_PATH, State
from devstack.token_keys import public_keys_file
from ordersaga.runtime.settings import url_variable

FOR_ALL = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LOG_LEVEL", "LOG_FORMAT")
"""Variables of the caller that every process gets."""
TRACES = "OTEL_"
"""What all of them begin with that say where spans go; every process gets them."""
REAL_CARDS = ("STRIPE_API_BASE", "STRIPE_API_KEY")
"""Both must be set to use a real card processor: a key that is in the shell by chance must not charge a card."""


Change = Callable[[Process, dict[str, str]], dict[str, str]]
"""From a process and its environment, each time that it is started, to the environment that it gets."""


def unchanged(_process: Process, environment: dict[str, str]) -> dict[str, str]:
    return environment


class Environments:
    """Makes the environment of any process of one stack."""

    def __init__(
        self,
        state: State,
        external: ExternalServers,
        caller: Mapping[str, str] = os.environ,
        change: Change = unchanged,
    ) -> None:
        self._state = state
        self._external = external
        self._caller = caller
        self._change = change

    def database_url(self, database: str, role: str) -> str:
        return self._external.databases.get(database) or postgres.url(self._state, role, database)

    def amqp_url(self, user: str) -> str:
        return self._external.amqp or rabbitmq.url(self._state, user)

    def owner_urls(self) -> dict[str, str]:
        """Database -> URL that may read and change everything in it."""
        return {database: self.database_url(database, postgres.OWNER) for database in GROUPS}

    def erasure_list(self) -> Path:
        """The list of erasures, which outlives a database that is restored."""
        path = self._caller.get("ERASURE_LIST")
        return Path(path) if path else self._state.directory / ERASURES

    def personal_key(self) -> str:
        """Empty, so that no key is wrapped, for external databases: they may outlive the state directory."""
        key = self._caller.get("PERSONAL_KEY_ENCRYPTION_KEY")
        return key or ("" if self._external.databases else personal_key(self._state))

    def webhook_key(self) -> str:
        """Empty for external databases, as the personal key is."""
        key = self._caller.get("WEBHOOK_SECRETS_KEY")
        return key or ("" if self._external.databases else webhook_key(self._state))

    def of(self, process: Process) -> dict[str, str]:
        environment = {name: self._caller[name] for name in (*FOR_ALL, *process.passed_on) if name in self._caller}
        environment |= {name: value for name, value in self._caller.items() if name.startswith(TRACES)}
        environment |= {"PYTHONPATH": IMPORT_PATH, "PYTHONUNBUFFERED": "1"}
        for database, role in process.databases.items():
            environment[url_variable(database)] = self.database_url(database, role)
        if process.amqp_user:
            environment["AMQP_URL"] = self.amqp_url(process.amqp_user)
        environment |= {name: self.fill_in(text, process) for name, text in process.settings.items()}
        return self._change(process, environment)

    def arguments(self, process: Process) -> list[str]:
        return [self.fill_in(argument, process) for argument in process.arguments]

    def fill_in(self, text: str, process: Process) -> str:
        """Replace the `{...}` of the process table."""
        if "{" not in text:
            return text
        real = all(self._caller.get(name) for name in REAL_CARDS)
        simulator = f"http://{LOOPBACK}:{self._state.port('simulator')}"
        return text.format(
            port=self._state.port(process.name),
            monitored=" ".join(f"{one.name}={self.url(one)}" for one in PROCESSES),
            services=" ".join(f"{name}={self.url(one)}" for one in PROCESSES if one.is_api for name in one.serves),
            ledger=self._state.directory / "ledger.sqlite",
            token_public_keys=public_keys_file(self._state),
            personal_key=self.personal_key(),
            webhook_key=self.webhook_key(),
            erasures=self.erasure_list(),
            audit_key=audit_key_pem(self._state),
            audit_directory=audit_directory(self._state),
            card_url=self._caller["STRIPE_API_BASE"] if real else simulator,
            broker_metrics_url=self.broker_metrics_url(),
            card_key=self._caller["STRIPE_API_KEY"] if real else simulator_key(self._state),
        )

    def url(self, process: Process) -> str:
        """Base URL of a process."""
        return f"http://{LOOPBACK}:{self._state.port(process.name)}"

    def broker_metrics_url(self) -> str:
        """Of an external broker, the caller's BROKER_METRICS_URL or none."""
        url = self._caller.get("BROKER_METRICS_URL", "")
        return url or ("" if self._external.amqp else rabbitmq.metrics_url(self._state))


def audit_directory(state: State) -> Path:
    """Where the sealer keeps its logs and checkpoints."""
    return state.directory / "audit"


def simulator_key(state: State) -> str:
    """The key with which the payment service signs in at the simulator."""
    return "sk_test_" + state.secret("simulator key").replace("-", "_")
