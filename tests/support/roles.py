"""A role that only has the rights of everybody."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.conninfo import make_conninfo


@dataclass(frozen=True)
class Account:
    role: str
    password: str

    def on(self, url: str) -> str:
        """The URL of another with this role."""
        return make_conninfo(url, user=self.role, password=self.password)


@contextmanager
def stranger(owner: Connection[Any]) -> Iterator[Account]:
    """For as long as the block lasts; the connection is the superuser's, in autocommit."""
    owner.execute("create role stranger login password 'only-for-tests'")
    try:
        yield Account("stranger", "only-for-tests")
    finally:
        owner.execute("drop role stranger")
