"""The secrets of subscriptions: made in the format of Standard Webhooks, and sealed for the database."""

from base64 import b64encode
from os import urandom

from cryptography.fernet import Fernet, InvalidToken

PREFIX = "whsec_"
SECRET_BYTES = 32


class SecretUnreadable(Exception):
    """A stored secret does not open with WEBHOOK_SECRETS_KEY."""


def new_secret() -> str:
    """A secret such as `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`, with 256 random bits."""
    return PREFIX + b64encode(urandom(SECRET_BYTES)).decode()


class SecretBox:
    """Seals and opens secrets (Fernet) with the key of WEBHOOK_SECRETS_KEY; without a key it leaves them open."""

    def __init__(self, key: str) -> None:
        text = key.rstrip("=").translate(str.maketrans("+/", "-_"))
        self._fernet = Fernet(f"{text}=") if text else None

    def seal(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode() if self._fernet else secret

    def open(self, stored: str) -> str:
        """The secret; one that was stored before a key was set is not sealed. Raises SecretUnreadable."""
        if stored.startswith(PREFIX):
            return stored
        if self._fernet is None:
            raise SecretUnreadable("the secret is sealed: set WEBHOOK_SECRETS_KEY, or rotate the secret")
        try:
            return self._fernet.decrypt(stored).decode()
        except InvalidToken:
            raise SecretUnreadable("WEBHOOK_SECRETS_KEY is not the key that sealed the secret: rotate it") from None
