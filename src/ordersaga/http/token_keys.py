"""The public keys that verify bearer tokens, each with its id (`kid`), and the file that they may come from."""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from ordersaga.runtime.logs import log
from ordersaga.runtime.settings import MissingSetting, Settings, pem_bytes

PEM = re.compile(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL)
TRIED = 4
"""Most keys with which a token without a key id is tried; each costs 0.1 ms of CPU."""
SHOWN = re.compile(r"[\w.:-]{1,64}", re.ASCII)
NEEDED = (
    "must be Ed25519 public keys: in PEM, one after the other, or a JWKS document; bearer tokens are verified by it"
)


class UnknownKey(Exception):
    """None of the keys has signed the token; the text is the reason."""


class KeySet:
    """Public keys by their ids; it is immutable and compared by identity, so that results can be cached by key set."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        self.keys = dict(keys)

    def candidates(self, key_id: str | None) -> list[str]:
        """Ids of the keys that may have signed a token with this one, or with none. Raises UnknownKey."""
        if key_id in self.keys:
            return [key_id]
        if key_id is not None:
            name = f" ({key_id})" if SHOWN.fullmatch(key_id) else ""
            raise UnknownKey(f"The token names a key that is not accepted{name}; get a new token")
        if len(self.keys) > TRIED:
            raise UnknownKey(f"The token does not name its key (kid), and {len(self.keys)} keys are accepted")
        return list(self.keys)


class TokenKeys:
    """The keys of TOKEN_PUBLIC_KEY, or those that the file TOKEN_PUBLIC_KEY_FILE has now."""

    def __init__(self, settings: Settings) -> None:
        """Raises MissingSetting when there is no key, or one is not an Ed25519 public key."""
        self._file = Path(settings.token_public_key_file) if settings.token_public_key_file else None
        self._seen = self._stamp()
        self._keys = self._read() if self._file else key_set(settings.token_public_key)

    def current(self) -> KeySet:
        """The same object until the file changes; a file without usable keys is logged and changes nothing."""
        if self._file is None or (stamp := self._stamp()) == self._seen:
            return self._keys
        self._seen = stamp
        try:
            self._keys = self._read()
        except MissingSetting as error:
            log.error("the new token keys cannot be used, those read before stay in use", problem=str(error))
        else:
            log.info("token keys changed", keys=list(self._keys.keys))
        return self._keys

    def _read(self) -> KeySet:
        assert self._file
        try:
            text = self._file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise MissingSetting(f"TOKEN_PUBLIC_KEY_FILE cannot be read: {error}") from None
        return key_set(text, f"TOKEN_PUBLIC_KEY_FILE {self._file}")

    def _stamp(self) -> tuple[int, ...] | None:
        """Changes with the file, and with its rights; reading it costs 2 µs."""
        try:
            found = self._file.stat() if self._file else None
        except OSError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size) if found else None


def key_set(text: str, source: str = "TOKEN_PUBLIC_KEY") -> KeySet:
    """The keys of PEM blocks or of a JWKS document (RFC 7517). Raises MissingSetting, which names the source."""
    found: dict[str, Ed25519PublicKey] = {}
    try:
        for key_id, key in keys_of_jwks(text) if text.lstrip().startswith("{") else keys_of_pem(text):
            if found.setdefault(key_id, key) != key:
                raise MissingSetting(f"{source} has two keys with the id (kid) {key_id!r}")
    except (ValueError, jwt.PyJWTError, RecursionError):
        found = {}
    if not found:
        raise MissingSetting(f"{source} {NEEDED}")
    return KeySet(found)


def keys_of_pem(text: str) -> Iterator[tuple[str, Ed25519PublicKey]]:
    """(id, key); raises ValueError when one is not an Ed25519 public key."""
    for block in PEM.findall(pem_bytes(text).decode()):
        yield named(load_pem_public_key(block.encode()))


def keys_of_jwks(text: str) -> Iterator[tuple[str, Ed25519PublicKey]]:
    """(id, key) of the Ed25519 keys, each under its own id if it has one.

    Keys of other kinds are ignored, as identity providers publish them too; raises ValueError for a private one.
    """
    for jwk in jwt.PyJWKSet.from_json(text):
        if jwk.algorithm_name == "EdDSA":
            key_id, key = named(jwk.key)
            yield jwk.key_id if isinstance(jwk.key_id, str) and jwk.key_id else key_id, key


def named(key: object) -> tuple[str, Ed25519PublicKey]:
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 public key")
    return thumbprint(key), key


def thumbprint(key: Ed25519PublicKey) -> str:
    """The id of a key: the thumbprint of its JWK (RFC 7638, RFC 8037)."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": base64url(key.public_bytes(Encoding.Raw, PublicFormat.Raw))}
    return base64url(sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
