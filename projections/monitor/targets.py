"""The addresses of monitored processes (MONITORED) and of the services' APIs (SERVICES)."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from ordersaga.runtime.settings import MissingSetting

EXAMPLE = "Set it to name=http://host:port name=http://host:port ..."


@dataclass(frozen=True, slots=True)
class Target:
    """A process that answers /readyz and /metrics."""

    name: str
    url: str

    @property
    def kind(self) -> str:
        """The last word of the name before any number: `api`, `worker`, `relay`, `simulator`, ..."""
        return next((word for word in reversed(self.name.split("-")) if not word.isdigit()), self.name)


def read_targets(text: str) -> tuple[Target, ...]:
    """Raises MissingSetting when the text of MONITORED is not of the form `name=http://host:port ...`."""
    return tuple(Target(name, url) for name, url in addresses("MONITORED", text).items())


def read_services(text: str) -> dict[str, str]:
    """Service, such as `order_service`, -> base URL of its API, as the setting SERVICES names them.

    Raises:
        MissingSetting: the text is not of the form `name=http://host:port ...`.
    """
    return addresses("SERVICES", text)


def addresses(variable: str, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in text.split():
        name, _, url = word.partition("=")
        parts = urlsplit(url)
        if not name or parts.scheme not in ("http", "https") or not parts.hostname or name in found:
            raise MissingSetting(f"{variable} has {word!r}, which is no name=http://host:port of its own. {EXAMPLE}")
        found[name] = url.rstrip("/")
    return found
