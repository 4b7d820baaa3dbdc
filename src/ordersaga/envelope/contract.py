"""Contract: frozen data with a versioned name, a key field and one source."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """One kind of message that services exchange, as a frozen pydantic model with three class variables.

        class BookReturned(Contract):
            NAME: ClassVar[str] = "library.book_returned.v1"
            SOURCE: ClassVar[str] = "library"
            KEY: ClassVar[str] = "book_id"
            book_id: UUID
            days: int

    Readers ignore fields they do not know, so a contract may grow by optional fields; any other change is a new
    version, under a new name. Any class with the three variables, `model_dump_json` and `model_validate_json` works.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    NAME: ClassVar[str]
    """`<context>.<event>.v<version>`, the CloudEvents type and the first part of the routing key."""

    SOURCE: ClassVar[str]
    """The name of the only service that announces it, the `ce-source`; a message of it from another is refused."""

    KEY: ClassVar[str]
    """The field that is the key: messages of one key arrive in their order everywhere."""
