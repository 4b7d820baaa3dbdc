"""Sealer: encrypts personal data with a key per person; once the key is erased, nobody can read any copy."""

from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from os import urandom
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from psycopg import Connection

from ordersaga.runtime.errors import Conflict

VERSION = "v1"
KEY_BYTES = 32
NONCE_BYTES = 12

FIND_OR_MAKE = """
with found as (
    select id, key from personal_keys where subject = %(subject)s and key is not null
), made as (
    insert into personal_keys (subject, generation, key)
    select %(subject)s,
        coalesce((select max(generation) from personal_keys where subject = %(subject)s), 0) + 1, %(new)s
    where not exists (select from found)
    on conflict do nothing returning id, key
)
select id, key from found union all select id, key from made
"""
KEY = "select subject, key from personal_keys where id = %s"


class Unreadable(ValueError):
    """A sealed text is damaged or belongs to another person or purpose, or its key is missing or wrongly wrapped."""


class Sealer:
    """Seals and unseals data of a person (AES-256-GCM) with the keys in `personal_keys` of a database.

    A `key_encryption_key` (32 bytes in base64) wraps these keys (RFC 3394), so that a copy of the database alone
    unseals nothing.
    """

    def __init__(self, key_encryption_key: str = "") -> None:
        alphabet = str.maketrans("+/", "-_")
        text = key_encryption_key.rstrip("=").translate(alphabet)
        self._wrapping_key = urlsafe_b64decode(text + "=") if text else None

    def seal(self, connection: Connection[Any], subject: str, purpose: str, data: bytes) -> str:
        """Seal data as `v1.<key id>.<base64url>`; it unseals only with the same subject and purpose.

        Takes one round trip, also for the first data of a person; a new key is part of the caller's transaction.

        Raises:
            Conflict: a key was made and erased at the same time; decide again.
        """
        id_, key = self._current_key(connection, subject)
        nonce = urandom(NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, data, bound_to(str(id_), subject, purpose))
        return f"{VERSION}.{id_}.{encode(nonce + sealed)}"

    def unseal(self, connection: Connection[Any], subject: str, purpose: str, text: str) -> bytes | None:
        """The data, or None when its key is erased. Raises Unreadable."""
        key_id, sealed = parts(text)
        row = connection.execute(KEY, (key_id,), prepare=True).fetchone()
        if row is None or row[0] != subject:
            raise Unreadable(f"key {key_id} is not a key of this person here")
        if row[1] is None:
            return None
        try:
            associated = bound_to(str(key_id), subject, purpose)
            return AESGCM(self._unwrap(row[1])).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
        except InvalidTag as error:
            raise Unreadable(f"the text sealed with key {key_id} is damaged or was moved from another place") from error

    def _current_key(self, connection: Connection[Any], subject: str) -> tuple[UUID, bytes]:
        parameters = {"subject": subject, "new": self._wrap(urandom(KEY_BYTES))}
        # The second attempt sees the key of another writer; the unique index has waited for its commit.
        for _ in range(2):
            row = connection.execute(FIND_OR_MAKE, parameters, prepare=True).fetchone()
            if row is not None:
                return row[0], self._unwrap(row[1])
        raise Conflict(f"a personal key was made and erased at the same time: {subject}")

    def _wrap(self, key: bytes) -> bytes:
        return aes_key_wrap(self._wrapping_key, key) if self._wrapping_key else key

    def _unwrap(self, stored: bytes) -> bytes:
        """The key; one that was stored before a key encryption key was set is not wrapped."""
        if len(stored) == KEY_BYTES:
            return stored
        if self._wrapping_key is None:
            raise Unreadable("personal keys are wrapped here: set PERSONAL_KEY_ENCRYPTION_KEY")
        try:
            return aes_key_unwrap(self._wrapping_key, stored)
        except InvalidUnwrap as error:
            raise Unreadable(
                "PERSONAL_KEY_ENCRYPTION_KEY is not the one that a personal key was wrapped with"
            ) from error


def bound_to(key_id: str, subject: str, purpose: str) -> bytes:
    """Associated data: it binds a sealed text to its key, person and purpose."""
    return "\0".join((VERSION, key_id, subject, purpose)).encode()


def encode(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def parts(text: str) -> tuple[UUID, bytes]:
    """Key id and encrypted bytes of a sealed text, which has only one valid form. Raises Unreadable."""
    version, _, rest = text.partition(".")
    id_, _, encoded = rest.partition(".")
    try:
        key_id, sealed = UUID(id_), b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
    except (ValueError, Base64Error):
        raise Unreadable("this is not a sealed text") from None
    if (version, id_, encoded) != (VERSION, str(key_id), encode(sealed)) or len(sealed) < NONCE_BYTES:
        raise Unreadable("this is not a sealed text")
    return key_id, sealed
