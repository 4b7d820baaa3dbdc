"""Bearer tokens: what is accepted, and everything that is not."""

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ordersaga.http.token_keys import TRIED, thumbprint
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


OTHER = Ed25519PrivateKey.generate()


def jwk(key: PrivateKey, **members: str) -> dict[str, str]:
    return {**jwt.get_algorithm_by_name("EdDSA").to_jwk(key.public_key(), as_dict=True), **members}


def test_the_id_of_a_key_is_the_thumbprint_of_rfc_8037() -> None:
    """The example of the RFC's appendix A.3."""
    public = urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    key = ed25519.Ed25519PublicKey.from_public_bytes(public)
    assert thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_an_issued_token_names_its_key_and_each_of_several_keys_verifies_its_own() -> None:
    tokens = Tokens(Settings(token_public_key=public_pem(KEY) + public_pem(OTHER)), ["customer"])
    for key in (KEY, OTHER):
        token = issue(private_pem(key), "customer", "alice", MINUTE)
        assert jwt.get_unverified_header(token)["kid"] == thumbprint(key.public_key()) == tokens.verify(token).key


def test_a_token_without_the_id_of_its_key_is_tried_with_a_few_keys() -> None:
    few = [KEY, *(Ed25519PrivateKey.generate() for _ in range(TRIED - 1))]
    tokens = Tokens(Settings(token_public_key="".join(map(public_pem, few))), ["customer"])
    assert {tokens.verify(signed(key)).key for key in few} == {thumbprint(key.public_key()) for key in few}
    many = Tokens(Settings(token_public_key="".join(map(public_pem, [*few, OTHER]))), ["customer"])
    with pytest.raises(InvalidToken, match="does not name its key"):
        many.verify(signed())


@pytest.mark.parametrize(("key_id", "shown"), [("nobody-s", "(nobody-s)"), ("<b>", "accepted; get")])
def test_a_token_of_an_unknown_key_is_refused_with_the_reason(tokens: Tokens, key_id: str, shown: str) -> None:
    token = jwt.encode(claims(), KEY, algorithm="EdDSA", headers={"kid": key_id})
    with pytest.raises(InvalidToken) as refused:
        tokens.verify(token)
    assert "names a key that is not accepted" in str(refused.value)
    assert shown in str(refused.value)


def test_a_token_is_verified_by_the_key_it_names_and_no_other() -> None:
    tokens = Tokens(Settings(token_public_key=public_pem(KEY) + public_pem(OTHER)))
    token = jwt.encode(claims(), KEY, algorithm="EdDSA", headers={"kid": thumbprint(OTHER.public_key())})
    with pytest.raises(InvalidToken, match="Signature"):
        tokens.verify(token)


def test_a_key_set_of_an_identity_provider_has_its_own_ids() -> None:
    keys = [jwk(KEY, kid="2026-11"), jwk(OTHER), {"kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB"}]
    tokens = Tokens(Settings(token_public_key=json.dumps({"keys": keys})), ["customer"])
    token = jwt.encode(claims(), KEY, algorithm="EdDSA", headers={"kid": "2026-11"})
    assert tokens.verify(token).key == "2026-11"
    assert tokens.verify(issue(private_pem(OTHER), "customer", "alice", MINUTE)).subject == "alice"


PRIVATE_JWK = jwt.get_algorithm_by_name("EdDSA").to_jwk(KEY, as_dict=True)


@pytest.mark.parametrize("text", ["{", "{}", '{"keys": []}', '{"keys": 1}', json.dumps({"keys": [PRIVATE_JWK]})])
def test_a_document_without_a_public_key_is_refused(text: str) -> None:
    with pytest.raises(MissingSetting, match="TOKEN_PUBLIC_KEY"):
        Tokens(Settings(token_public_key=text))


def test_a_changed_file_takes_effect_at_once_and_what_a_dropped_key_verified_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "keys.pem"
    file.write_text(public_pem(KEY))
    tokens = Tokens(Settings(token_public_key_file=str(file), token_public_key=public_pem(OTHER)), ["customer"])
    old, new = (issue(private_pem(key), "customer", "alice", MINUTE) for key in (KEY, OTHER))
    caller = tokens.verify(old)
    with pytest.raises(InvalidToken):
        tokens.verify(new)
    file.write_text(public_pem(OTHER) + public_pem(KEY))
    assert tokens.verify(new) == tokens.verify(old)
    assert tokens.still_accepts(caller)
    file.write_text(public_pem(OTHER))
    assert tokens.verify(new)
    assert not tokens.still_accepts(caller)
    with pytest.raises(InvalidToken):
        tokens.verify(old)


@pytest.mark.parametrize("text", [None, "", "half a fi", private_pem(KEY)])
def test_a_file_without_usable_keys_leaves_those_that_were_read_before(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "keys.pem"
    file.write_text(public_pem(KEY))
    tokens = Tokens(Settings(token_public_key_file=str(file)), ["customer"])
    file.unlink() if text is None else file.write_text(text)
    assert tokens.verify(signed()).subject == "alice"
    file.write_text(public_pem(OTHER))
    with pytest.raises(InvalidToken):
        tokens.verify(signed())


def test_a_file_that_cannot_be_read_at_the_start_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingSetting, match="TOKEN_PUBLIC_KEY_FILE"):
        Tokens(Settings(token_public_key_file=str(tmp_path / "nowhere")))


def test_two_keys_with_one_id_are_refused_and_an_id_that_is_no_text_is_ignored() -> None:
    """The tokens of the first of two keys with one id would all be refused."""
    two = json.dumps({"keys": [jwk(KEY, kid="same"), jwk(OTHER, kid="same")]})
    for text, reason in ((two, "two keys with the id"), ('{"a":' * 6000, "must be Ed25519 public keys")):
        with pytest.raises(MissingSetting, match=reason):
            Tokens(Settings(token_public_key=text))
    number = json.dumps({"keys": [{**jwk(KEY), "kid": 5}]})
    tokens = Tokens(Settings(token_public_key=number), ["customer"])
    assert tokens.verify(issue(private_pem(KEY), "customer", "alice", MINUTE)).key == thumbprint(KEY.public_key())


def test_a_file_of_the_same_size_and_time_is_read_again(tmp_path: Path) -> None:
    """All files of one key have one size, and a copy may keep the time of its original."""
    file = tmp_path / "keys.pem"
    file.write_text(public_pem(KEY))
    before = file.stat()
    tokens = Tokens(Settings(token_public_key_file=str(file)), ["customer"])
    assert tokens.verify(signed())
    file.write_text(public_pem(OTHER))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert tokens.verify(signed(OTHER))
