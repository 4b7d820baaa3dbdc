"""The keys of a stack's bearer tokens: the one that signs, and the earlier public keys until they are dropped."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devstack.keys import FILE, pem, private_key, public_pem
from devstack.state import State
from ordersaga.http.token_keys import thumbprint

PUBLIC_FILE = "token_public_keys.pem"
OLD_FILE = "token_old_keys.json"
LOCK_FILE = "token_keys.lock"


@dataclass(frozen=True)
class OldKey:
    """A key that was replaced: it signs no token, and verifies those that it has signed."""

    kid: str
    public_pem: str
    replaced_at: str
    """ISO 8601."""


def current_id(state: State) -> str:
    """The `kid` of the tokens that are signed now."""
    return thumbprint(private_key(state).public_key())


def old_keys(state: State) -> list[OldKey]:
    """The latest first."""
    now = current_id(state)
    # A rotation that was killed has already listed the key that still signs.
    return [key for key in (OldKey(**kept) for kept in state.read(OLD_FILE).get("keys", [])) if key.kid != now]


def public_keys(state: State) -> str:
    """PEM text for TOKEN_PUBLIC_KEY: the keys that verify, the one that signs first."""
    return joined(private_key(state), old_keys(state))


def public_keys_file(state: State) -> Path:
    """The file for TOKEN_PUBLIC_KEY_FILE."""
    return kept_file(state, public_keys(state))


def rotate(state: State, copies: Sequence[Path] = ()) -> str:
    """Make a new key, and return its id. The public keys are published before the first token is signed with it.

    Args:
        copies: further files of the public keys.
    """
    with locked(state):
        now, new = private_key(state), Ed25519PrivateKey.generate()
        key = OldKey(current_id(state), public_pem(now), datetime.now(UTC).isoformat(timespec="seconds"))
        old = [key, *old_keys(state)]
        keep(state, old)
        publish(state, joined(new, old), copies)
        state.write_text(FILE, pem(new))
    return thumbprint(new.public_key())


def drop_old(state: State, copies: Sequence[Path] = ()) -> list[OldKey]:
    """Refuse the tokens of all keys but the one that signs now; the dropped ones are returned."""
    with locked(state):
        dropped = old_keys(state)
        keep(state, [])
        publish(state, public_keys(state), copies)
    return dropped


def joined(now: Ed25519PrivateKey, old: Sequence[OldKey]) -> str:
    return "".join([public_pem(now), *(key.public_pem for key in old)])


def keep(state: State, old: Sequence[OldKey]) -> None:
    state.write(OLD_FILE, {"keys": [asdict(key) for key in old]})


def publish(state: State, text: str, copies: Sequence[Path]) -> None:
    kept_file(state, text)
    for file in copies:
        write_copy(file, text)


def kept_file(state: State, text: str) -> Path:
    path = state.directory / PUBLIC_FILE
    return path if content(path) == text else state.write_text(PUBLIC_FILE, text)


def write_copy(file: Path, text: str) -> None:
    """For services that run as another user: they see the old file or the whole new one."""
    if content(file) != text:
        new = file.with_name(file.name + ".new")
        new.write_text(text)
        new.replace(file)


def content(file: Path) -> str:
    return file.read_text() if file.exists() else ""


@contextmanager
def locked(state: State) -> Iterator[None]:
    """One rotation at a time."""
    with os.fdopen(os.open(state.directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
