"""The servers that the caller's environment names, which are then used instead of private ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from devstack.processes import GROUPS
from ordersaga.cli.errors import Failed


def variable(database: str) -> str:
    return f"{database.upper()}_DATABASE_URL"


@dataclass(frozen=True)
class Given:
    """Empty where nothing is given. A given URL is used by every process: its role and rights are the giver's."""

    databases: Mapping[str, str] = field(default_factory=dict)
    amqp: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Given":
        """Raises Failed when some of the four databases are named and others are not."""
        found = {database: environment.get(variable(database), "") for database in GROUPS}
        missing = [variable(database) for database, url in found.items() if not url]
        if 0 < len(missing) < len(GROUPS):
            raise Failed(
                f"Some databases are named in the environment, but not {', '.join(missing)}. "
                "Set all four to use your own Postgres, or none to have a private one started."
            )
        return cls({} if missing else found, environment.get("AMQP_URL", ""))
