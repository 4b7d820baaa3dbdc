"""Bearer tokens: their verification, the caller in them, and their issue."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from ordersaga.runtime.settings import MissingSetting, Settings, pem_bytes

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


class Tokens:
    """Verifies tokens with one public key; `roles` are the roles of callers beside STAFF."""

    def __init__(self, settings: Settings, roles: Collection[str] = ()) -> None:
        """Raises MissingSetting when the public key is missing or is not an Ed25519 key."""
        self._key = public_key(settings.token_public_key)
        self._issuer = settings.token_issuer
        self._audience = settings.token_audience
        self.roles = (*roles, *STAFF)
        self._verified = lru_cache(CACHED_TOKENS)(self._verify)

    def verify(self, token: str) -> Caller:
        """Raises InvalidToken."""
        caller = self._verified(token)
        return caller if datetime.now(UTC) - CLOCK_DIFFERENCE < caller.expires else self._verify(token)

    def _verify(self, token: str) -> Caller:
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=ALGORITHMS,
                issuer=self._issuer,
                audience=self._audience,
                leeway=CLOCK_DIFFERENCE,
                options={"require": list(REQUIRED)},
            )
        except jwt.ExpiredSignatureError as error:
            raise ExpiredToken(str(error)) from None
        except (jwt.InvalidTokenError, RecursionError) as error:
            raise InvalidToken(str(error)) from None
        return Caller(subject_of(claims["sub"]), self.role_of(claims["role"]), expiry_of(claims["exp"]))

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
    try:
        key = load_pem_public_key(pem_bytes(pem))
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise MissingSetting("TOKEN_PUBLIC_KEY must be an Ed25519 public key in PEM; bearer tokens are verified by it")
    return key


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
    """A signed token.

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
    return jwt.encode({"iss": issuer, "aud": audience, **claims, **times}, key, algorithm="EdDSA")
