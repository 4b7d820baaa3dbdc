"""Signed notes with Ed25519 keys, in the format of C2SP signed-note: a text, a blank line, signature lines."""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ordersaga.audit.settings import SealerSettings
from ordersaga.runtime.settings import MissingSetting, pem_bytes

ED25519 = b"\x01"
KEY_NAME = "ordersaga/audit"


class BadKey(ValueError):
    """The text is not a key; the message says what was expected."""


class BadNote(ValueError):
    """The note is malformed or was not signed by the key."""


def key_id(name: str, public: bytes) -> bytes:
    """The key id of C2SP signed-note: the first four bytes of a hash over name and public key."""
    return sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


@dataclass(frozen=True)
class VerifierKey:
    """A name and a public key; as text `name+id+key`."""

    name: str
    public: bytes

    def __str__(self) -> str:
        key = b64encode(ED25519 + self.public).decode()
        return f"{self.name}+{key_id(self.name, self.public).hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Raises BadKey."""
        try:
            name, id_, encoded = text.strip().split("+", 2)
            key = b64decode(encoded, validate=True)
            if not name or key[:1] != ED25519 or len(key) != 33 or key_id(name, key[1:]).hex() != id_:
                raise BadKey
        except (ValueError, NotBase64):
            raise BadKey("not a verifier key such as `ordersaga audit key` prints: NAME+ID+KEY") from None
        return cls(name, key[1:])

    def open(self, note: str) -> str:
        """The text of a note that this key signed; signatures of other keys are ignored.

        Raises:
            BadNote: the note is malformed, or this key did not sign it.
        """
        text, blank, lines = note.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            raise BadNote("it is not a signed note")
        text += "\n"
        for line in lines.splitlines():
            signature = self._signature(line)
            if signature is not None:
                try:
                    Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
                except InvalidSignature:
                    raise BadNote(f"the signature of {self.name} does not fit its text") from None
                return text
        raise BadNote(f"it carries no signature of the key {self.name}+{key_id(self.name, self.public).hex()}")

    def _signature(self, line: str) -> bytes | None:
        """The signature, when the line carries one of this key."""
        mark, name, encoded = (*line.split(" "), "", "")[:3]
        try:
            content = b64decode(encoded, validate=True)
        except (ValueError, NotBase64):
            return None
        ours = (mark, name, content[:4]) == ("\u2014", self.name, key_id(self.name, self.public))
        return content[4:] if ours else None


class Signer:
    """An Ed25519 private key that signs notes."""

    def __init__(self, key: Ed25519PrivateKey, name: str = KEY_NAME) -> None:
        self._key = key
        self.verifier = VerifierKey(name, key.public_key().public_bytes_raw())

    @classmethod
    def from_pem(cls, pem: str) -> "Signer":
        """Raises BadKey."""
        try:
            key = load_pem_private_key(pem_bytes(pem), password=None)
        except (ValueError, TypeError):
            raise BadKey("not an Ed25519 private key as PEM text") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise BadKey("another kind of key than Ed25519")
        return cls(key)

    def sign(self, text: str) -> str:
        """The signed note; `text` must end with a newline."""
        verifier = self.verifier
        signature = key_id(verifier.name, verifier.public) + self._key.sign(text.encode())
        return f"{text}\n\u2014 {verifier.name} {b64encode(signature).decode()}\n"


def signer_of(settings: SealerSettings) -> Signer:
    """The signer with the key AUDIT_SIGNING_KEY. Raises MissingSetting."""
    try:
        return Signer.from_pem(settings.audit_signing_key)
    except BadKey as error:
        raise MissingSetting(f"AUDIT_SIGNING_KEY is {error}.") from None
