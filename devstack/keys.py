"""The keys of a stack: they sign bearer tokens and the audit log, and seal personal keys and webhooks' secrets."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from devstack.state import State

FILE = "token_private_key.pem"
AUDIT_FILE = "audit_private_key.pem"


def private_key(state: State, file: str = FILE) -> Ed25519PrivateKey:
    """Made on first use, readable by its owner alone."""
    path: Path = state.directory / file
    if not path.exists():
        state.write_text(file, pem(Ed25519PrivateKey.generate()))
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} holds another kind of key than Ed25519")
    return key


def pem(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: Ed25519PrivateKey) -> str:
    """The public half."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_key_pem(state: State) -> str:
    """PEM text to sign tokens with."""
    private_key(state)
    return (state.directory / FILE).read_text()


def personal_key(state: State) -> str:
    """For PERSONAL_KEY_ENCRYPTION_KEY; whoever loses it loses the personal data."""
    return state.secret("personal key encryption key", size=32)


def webhook_key(state: State) -> str:
    """The value of WEBHOOK_SECRETS_KEY. After its loss the secret of each webhook must be rotated."""
    return state.secret("webhook secrets key", size=32)


def audit_key_pem(state: State) -> str:
    """PEM text for AUDIT_SIGNING_KEY, which the sealer alone gets."""
    private_key(state, AUDIT_FILE)
    return (state.directory / AUDIT_FILE).read_text()
