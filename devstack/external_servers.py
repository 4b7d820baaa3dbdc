"""The servers that the caller's environment names, which are then used instead of private ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from devstack.processes import GROUPS
from ordersaga.cli.errors import Failed


@dataclass(frozen=True)
class ExternalServers:
    """Empty where none is named. Every process uses the same URL, with the role and the rights in it."""

    databases: Mapping[str, str] = field(default_factory=dict)
    amqp: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ExternalServers":
        """Raises Failed when some of the four databases are named and others are not."""
        from ordersaga.runtime.settings import url_variable

        found = {database: environment.get(url_variable(database), "") for database in GROUPS}
        missing = [url_variable(database) for database, url in found.items() if not url]
        if 0 < len(missing) < len(GROUPS):
            raise Failed(
                f"Some databases are named in the environment, but not {', '.join(missing)}. "
                "Set all four to use your own Postgres, or none to have a private one started."
            )
        return cls({} if missing else found, environment.get("AMQP_URL", ""))
