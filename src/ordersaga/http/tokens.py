"""Bearer tokens: their verification, the caller in them, and their issue."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ordersaga.http.token_keys import KeySet, TokenKeys, UnknownKey, key_set, thumbprint
from ordersaga.runtime.settings import Settings, pem_bytes

STAFF = ("operator", "auditor")
"""Roles of every service: an operator acts on parked messages, an auditor reads everything."""
ALGORITHMS = ("EdDSA",)
REQUIRED = ("exp", "iss", "aud", "sub", "role")
CLOCK_DIFFERENCE = timedelta(seconds=10)
"""Largest accepted difference between the clock of the issuer and this one."""
MAX_SUBJECT = 200
CACHED_TOKENS = 1000
"""Verifying a signature takes 0.1 ms of CPU."""


class InvalidToken(Exception):
    """The token is invalid, or has another issuer or audience; the text is the reason."""


class ExpiredToken(InvalidToken):
    """The token was valid once."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request, according to the token."""

    subject: str
    role: str
    expires: datetime = field(default=datetime.max.replace(tzinfo=UTC), compare=False)
    """When the token expires."""
    key: str = field(default="", compare=False)
    """Id of the key that signed the token."""


class Tokens:
    """Verifies tokens with the public keys of their issuer; `roles` are the roles of callers beside STAFF."""

    def __init__(self, settings: Settings, roles: Collection[str] = ()) -> None:
        """Raises MissingSetting when the public key is missing or is not an Ed25519 key."""
        self._keys = TokenKeys(settings)
        self._issuer = settings.token_issuer
        self._audience = settings.token_audience
        self.roles = (*roles, *STAFF)
        # A key set is part of what is looked up, so nothing that a dropped key has verified is found again.
        self._verified = lru_cache(CACHED_TOKENS)(self._verify)

    def verify(self, token: str) -> Caller:
        """Raises InvalidToken."""
        keys = self._keys.current()
        caller = self._verified(token, keys)
        return caller if datetime.now(UTC) - CLOCK_DIFFERENCE < caller.expires else self._verify(token, keys)

    def still_accepts(self, caller: Caller) -> bool:
        """Whether the token has not expired, nor its key been dropped, since it was verified."""
        return datetime.now(UTC) < caller.expires and caller.key in self._keys.current().keys

    def _verify(self, token: str, keys: KeySet) -> Caller:
        try:
            key, claims = self._claims(token, keys)
        except jwt.ExpiredSignatureError as error:
            raise ExpiredToken(str(error)) from None
        except (jwt.InvalidTokenError, UnknownKey, RecursionError) as error:
            raise InvalidToken(str(error)) from None
        return Caller(subject_of(claims["sub"]), self.role_of(claims["role"]), expiry_of(claims["exp"]), key)

    def _claims(self, token: str, keys: KeySet) -> tuple[str, dict[str, Any]]:
        """The id of the key that verifies the token, and what it claims. Raises UnknownKey, or an error of PyJWT."""
        *others, last = keys.candidates(jwt.get_unverified_header(token).get("kid"))
        for key in others:
            with suppress(jwt.InvalidSignatureError):
                return key, self._decode(token, keys.keys[key])
        return last, self._decode(token, keys.keys[last])

    def _decode(self, token: str, key: Ed25519PublicKey) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            issuer=self._issuer,
            audience=self._audience,
            leeway=CLOCK_DIFFERENCE,
            options={"require": list(REQUIRED)},
        )

    def role_of(self, claim: object) -> str:
        for role in self.roles:
            if claim == role:
                return role
        raise InvalidToken(f"Claim role must be one of {', '.join(self.roles)}")


def subject_of(claim: object) -> str:
    if not isinstance(claim, str) or not claim.isprintable() or not 0 < len(claim) <= MAX_SUBJECT:
        raise InvalidToken(f"Claim sub must have 1 to {MAX_SUBJECT} printable characters")
    return claim


def expiry_of(claim: object) -> datetime:
    try:
        return datetime.fromtimestamp(float(str(claim)), UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidToken("Claim exp must be a time") from None


def public_key(pem: str) -> Ed25519PublicKey:
    """The first key of the text. Raises MissingSetting."""
    return next(iter(key_set(pem).keys.values()))


def private_key(pem: str) -> Ed25519PrivateKey:
    """Raises ValueError."""
    try:
        key = load_pem_private_key(pem_bytes(pem), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("tokens are signed with an Ed25519 private key in PEM without a password, and this is none")
    return key


def issue(
    private_key_pem: str,
    role: str,
    subject: str,
    lifetime: timedelta,
    issuer: str = "ordersaga",
    audience: str = "ordersaga",
) -> str:
    """A signed token; its header names the key that verifies it (`kid`).

    Raises:
        ValueError: the subject is not acceptable, or the key is not an Ed25519 private key.
    """
    key = private_key(private_key_pem)
    now = datetime.now(UTC)
    try:
        claims = {"sub": subject_of(subject), "role": role}
    except InvalidToken as error:
        raise ValueError(str(error)) from None
    times = {"iat": now, "exp": now + lifetime}
    headers = {"kid": thumbprint(key.public_key())}
    return jwt.encode({"iss": issuer, "aud": audience, **claims, **times}, key, algorithm="EdDSA", headers=headers)
