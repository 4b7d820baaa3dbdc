"""The shop as an Application: on the servers of the environment, or on the running stack of a state directory."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import psycopg

from devstack.environment import Environments, audit_directory
from devstack.external_servers import ExternalServers
from devstack.keys import AUDIT_FILE, audit_key_pem
from devstack.processes import GROUPS, PROCESSES, READ_SIDE, SERVICES
from devstack.records import Records
from devstack.state import State
from ordersaga.audit.note import Signer
from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.errors import Failed
from ordersaga.runtime.sessions import OPERATOR, connect
from ordersaga.runtime.settings import Settings, read_settings
from ordersaga.service import Service
from ordersaga.webhooks.settings import WebhookSettings


def services() -> Sequence[Service]:
    """The shop's services, imported when a command first needs them: `--help` does not."""
    import shop

    return shop.services


class ShopApplication(Application):
    """On the servers of the environment, a URL for each."""

    def __init__(self) -> None:
        super().__init__(services)

    def facts_about(self, subject: str) -> Mapping[str, int | None]:
        return {"orders": orders_of(self.database_url(READ_SIDE, OWNER), subject)}

    @property
    def not_erased(self) -> Sequence[str]:
        return ("what the card processor keeps of the charges: have it redacted there",)


class StackApplication(ShopApplication):
    """Raises Failed when it is asked for a server and no stack runs."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state

    @property
    def known_names(self) -> Mapping[str, Sequence[str]]:
        return {"service": GROUPS, "publishing service": SERVICES, "group": GROUPS}

    @cached_property
    def environments(self) -> Environments:
        return environments_of_running(self.state)

    def database_url(self, database: str, role: str) -> str:
        return self.environments.database_url(database, role)

    def amqp_url(self, user: str) -> str:
        return self.environments.amqp_url(user)

    def broker_metrics_url(self) -> str:
        return self.environments.broker_metrics_url()

    def worker_settings(self, service: Service) -> Settings:
        worker = next(process for process in PROCESSES if process.arguments == ("-m", service.name))
        environment = self.environments.of(worker)
        own = {name.lower(): text for name, text in environment.items() if name in worker.settings}
        return read_settings(service.settings, **own)

    def webhook_settings(self) -> WebhookSettings:
        process = next(process for process in PROCESSES if process.arguments[-2:] == ("webhooks", "run"))
        environment = self.environments.of(process)
        own = {name.lower(): text for name, text in environment.items() if name.startswith("WEBHOOK_")}
        return read_settings(WebhookSettings, **own)

    def erasure_list(self) -> Path:
        return self.environments.erasure_list()

    def audit_directory(self) -> Path:
        return audit_directory(self.state)

    def audit_signer(self) -> Signer:
        if not (self.state.directory / AUDIT_FILE).exists():
            raise Failed(
                f"No audit key is in {self.state.directory}: no stack has run there. Give the public key with --key."
            )
        return Signer.from_pem(audit_key_pem(self.state))


def orders_of(url: str, customer: str) -> int | None:
    """The customer's orders on the read side; None when it does not answer."""
    try:
        with connect(url, "ordersaga", OPERATOR) as connection:
            row = connection.execute("select count(*) from saga_view where customer = %s", (customer,)).fetchone()
    except psycopg.Error:
        return None
    return int(row[0]) if row else None


def environments_of_running(state: State) -> Environments:
    """The environments of the running stack, or of the servers that five URLs in the environment name.

    Raises:
        Failed: there is neither.
    """
    external = ExternalServers.from_environment(os.environ)
    if external.databases and external.amqp:
        return Environments(state, external)
    records = Records(state)
    if records.supervisor() is None:
        raise Failed(
            f"No stack is running in {state.directory}. Start one with `./ordersaga up`, "
            "or set AMQP_URL and the four *_DATABASE_URL."
        )
    return Environments(state, records.external_servers())
