"""The variables that only the sealer reads."""

from pathlib import Path

from pydantic import Field

from ordersaga.runtime.settings import MissingSetting, Settings


class SealerSettings(Settings):
    """The settings of `ordersaga audit seal`."""

    audit_signing_key: str = ""
    """Ed25519 private key as PEM; the sealer signs its checkpoints with it."""
    audit_checkpoints: str = ""
    """Directory of the logs of sealed events, outside every database."""
    audit_seal_seconds: float = Field(default=5, gt=0)
    """Seconds between two windows."""

    @property
    def directory(self) -> Path:
        """AUDIT_CHECKPOINTS. Raises MissingSetting."""
        if not self.audit_checkpoints:
            raise MissingSetting("AUDIT_CHECKPOINTS is not set. Set it to the directory of the sealed logs.")
        return Path(self.audit_checkpoints)
