"""Contract: frozen data with a versioned name and a key field."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """One kind of message that services exchange, as a frozen pydantic model with two class variables.

        class BookReturned(Contract):
            NAME: ClassVar[str] = "library.book_returned.v1"
            KEY: ClassVar[str] = "book_id"
            book_id: UUID
            days: int

    Readers ignore fields they do not know, so a contract may grow by optional fields; any other change is a new
    version, under a new name. Any class with the two variables, `model_dump_json` and `model_validate_json` works too.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    NAME: ClassVar[str]
    """`<context>.<event>.v<version>`, the CloudEvents type and the first part of the routing key."""

    KEY: ClassVar[str]
    """The field that is the key: messages of one key arrive in their order everywhere."""
