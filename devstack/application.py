"""The shop as the library's commands see it: on the running stack of a state directory, or on given servers."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from devstack.environment import Environments
from devstack.options import environments_of_running
from devstack.processes import PROCESSES
from devstack.state import State
from ordersaga.cli.app import Application
from ordersaga.runtime.settings import Settings, read_settings
from ordersaga.service import Service


def services() -> Sequence[Service]:
    """Imported when a command first needs them: `--help` does without."""
    import shop

    return shop.services


class StackApplication(Application):
    """Raises Failed when it is asked for a server and no stack runs."""

    def __init__(self, state: State) -> None:
        super().__init__(services)
        self.state = state

    @cached_property
    def environments(self) -> Environments:
        return environments_of_running(self.state)

    def database_url(self, database: str, role: str) -> str:
        return self.environments.database_url(database, role)

    def amqp_url(self, user: str) -> str:
        return self.environments.amqp_url(user)

    def worker_settings(self, service: Service) -> Settings:
        worker = next(process for process in PROCESSES if process.arguments == ("-m", service.name))
        environment = self.environments.of(worker)
        own = {name.lower(): text for name, text in environment.items() if name in worker.settings}
        return read_settings(service.settings, **own)

    def erasure_list(self) -> Path:
        return self.environments.erasure_list()
