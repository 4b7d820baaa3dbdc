"""Routes: the addresses of the proxy in the environment of each process, in place of those of the servers."""

from urllib.parse import urlsplit, urlunsplit

from devstack.chaos.network.network import POSTGRES, RABBITMQ, SIMULATOR, Link, Network
from devstack.environment import Change
from devstack.processes import Process
from ordersaga.runtime.settings import url_variable


def routes(network: Network) -> Change:
    """A process with links meets the proxy; migrations, topology and whoever looks have none and go straight."""

    def change(process: Process, environment: dict[str, str]) -> dict[str, str]:
        variables = {url_variable(database): POSTGRES for database in process.databases}
        variables |= {"AMQP_URL": RABBITMQ, "STRIPE_API_BASE": SIMULATOR}
        return environment | {
            variable: through(environment[variable], network.ports[link])
            for variable, server in variables.items()
            if variable in environment and (link := Link(process.name, server)) in network.ports
        }

    return change


def through(url: str, port: int) -> str:
    """The same with another port."""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{userinfo}{at}{host.rpartition(':')[0]}:{port}"))
