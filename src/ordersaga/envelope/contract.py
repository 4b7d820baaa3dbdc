"""What every contract has in common: frozen data, a versioned name, and the field that is its key."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """One kind of message. Readers ignore fields they do not know, so a contract may grow by optional fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    NAME: ClassVar[str]
    """`<context>.<event>.v<version>`, the CloudEvents type and the first part of the routing key."""

    KEY: ClassVar[str]
    """The field whose value puts messages in order: same key, same order, everywhere."""
