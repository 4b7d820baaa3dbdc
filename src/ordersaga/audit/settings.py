"""The variables that only the sealer reads."""

from pydantic import Field

from ordersaga.runtime.settings import Settings


class SealerSettings(Settings):
    """The settings of `python -m ordersaga.audit`."""

    audit_signing_key: str = ""
    """Ed25519 private key as PEM; the sealer signs its checkpoints with it."""
    audit_checkpoints: str = ""
    """Directory of the logs of sealed events, outside every database."""
    audit_seal_seconds: float = Field(default=5, gt=0)
    """Seconds between two windows."""
