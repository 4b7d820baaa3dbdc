"""The account that a private Postgres runs as, because it refuses to run as root."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from ordersaga.cli.errors import CannotRunHere

UNPRIVILEGED = "nobody"
"""A user that exists on every Linux, so that none has to be created."""


@dataclass(frozen=True)
class Account:
    """The current user, or `nobody` when that is root."""

    uid: int
    gid: int

    @classmethod
    def for_postgres(cls) -> "Account":
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        try:
            entry = pwd.getpwnam(UNPRIVILEGED)
        except KeyError:
            raise CannotRunHere(
                f"Postgres does not run as root, and this machine has no user {UNPRIVILEGED!r}. "
                "Run ./ordersaga as an ordinary user, or give the four *_DATABASE_URL."
            ) from None
        return cls(entry.pw_uid, entry.pw_gid)

    def own(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)

    def options(self, *paths: Path) -> list[str]:
        """`setpriv` options to become this account and still reach the paths.

        A checkout below /root or another closed directory is out of reach of `nobody`. Instead of opening
        root's directories or copying 38 MB of binaries, the process then keeps one right: CAP_DAC_OVERRIDE.
        """
        if os.geteuid() != 0:
            return []
        rights = "-all" if all(map(open_to_all, paths)) else "-all,+dac_override"
        user = [f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        return [*user, f"--inh-caps={rights}", f"--ambient-caps={rights}"]


def open_to_all(path: Path) -> bool:
    """Whether everyone may pass through all directories above the path."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
