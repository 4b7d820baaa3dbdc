"""Bearer tokens: what is accepted, and everything that is not."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ordersaga.http.tokens import Caller, InvalidToken, Tokens, issue
from ordersaga.runtime.settings import MissingSetting, Settings

Ed25519PrivateKey = ed25519.Ed25519PrivateKey
PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
KEY = Ed25519PrivateKey.generate()
MINUTE = timedelta(minutes=1)


def private_pem(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def claims(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    whole = {
        "iss": "ordersaga",
        "aud": "ordersaga",
        "sub": "alice",
        "role": "customer",
        "iat": now,
        "exp": now + MINUTE,
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def signed(key: PrivateKey = KEY, algorithm: str = "EdDSA", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm)


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(Settings(token_public_key=public_pem(KEY)), ["customer"])


@pytest.mark.parametrize("role", ["customer", "operator", "auditor"])
def test_an_issued_token_names_its_caller(tokens: Tokens, role: str) -> None:
    assert tokens.verify(issue(private_pem(KEY), role, "alice", MINUTE)) == Caller("alice", role)


def test_a_key_with_escaped_line_breaks_is_read() -> None:
    tokens = Tokens(Settings(token_public_key=public_pem(KEY).replace("\n", "\\n")), ["customer"])
    assert tokens.verify(signed()).subject == "alice"


REFUSED: dict[str, Callable[[], str]] = {
    "signed with another key": lambda: signed(Ed25519PrivateKey.generate()),
    "signed with the public key as a secret": lambda: jwt.encode(claims(), "x" * 32, algorithm="HS256"),
    "not signed": lambda: jwt.encode(claims(), "", algorithm="none"),
    "another algorithm": lambda: signed(ec.generate_private_key(ec.SECP256R1()), "ES256"),
    "another issuer": lambda: signed(iss="somebody"),
    "another audience": lambda: signed(aud="somebody"),
    "expired": lambda: signed(exp=datetime.now(UTC) - MINUTE),
    "not valid yet": lambda: signed(nbf=datetime.now(UTC) + MINUTE),
    "no expiry": lambda: signed(exp=None),
    "no issuer": lambda: signed(iss=None),
    "no audience": lambda: signed(aud=None),
    "no subject": lambda: signed(sub=None),
    "an empty subject": lambda: signed(sub=""),
    "a subject with NUL": lambda: signed(sub="a\0b"),
    "a subject that is too long": lambda: signed(sub="a" * 201),
    "no role": lambda: signed(role=None),
    "an unknown role": lambda: signed(role="admin"),
    "a list of roles": lambda: signed(role=["operator"]),
    "nested without end": lambda: f"{urlsafe_b64encode(b'[' * 6000).decode()}.e30.e30",
    "no token at all": lambda: "alice",
    "not ASCII": lambda: "é.é.é",
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_token_is_refused_that_is(tokens: Tokens, reason: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify(REFUSED[reason]())


def test_a_token_that_was_accepted_is_refused_once_it_has_expired(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = signed()
    assert tokens.verify(token) == tokens.verify(token)
    monkeypatch.setattr("ordersaga.http.tokens.CLOCK_DIFFERENCE", -2 * MINUTE)
    with pytest.raises(InvalidToken):
        tokens.verify(token)


def test_a_changed_claim_breaks_the_signature(tokens: Tokens) -> None:
    header, _, signature = signed().split(".")
    _, forged, _ = signed(role="operator").split(".")
    with pytest.raises(InvalidToken):
        tokens.verify(f"{header}.{forged}.{signature}")


@pytest.mark.parametrize("pem", ["", "nonsense", public_pem(ec.generate_private_key(ec.SECP256R1())), private_pem(KEY)])
def test_only_an_ed25519_public_key_verifies(pem: str) -> None:
    with pytest.raises(MissingSetting) as missing:
        Tokens(Settings(token_public_key=pem))
    assert "TOKEN_PUBLIC_KEY" in str(missing.value)


@pytest.mark.parametrize("subject", ["", "a\n"])
def test_a_token_is_not_issued_for_nobody(subject: str) -> None:
    with pytest.raises(ValueError, match="Claim"):
        issue(private_pem(KEY), "customer", subject, MINUTE)
